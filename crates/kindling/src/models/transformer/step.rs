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
        let tokens = column(tokens, &self.source_embedding.weight)?; // (batch, 1)
        let logits = self.decode(&tokens, &mut all, None)?; // (batch, 1, target_vocabulary)
        each_row(&logits, |row| all.select(row))
    }
}

/// One token for each target, `(batch, 1)`, where the model is.
pub(in crate::models) fn column(tokens: &[u32], weight: &Tensor) -> Result<Tensor> {
    Ok(Tensor::from_slice(
        tokens,
        (tokens.len(), 1),
        weight.device(),
    )?)
}

/// For each target of the batch what `select` gives for its row `(1)`, and its logits from `(batch, 1, vocabulary)`.
pub(in crate::models) fn each_row<State>(
    logits: &Tensor,
    select: impl Fn(&Tensor) -> Result<State>,
) -> Result<Vec<(State, Vec<f32>)>> {
    let rows = logits.squeeze(1)?.to_vec2::<f32>()?;
    let next = (0_u32..).zip(rows);
    next.map(|(row, numbers)| Ok((select(&Tensor::new(&[row], logits.device())?)?, numbers)))
        .collect()
}
