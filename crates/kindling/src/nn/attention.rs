//! Multi-head attention: each query looks at all keys and takes a mean of their values (Vaswani et al., 2017, section 3.2).

use candle_core::{Tensor, Var};

use super::{Dense, Dropout};
use crate::{Error, Result, data::Random, ops::attention};

// ANCHOR: attention
/// Scaled dot-product attention, some times side by side: each head compares and mixes a part of the features of its own.
///
/// Queries and memory are the same tokens in self-attention, and those of two sequences in cross-attention.
///
/// ```
/// use kindling::{data::Random, nn::MultiHeadAttention, text::causal_mask};
/// let mut random = Random::new(0);
/// let attention = MultiHeadAttention::new(16, 4, 0.0, &mut random)?;
/// let tokens = random.normal((2, 3, 16), 0.0, 1.0)?; // (batch, time, hidden_size)
/// let weights = attention.weights(&tokens, &tokens, Some(&causal_mask(3)?))?; // (batch, num_heads, time, time)
/// assert_eq!(weights.get(0)?.get(0)?.get(0)?.to_vec1::<f32>()?, [1.0, 0.0, 0.0]); // the first token sees itself
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct MultiHeadAttention {
    /// From tokens to what they look for.
    pub query: Dense,
    /// From tokens to what they are found by.
    pub key: Dense,
    /// From tokens to what they say when they are found.
    pub value: Dense,
    /// From what all heads found to one answer.
    pub output: Dense,
    num_heads: usize,
    dropout: Dropout,
}

/// The keys and values of tokens that queries can look at, each `(batch, time, hidden_size)`, with the heads side by side.
#[derive(Debug, Clone)]
pub struct KeyValue {
    /// What is compared with the queries.
    pub keys: Tensor,
    /// What is mixed.
    pub values: Tensor,
}

impl MultiHeadAttention {
    /// With `dropout` of the attention weights; fails unless `hidden_size` can be cut into `num_heads` equal parts.
    pub fn new(
        hidden_size: usize,
        num_heads: usize,
        dropout: f64,
        random: &mut Random,
    ) -> Result<Self> {
        if hidden_size == 0 || num_heads == 0 || !hidden_size.is_multiple_of(num_heads) {
            return Err(Error::Argument(format!(
                "num_heads: expected a divisor of hidden_size, {hidden_size}, found {num_heads}"
            )));
        }
        Ok(Self {
            query: Dense::new(hidden_size, hidden_size, random)?,
            key: Dense::new(hidden_size, hidden_size, random)?,
            value: Dense::new(hidden_size, hidden_size, random)?,
            output: Dense::new(hidden_size, hidden_size, random)?,
            num_heads,
            dropout: Dropout::new(dropout)?,
        })
    }

    /// Keys and values of `memory` `(batch, key_time, hidden_size)`, made once for all queries that will look at it.
    pub fn key_value(&self, memory: &Tensor) -> Result<KeyValue> {
        Ok(KeyValue {
            keys: self.key.forward(memory)?,     // (batch, key_time, hidden_size)
            values: self.value.forward(memory)?, // (batch, key_time, hidden_size)
        })
    }

    // ANCHOR: attend
    /// From queries `(batch, query_time, hidden_size)` to their answers, of the same shape, and the attention weights
    /// `(batch, num_heads, query_time, key_time)`. `mask` is added to the scores; `random` is given in training, for dropout.
    pub fn attend(
        &self,
        queries: &Tensor,
        memory: &KeyValue,
        mask: Option<&Tensor>,
        random: Option<&mut Random>,
    ) -> Result<(Tensor, Tensor)> {
        let queries = self.query.forward(queries)?; // (batch, query_time, hidden_size)
        let (batch, query_time, _) = queries.dims3()?;
        let scores = batch * self.num_heads * query_time * memory.keys.dim(1)?;
        let kept = self.dropout.draw(scores, random); // which of the weights dropout leaves
        let found = [&queries, &memory.keys, &memory.values];
        let (answers, weights) = attention(found, self.num_heads, mask, kept)?;
        Ok((self.output.forward(&answers)?, weights))
    }
    // ANCHOR_END: attend
}
// ANCHOR_END: attention

impl MultiHeadAttention {
    /// From queries `(batch, query_time, hidden_size)` and memory `(batch, key_time, hidden_size)` to `(batch, query_time, hidden_size)`.
    pub fn forward(
        &self,
        queries: &Tensor,
        memory: &Tensor,
        mask: Option<&Tensor>,
    ) -> Result<Tensor> {
        let (outputs, _) = self.attend(queries, &self.key_value(memory)?, mask, None)?;
        Ok(outputs)
    }

    /// The same with dropout.
    pub fn forward_training(
        &self,
        queries: &Tensor,
        memory: &Tensor,
        mask: Option<&Tensor>,
        random: &mut Random,
    ) -> Result<Tensor> {
        let memory = self.key_value(memory)?;
        let (outputs, _) = self.attend(queries, &memory, mask, Some(random))?;
        Ok(outputs)
    }

    /// How much each query takes of each key: `(batch, num_heads, query_time, key_time)`.
    pub fn weights(
        &self,
        queries: &Tensor,
        memory: &Tensor,
        mask: Option<&Tensor>,
    ) -> Result<Tensor> {
        let (_, weights) = self.attend(queries, &self.key_value(memory)?, mask, None)?;
        Ok(weights)
    }

    /// All parameters by name.
    #[must_use]
    pub fn state(&self, name: &str) -> Vec<(String, Var)> {
        [
            self.query.state(&format!("{name}.query")),
            self.key.state(&format!("{name}.key")),
            self.value.state(&format!("{name}.value")),
            self.output.state(&format!("{name}.output")),
        ]
        .concat()
    }
}

impl KeyValue {
    /// These tokens, and `later` ones behind them.
    pub fn append(&self, later: &Self) -> Result<Self> {
        Ok(Self {
            keys: Tensor::cat(&[&self.keys, &later.keys], 1)?, // (batch, time + later, hidden_size)
            values: Tensor::cat(&[&self.values, &later.values], 1)?, // (batch, time + later, hidden_size)
        })
    }

    /// The same numbers, through which no gradient flows back.
    #[must_use]
    pub fn detach(&self) -> Self {
        Self {
            keys: self.keys.detach(),
            values: self.values.detach(),
        }
    }

    /// Several batches as one, through which no gradient flows back.
    pub(crate) fn join(parts: &[&Self]) -> Result<Self> {
        let cat = |part: fn(&Self) -> &Tensor| -> Result<Tensor> {
            let parts: Vec<&Tensor> = parts.iter().map(|&pair| part(pair)).collect();
            Ok(Tensor::cat(&parts, 0)?.detach()) // (batch, time, hidden_size)
        };
        Ok(Self {
            keys: cat(|pair| &pair.keys)?,
            values: cat(|pair| &pair.values)?,
        })
    }

    /// The examples of the batch that `rows` `(new batch)` names, in that order.
    pub fn select(&self, rows: &Tensor) -> Result<Self> {
        Ok(Self {
            keys: self.keys.index_select(rows, 0)?, // (new batch, time, hidden_size)
            values: self.values.index_select(rows, 0)?, // (new batch, time, hidden_size)
        })
    }
}
