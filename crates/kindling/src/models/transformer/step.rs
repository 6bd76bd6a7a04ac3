//! A [`Transformer`] as a model that knows the next token, for [`crate::decode`].

use candle_core::{Device, Tensor};

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
        let batch = StateBatch {
            states,
            tokens,
            device: self.output.weight.device(),
        };
        batch.next_logits(
            Decoding::join,
            |tokens, all| self.decode(tokens, all, None),
            Decoding::select,
        )
    }
}

/// Targets under way that are to be one batch, and the last token of each.
pub(in crate::models) struct StateBatch<'a, State> {
    pub(in crate::models) states: &'a [State],
    pub(in crate::models) tokens: &'a [u32],
    /// Where the model is.
    pub(in crate::models) device: &'a Device,
}

impl<State> StateBatch<'_, State> {
    /// For each target its state and its logits: `join` makes one state of all, `decode` reads the tokens `(batch, 1)` and gives logits
    /// `(batch, 1, vocabulary)`, `select` takes rows `(1)` out again.
    pub(in crate::models) fn next_logits(
        &self,
        join: impl Fn(&[State]) -> Result<State>,
        decode: impl Fn(&Tensor, &mut State) -> Result<Tensor>,
        select: impl Fn(&State, &Tensor) -> Result<State>,
    ) -> Result<Vec<(State, Vec<f32>)>> {
        if self.states.is_empty() {
            return Ok(Vec::new());
        }
        let mut all = join(self.states)?;
        let tokens = Tensor::from_slice(self.tokens, (self.tokens.len(), 1), self.device)?;
        let logits = decode(&tokens, &mut all)?;
        let next = (0_u32..).zip(logits.squeeze(1)?.to_vec2::<f32>()?);
        next.map(|(row, numbers)| {
            let row = Tensor::new(&[row], self.device)?;
            Ok((select(&all, &row)?, numbers))
        })
        .collect()
    }
}
