//! Two token sequences in one tensor: how a model that reads one and writes another fits [`Model`](crate::models::Model).

use candle_core::{DType, Tensor};

use crate::{Error, Result};

/// Puts sources `(batch, source time)` and what the decoder reads, `(batch, target time)`, into one tensor of ids
/// `(batch, 1 + source time + target time)`.
///
/// Its first column holds `source time` in each row, then come the sources, then the targets. Padding stays what it is.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use kindling::data::{pack_sequences, unpack_sequences};
/// let source = Tensor::new(&[[7_u32, 8, 9]], &Device::Cpu)?; // (batch, source time)
/// let target = Tensor::new(&[[1_u32, 5]], &Device::Cpu)?; // (batch, target time)
/// let packed = pack_sequences(&source, &target)?;
/// assert_eq!(packed.to_vec2::<u32>()?, [[3, 7, 8, 9, 1, 5]]);
/// assert_eq!(unpack_sequences(&packed)?.1.to_vec2::<u32>()?, [[1, 5]]);
/// # Ok::<(), kindling::Error>(())
/// ```
pub fn pack_sequences(source: &Tensor, target: &Tensor) -> Result<Tensor> {
    let (batch, time) = source.dims2()?;
    let (source, target) = (source.to_dtype(DType::U32)?, target.to_dtype(DType::U32)?);
    let length = Tensor::full(time as u32, (batch, 1), source.device())?;
    Ok(Tensor::cat(&[length, source, target], 1)?)
}

/// The sources `(batch, source time)` and targets `(batch, target time)` that [`pack_sequences`] put together.
pub fn unpack_sequences(packed: &Tensor) -> Result<(Tensor, Tensor)> {
    let error = || Error::Shape {
        what: "packed sequences".to_owned(),
        expected: "(batch, 1 + source time + target time), the first column source time".to_owned(),
        found: packed.dims().to_vec(),
    };
    let (&[batch, columns], DType::U32) = (packed.dims(), packed.dtype()) else {
        return Err(error());
    };
    if batch * columns == 0 {
        return Err(error());
    }
    let lengths = packed.narrow(1, 0, 1)?.flatten_all()?.to_vec1::<u32>()?;
    let time = lengths[0] as usize;
    if time == 0 || time + 1 >= columns || lengths.iter().any(|&length| length != lengths[0]) {
        return Err(error());
    }
    let source = packed.narrow(1, 1, time)?; // (batch, source time)
    let target = packed.narrow(1, 1 + time, columns - 1 - time)?; // (batch, target time)
    Ok((source, target))
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn anything_else_is_refused() {
        for packed in [
            [[5_u32, 1, 2], [5, 1, 2]],
            [[1, 1, 2], [2, 1, 2]],
            [[0, 1, 2], [0, 1, 2]],
        ] {
            let packed = Tensor::new(&packed, &Device::Cpu).unwrap();
            let error = unpack_sequences(&packed).unwrap_err().to_string();
            assert!(
                error.starts_with("packed sequences: expected shape (batch, 1"),
                "{error}"
            );
        }
        let floats = Tensor::zeros((2, 3), DType::F32, &Device::Cpu).unwrap();
        assert!(unpack_sequences(&floats).is_err());
    }
}
