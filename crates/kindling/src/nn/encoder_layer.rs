//! A layer of the Transformer's encoder, with the normalisation first (Xiong et al., 2020, figure 1 b).

use candle_core::{Tensor, Var};

use super::{Dropout, FeedForward, LayerNorm, MultiHeadAttention};
use crate::{Result, data::Random};

// ANCHOR: encoder_layer
/// `x + attention(norm(x))`, then `x + feed_forward(norm(x))`: what each part finds is added to the tokens.
///
/// Nothing but sums lies on the way from the first layer to the last, so gradients arrive there as strong as they start.
#[derive(Debug, Clone)]
pub struct EncoderLayer {
    /// Before the attention.
    pub self_attention_norm: LayerNorm,
    /// Tokens look at each other.
    pub self_attention: MultiHeadAttention,
    /// Before the feed-forward network.
    pub feed_forward_norm: LayerNorm,
    /// Each token thinks for itself.
    pub feed_forward: FeedForward,
    dropout: Dropout,
}

impl EncoderLayer {
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
            feed_forward_norm: LayerNorm::new(hidden_size)?,
            feed_forward: FeedForward::new(hidden_size, feed_forward_size, random)?,
            dropout: Dropout::new(dropout)?,
        })
    }

    /// From `(batch, time, hidden_size)` to the same shape. `mask` is added to the scores; `random` is given in training, for dropout.
    pub fn forward(
        &self,
        tokens: &Tensor,
        mask: Option<&Tensor>,
        mut random: Option<&mut Random>,
    ) -> Result<Tensor> {
        let normal = self.self_attention_norm.forward(tokens)?;
        let memory = self.self_attention.key_value(&normal)?;
        let (found, _) =
            self.self_attention
                .attend(&normal, &memory, mask, random.as_deref_mut())?;
        let tokens = (tokens + self.dropout.apply(&found, random.as_deref_mut())?)?;
        let normal = self.feed_forward_norm.forward(&tokens)?;
        let found = self.feed_forward.forward(&normal)?;
        Ok((tokens + self.dropout.apply(&found, random)?)?)
    }
    // ANCHOR_END: encoder_layer

    /// All parameters by name.
    #[must_use]
    pub fn state(&self, name: &str) -> Vec<(String, Var)> {
        let part = |part: &str| format!("{name}.{part}");
        [
            self.self_attention_norm.state(&part("self_attention_norm")),
            self.self_attention.state(&part("self_attention")),
            self.feed_forward_norm.state(&part("feed_forward_norm")),
            self.feed_forward.state(&part("feed_forward")),
        ]
        .concat()
    }
}
