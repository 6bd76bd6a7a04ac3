//! The sizes of a GPT, as files of weights state them.

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

// ANCHOR: config
/// The sizes of a [`Gpt`](super::Gpt), under the names of a `config.json` of `transformers`; by default a small one for characters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GptConfig {
    /// How many different tokens there are.
    #[serde(rename = "vocab_size")]
    pub vocabulary_size: usize,
    /// How many numbers stand for a token.
    pub hidden_size: usize,
    /// How many blocks lie on each other.
    #[serde(rename = "num_hidden_layers")]
    pub num_layers: usize,
    /// How many heads look back, each with `hidden_size / num_heads` numbers of a token.
    #[serde(rename = "num_attention_heads")]
    pub num_heads: usize,
    /// How many pairs of keys and values they share (Ainslie et al., 2023); a divisor of `num_heads`.
    #[serde(rename = "num_key_value_heads")]
    pub num_key_value_heads: usize,
    /// How many units each feed-forward network has in between.
    #[serde(rename = "intermediate_size")]
    pub feed_forward_size: usize,
    /// The longest text, in tokens.
    #[serde(rename = "max_position_embeddings")]
    pub max_length: usize,
    /// The slowest rotation turns once in about so many tokens.
    #[serde(default = "usual_theta")]
    pub rope_theta: f64,
    /// Keeps the normalisations from dividing by zero.
    #[serde(rename = "rms_norm_eps")]
    pub norm_epsilon: f64,
    /// Whether one table turns tokens into numbers and numbers into tokens (Press and Wolf, 2017).
    #[serde(default, rename = "tie_word_embeddings")]
    pub tied_embeddings: bool,
}

fn usual_theta() -> f64 {
    10_000.0
}

impl Default for GptConfig {
    fn default() -> Self {
        Self {
            vocabulary_size: 65,
            hidden_size: 128,
            num_layers: 4,
            num_heads: 4,
            num_key_value_heads: 4,
            feed_forward_size: 352,
            max_length: 256,
            rope_theta: usual_theta(),
            norm_epsilon: 1e-5,
            tied_embeddings: true,
        }
    }
}
// ANCHOR_END: config

impl GptConfig {
    /// Fails when no model can be built by it, and says why.
    pub(super) fn check(&self) -> Result<()> {
        let (hidden, heads, shared) = (self.hidden_size, self.num_heads, self.num_key_value_heads);
        let half_heads = heads > 0 && hidden > 0 && hidden.is_multiple_of(2 * heads);
        let groups = shared > 0 && heads.is_multiple_of(shared);
        let problem = match self {
            _ if !half_heads => format!("num_attention_heads: expected a divisor of half of hidden_size, {hidden}, found {heads}"),
            _ if !groups => format!("num_key_value_heads: expected a divisor of num_attention_heads, {heads}, found {shared}"),
            Self { vocabulary_size: 0, .. } | Self { num_layers: 0, .. } | Self { feed_forward_size: 0, .. } | Self { max_length: 0, .. } => {
                "config: expected at least one token, one layer, one unit and one position, found none".to_owned()
            }
            _ => return Ok(()),
        };
        Err(Error::Argument(problem))
    }

    /// Cosine and sine, both `(max_length, head_size / 2)`, of `position · theta^(−2i / head_size)` for each position and feature i of a half head.
    pub(super) fn turns(&self) -> Result<[Tensor; 2]> {
        let head_size = self.hidden_size / self.num_heads;
        let half = head_size / 2;
        let speed = |i: usize| self.rope_theta.powf(-2.0 * i as f64 / head_size as f64);
        let speeds: Vec<f64> = (0..half).map(speed).collect();
        let table = |of: fn(f64) -> f64| {
            let row = |place: usize| {
                speeds
                    .iter()
                    .map(move |speed| of(place as f64 * speed) as f32)
            };
            let numbers: Vec<f32> = (0..self.max_length).flat_map(row).collect();
            Tensor::from_vec(numbers, (self.max_length, half), &Device::Cpu)
        };
        Ok([table(f64::cos)?, table(f64::sin)?])
    }
}
