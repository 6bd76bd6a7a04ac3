//! What a [`CopyTransformer`](super::CopyTransformer) remembers, and that it knows the next token, for [`crate::decode`].

use candle_core::Tensor;

use super::CopyTransformer;
use crate::{
    Result,
    decode::StepModel,
    models::{Decoding, transformer::step::StateBatch},
    text::padding_mask,
};

/// A target under way, for a source that was read; it begins with [`CopyTransformer::read`].
///
/// A copy is cheap, and goes on in a way of its own.
#[derive(Debug, Clone)]
pub struct Copying {
    /// What the decoder has seen.
    pub decoding: Decoding,
    /// How likely each of the last call's tokens was copied from each place of the source, if it was copied: `(batch, time, source_time)`.
    pub attention: Option<Tensor>,
    /// How likely each of the last call's tokens was written and not copied, p_gen: `(batch, time)`.
    pub generation_probability: Option<Tensor>,
    pub(super) source: Tensor,  // (batch, source_time)
    pub(super) mask: Tensor,    // (batch, 1, 1, source_time)
    pub(super) encoded: Tensor, // (batch, source_time, hidden_size)
    pub(super) keys: Tensor,    // (batch, source_time, hidden_size)
}

impl Copying {
    pub(super) fn new(
        decoding: Decoding,
        source: &Tensor,
        mask: &Tensor,
        encoded: Tensor,
        keys: Tensor,
    ) -> Result<Self> {
        Ok(Self {
            decoding,
            attention: None,
            generation_probability: None,
            source: source.clone(),
            mask: padding_mask(mask)?,
            encoded,
            keys,
        })
    }

    /// Remembers how the last call decided, from the gate `(batch, time, 1)` and the attention.
    pub(super) fn keep(&mut self, gate: &Tensor, attention: &Tensor) -> Result<()> {
        let probability = candle_nn::ops::sigmoid(&gate.detach())?;
        self.generation_probability = Some(probability.squeeze(2)?); // (batch, time)
        self.attention = Some(attention.detach());
        Ok(())
    }

    /// The examples of the batch that `rows` `(new batch)` names, in that order: what a beam search needs.
    pub fn select(&self, rows: &Tensor) -> Result<Self> {
        let pick = |tensor: &Tensor| -> Result<Tensor> { Ok(tensor.index_select(rows, 0)?) };
        let pick_if = |tensor: &Option<Tensor>| tensor.as_ref().map(pick).transpose();
        Ok(Self {
            decoding: self.decoding.select(rows)?,
            attention: pick_if(&self.attention)?,
            generation_probability: pick_if(&self.generation_probability)?,
            source: pick(&self.source)?,
            mask: pick(&self.mask)?,
            encoded: pick(&self.encoded)?,
            keys: pick(&self.keys)?,
        })
    }

    /// Targets that are equally far, for sources of one length, as one batch, and without the graph behind them.
    fn join(parts: &[Self]) -> Result<Self> {
        let decodings: Vec<Decoding> = parts.iter().map(|part| part.decoding.clone()).collect();
        let cat = |tensor: fn(&Self) -> &Tensor| -> Result<Tensor> {
            let tensors: Vec<&Tensor> = parts.iter().map(tensor).collect();
            Ok(Tensor::cat(&tensors, 0)?.detach())
        };
        Ok(Self {
            decoding: Decoding::join(&decodings)?,
            attention: None,
            generation_probability: None,
            source: cat(|part| &part.source)?,
            mask: cat(|part| &part.mask)?,
            encoded: cat(|part| &part.encoded)?,
            keys: cat(|part| &part.keys)?,
        })
    }
}

/// A state holds one target. Several are decoded together, as long as they are equally far and their sources have one length.
impl StepModel for CopyTransformer {
    type State = Copying;

    fn next_logits(&self, states: &[Copying], tokens: &[u32]) -> Result<Vec<(Copying, Vec<f32>)>> {
        let batch = StateBatch {
            states,
            tokens,
            device: self.gate.weight.device(),
        };
        batch.next_logits(
            Copying::join,
            |tokens, all| self.decode(tokens, all, None),
            Copying::select,
        )
    }
}
