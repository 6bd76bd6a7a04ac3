//! The feed-forward network of a Transformer's layer: each token thinks for itself (Vaswani et al., 2017, section 3.3).

use candle_core::{Tensor, Var};

use super::Dense;
use crate::{Result, data::Random};

// ANCHOR: feed_forward
/// Fully connected, ReLU, fully connected; the same for each token.
#[derive(Debug, Clone)]
pub struct FeedForward {
    /// From `hidden_size` to `feed_forward_size`, which is usually four times as much.
    pub hidden: Dense,
    /// And back.
    pub output: Dense,
}

impl FeedForward {
    /// With random weights.
    pub fn new(hidden_size: usize, feed_forward_size: usize, random: &mut Random) -> Result<Self> {
        Ok(Self {
            hidden: Dense::new(hidden_size, feed_forward_size, random)?,
            output: Dense::new(feed_forward_size, hidden_size, random)?,
        })
    }

    /// From `(batch, time, hidden_size)` to the same shape.
    pub fn forward(&self, tokens: &Tensor) -> Result<Tensor> {
        let hidden = self.hidden.forward_relu(tokens)?; // (batch, time, feed_forward_size)
        self.output.forward(&hidden) // (batch, time, hidden_size)
    }

    /// Both layers by name.
    #[must_use]
    pub fn state(&self, name: &str) -> Vec<(String, Var)> {
        [
            self.hidden.state(&format!("{name}.hidden")),
            self.output.state(&format!("{name}.output")),
        ]
        .concat()
    }
}
// ANCHOR_END: feed_forward
