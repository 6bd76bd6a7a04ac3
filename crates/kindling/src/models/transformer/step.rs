//! A [`Transformer`] as a model that knows the next token, for [`crate::decode`].

use candle_core::Tensor;

use super::{Decoding, Transformer};
use crate::{Result, decode::StepModel};

/// A state holds one target. Several are decoded together, as long as they are equally far and their sources have one length.
impl StepModel for Transformer {
    type State = Decoding;

    fn next_logits(
        &self,
        states: &[Decoding],
        tokens: &[u32],
    ) -> Result<Vec<(Decoding, Vec<f32>)>> {
        if states.is_empty() {
            return Ok(Vec::new());
        }
        let mut all = Decoding::join(states)?;
        let device = self.source_embedding.weight.device();
        let tokens = Tensor::from_slice(tokens, (tokens.len(), 1), device)?; // (batch, 1)
        let logits = self.decode(&tokens, &mut all, None)?; // (batch, 1, target_vocabulary)
        let rows = logits.squeeze(1)?.to_vec2::<f32>()?;
        let next = (0_u32..).zip(rows);
        next.map(|(row, logits)| Ok((all.select(&Tensor::new(&[row], device)?)?, logits)))
            .collect()
    }
}
