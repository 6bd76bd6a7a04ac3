//! What an encoder and a decoder read and say in one step of training, by name or packed into one tensor.

use candle_core::{D, DType, Device, Tensor};

use super::padding::Padded;
use crate::{Error, Result};

/// One mini-batch of pairs.
#[derive(Debug, Clone)]
pub struct PairBatch {
    /// What the encoder reads, `(batch, source_time)`.
    pub source: Padded,
    /// What the decoder reads, `(batch, target_time)`: the targets without their last token.
    pub target_input: Padded,
    /// What the decoder should say, `u32`, `(batch, target_time)`: the targets without their first token.
    pub target_output: Tensor,
}

impl PairBatch {
    /// Source and decoder's input in one tensor `(batch, 2, time)`, filled up with `padding`.
    pub fn pack(&self, padding: u32) -> Result<Tensor> {
        let widths = [self.source.ids.dim(1)?, self.target_input.ids.dim(1)?];
        let time = widths[0].max(widths[1]);
        let fill = |ids: &Tensor, width: usize| -> Result<Tensor> {
            let rest = Tensor::full(padding, (ids.dim(0)?, time - width), &Device::Cpu)?;
            Ok(Tensor::cat(&[ids, &rest], 1)?) // (batch, time)
        };
        let source = fill(&self.source.ids, widths[0])?;
        let target = fill(&self.target_input.ids, widths[1])?;
        Ok(Tensor::stack(&[source, target], 1)?) // (batch, 2, time)
    }

    /// From what [`PairBatch::pack`] made: the source and the decoder's input, each as wide as its longest row, with masks.
    pub fn unpack(inputs: &Tensor, padding: u32) -> Result<(Padded, Padded)> {
        let [_, 2, _] = *inputs.dims() else {
            return Err(Error::Shape {
                what: "inputs".to_owned(),
                expected: "(batch, 2, time)".to_owned(),
                found: inputs.dims().to_vec(),
            });
        };
        let part = |number: usize| -> Result<Padded> {
            let ids = inputs.narrow(1, number, 1)?.squeeze(1)?; // (batch, time)
            let mask = ids.ne(padding)?.to_dtype(DType::F32)?; // (batch, time)
            let lengths = mask.sum(D::Minus1)?.to_vec1::<f32>()?; // (batch)
            let width = lengths.into_iter().fold(1.0, f32::max) as usize;
            Ok(Padded {
                ids: ids.narrow(1, 0, width)?.contiguous()?,
                mask: mask.narrow(1, 0, width)?.contiguous()?,
            })
        };
        Ok((part(0)?, part(1)?))
    }
}
