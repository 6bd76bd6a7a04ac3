//! A layer of the Transformer's decoder, with the normalisation first, and what it remembers from one token to the next.

use candle_core::{Tensor, Var};

use super::{Dropout, FeedForward, KeyValue, LayerNorm, MultiHeadAttention};
use crate::{Result, data::Random};

// ANCHOR: decoder_layer
/// Like an [`EncoderLayer`](super::EncoderLayer), with cross-attention in between: the target's tokens look at the source's.
#[derive(Debug, Clone)]
pub struct DecoderLayer {
    /// Before the self-attention.
    pub self_attention_norm: LayerNorm,
    /// The target's tokens look at earlier ones.
    pub self_attention: MultiHeadAttention,
    /// Before the cross-attention.
    pub cross_attention_norm: LayerNorm,
    /// The target's tokens look at the source.
    pub cross_attention: MultiHeadAttention,
    /// Before the feed-forward network.
    pub feed_forward_norm: LayerNorm,
    /// Each token thinks for itself.
    pub feed_forward: FeedForward,
    dropout: Dropout,
}

/// What a decoder layer has seen, so that nothing is computed twice.
#[derive(Debug, Clone)]
pub struct DecoderCache {
    /// Keys and values of the source, for the cross-attention.
    pub source: KeyValue,
    /// Keys and values of the target's tokens so far, for the self-attention; none at first.
    pub target: Option<KeyValue>,
}

impl DecoderLayer {
    /// With random weights, and `dropout` of the attention weights and of what is added.
    pub fn new(
        hidden_size: usize,
        num_heads: usize,
        feed_forward_size: usize,
        dropout: f64,
        random: &mut Random,
    ) -> Result<Self> {
        Ok(Self {
            self_attention_norm: LayerNorm::new(hidden_size)?,
            self_attention: MultiHeadAttention::new(hidden_size, num_heads, dropout, random)?,
            cross_attention_norm: LayerNorm::new(hidden_size)?,
            cross_attention: MultiHeadAttention::new(hidden_size, num_heads, dropout, random)?,
            feed_forward_norm: LayerNorm::new(hidden_size)?,
            feed_forward: FeedForward::new(hidden_size, feed_forward_size, random)?,
            dropout: Dropout::new(dropout)?,
        })
    }

    /// A cache for this output of the encoder, `(batch, source_time, hidden_size)`, and no target yet.
    pub fn cache(&self, encoded: &Tensor) -> Result<DecoderCache> {
        Ok(DecoderCache {
            source: self.cross_attention.key_value(encoded)?,
            target: None,
        })
    }

    /// From the next tokens of the target `(batch, time, hidden_size)` to the same shape, and how they looked at the source,
    /// `(batch, num_heads, time, source_time)`.
    ///
    /// `mask` hides later tokens, `source_mask` the source's padding; `random` is given in training, for dropout. The
    /// cache takes the tokens over, but no gradient will flow back through it from later calls.
    pub fn forward(
        &self,
        tokens: &Tensor,
        cache: &mut DecoderCache,
        mask: Option<&Tensor>,
        source_mask: Option<&Tensor>,
        mut random: Option<&mut Random>,
    ) -> Result<(Tensor, Tensor)> {
        let normal = self.self_attention_norm.forward(tokens)?;
        let seen = cache.append(self.self_attention.key_value(&normal)?)?;
        let (found, _) = self
            .self_attention
            .attend(&normal, &seen, mask, random.as_deref_mut())?;
        let tokens = (tokens + self.dropout.apply(&found, random.as_deref_mut())?)?;

        let normal = self.cross_attention_norm.forward(&tokens)?;
        let (found, weights) = self.cross_attention.attend(
            &normal,
            &cache.source,
            source_mask,
            random.as_deref_mut(),
        )?;
        let tokens = (tokens + self.dropout.apply(&found, random.as_deref_mut())?)?;

        let normal = self.feed_forward_norm.forward(&tokens)?;
        let found = self.feed_forward.forward(&normal)?;
        let tokens = (tokens + self.dropout.apply(&found, random)?)?;
        Ok((tokens, weights))
    }
    // ANCHOR_END: decoder_layer

    /// All parameters by name.
    #[must_use]
    pub fn state(&self, name: &str) -> Vec<(String, Var)> {
        let part = |part: &str| format!("{name}.{part}");
        [
            self.self_attention_norm.state(&part("self_attention_norm")),
            self.self_attention.state(&part("self_attention")),
            self.cross_attention_norm
                .state(&part("cross_attention_norm")),
            self.cross_attention.state(&part("cross_attention")),
            self.feed_forward_norm.state(&part("feed_forward_norm")),
            self.feed_forward.state(&part("feed_forward")),
        ]
        .concat()
    }
}

impl DecoderCache {
    /// Remembers `next`, and returns all that has been seen.
    fn append(&mut self, next: KeyValue) -> Result<KeyValue> {
        let seen = match &self.target {
            Some(target) => target.append(&next)?,
            None => next,
        };
        // Without the graph behind it: else each token of a long text would keep all that was computed before it.
        self.target = Some(seen.detach());
        Ok(seen)
    }

    /// Caches that have seen equally many tokens, of sources of one length, as one batch; no gradient flows back through it.
    pub(crate) fn join(caches: &[&Self]) -> Result<Self> {
        let sources: Vec<&KeyValue> = caches.iter().map(|cache| &cache.source).collect();
        let targets: Option<Vec<&KeyValue>> =
            caches.iter().map(|cache| cache.target.as_ref()).collect();
        Ok(Self {
            source: KeyValue::join(&sources)?,
            target: targets
                .map(|targets| KeyValue::join(&targets))
                .transpose()?,
        })
    }

    /// The examples of the batch that `rows` `(new batch)` names, in that order: what a beam search needs.
    pub fn select(&self, rows: &Tensor) -> Result<Self> {
        let target = self.target.as_ref();
        Ok(Self {
            source: self.source.select(rows)?,
            target: target.map(|target| target.select(rows)).transpose()?,
        })
    }
}
