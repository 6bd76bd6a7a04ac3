//! Rows of a data set, copied side by side into a batch.

use candle_core::Tensor;
use rayon::prelude::*;

use super::{
    parts::each_part,
    values::{Values, on_cpu},
};
use crate::{Error, Result};

/// Numbers that are worth a thread of their own.
const PART: usize = 1 << 15;

/// `(chosen, …)`: the parts of `table` `(rows, …)` at these positions along the first dimension, in this order.
///
/// Each thread copies the part of the batch that it will itself be given by the layer that comes next: the numbers are then
/// in the cache of the core that multiplies them. Gradients go through it as through Candle's `index_select`.
///
/// ```
/// use candle_core::{Device, Tensor};
/// let table = Tensor::new(&[[1_f32, 2.0], [3.0, 4.0], [5.0, 6.0]], &Device::Cpu)?; // (3, 2)
/// let rows = kindling_ops::select_rows(&table, &[2, 0, 2])?; // (3, 2)
/// assert_eq!(rows.to_vec2::<f32>()?, [[5.0, 6.0], [1.0, 2.0], [5.0, 6.0]]);
/// # Ok::<(), kindling_base::Error>(())
/// ```
pub fn select_rows(table: &Tensor, positions: &[usize]) -> Result<Tensor> {
    let rows = table.dims().first().copied().unwrap_or(0);
    if let Some(outside) = positions.iter().find(|&&position| position >= rows) {
        return Err(Error::Argument(format!(
            "positions: expected numbers below {rows}, found {outside}"
        )));
    }
    let width: usize = table.dims().iter().skip(1).product();
    let by_parts = on_cpu(&[table]) && table.is_contiguous() && !table.track_op() && width > 0;
    if !by_parts {
        let positions: Vec<u32> = positions.iter().map(|&position| position as u32).collect();
        return Ok(table.index_select(&Tensor::new(positions, table.device())?, 0)?);
    }
    let values = Values::of(table)?;
    let mut chosen = vec![0.0; positions.len() * width];
    let in_a_part = PART.div_ceil(width);
    let parts = chosen.par_chunks_mut(in_a_part * width);
    each_part(
        parts.zip(positions.par_chunks(in_a_part)),
        |(chosen, positions)| {
            for (row, position) in chosen.chunks_exact_mut(width).zip(positions) {
                row.copy_from_slice(&values[position * width..][..width]);
            }
        },
    );
    let mut shape = table.dims().to_vec();
    shape[0] = positions.len();
    Ok(Tensor::from_vec(chosen, shape, table.device())?)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    #[test]
    fn both_ways_give_the_same_rows() {
        // The last two are wide and many enough for threads; one table is not in one piece.
        for (shape, count) in [
            (&[5, 3][..], 4),
            (&[9], 3),
            (&[300, 784], 128),
            (&[40, 4, 4, 64], 70),
        ] {
            let numbers: usize = shape.iter().product();
            let table = Tensor::arange(0_f32, numbers as f32, &Device::Cpu)
                .and_then(|table| table.reshape(shape))
                .unwrap();
            let positions: Vec<usize> = (0..count).map(|i| (i * 7) % shape[0]).collect();
            let index: Vec<u32> = positions.iter().map(|&position| position as u32).collect();
            let index = Tensor::new(index, &Device::Cpu).unwrap();
            for table in [
                table.clone(),
                table.narrow(0, 0, shape[0]).unwrap(),
                table.to_dtype(DType::F64).unwrap(),
            ] {
                let rows = select_rows(&table, &positions).unwrap();
                let expected = table.index_select(&index, 0).unwrap();
                assert_eq!(rows.dims(), expected.dims());
                let difference = (rows - expected).unwrap().abs().unwrap();
                let largest = difference.flatten_all().unwrap().max(0).unwrap();
                assert_eq!(
                    largest
                        .to_dtype(DType::F32)
                        .unwrap()
                        .to_scalar::<f32>()
                        .unwrap(),
                    0.0
                );
            }
        }
    }

    #[test]
    fn a_position_outside_is_named() {
        let table = Tensor::zeros((3, 2), DType::F32, &Device::Cpu).unwrap();
        let message = select_rows(&table, &[0, 3]).unwrap_err().to_string();
        assert!(
            message.contains("expected numbers below 3, found 3"),
            "{message}"
        );
    }
}
