//! Scaled dot-product attention of several heads as one operation.
//!
//! The heads stay where the layers before and after want them, side by side in each token. Their scores are small matrices that a core
//! makes, uses and forgets without leaving its cache; only the weights are kept, for the way back.

mod example;
mod heads;
mod operation;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use candle_core::Tensor;

use self::operation::Attention;
use super::{
    attention_softmax::{Mask, attention_softmax, check_mask},
    dropout::{DropoutMask, dropout},
    panels::{PANEL_VECTORS, panel_width},
    values::on_cpu,
};
use crate::{Error, Result};

/// What each query `(batch, query_time, hidden_size)` finds among keys and values `(batch, key_time, hidden_size)`, of the queries' shape, and
/// the attention weights `(batch, num_heads, query_time, key_time)`, through which no gradient flows.
///
/// `mask`, which broadcasts to the weights' shape, is added to the scores; `kept` says which of the weights are kept in training.
///
/// Fails when the shapes do not fit, or `num_heads` does not divide `hidden_size`, and says which.
pub fn attention(
    [queries, keys, values]: [&Tensor; 3],
    num_heads: usize,
    mask: Option<&Tensor>,
    kept: Option<DropoutMask>,
) -> Result<(Tensor, Tensor)> {
    let (batch, query_time, hidden_size) = dims("queries", queries)?;
    let (_, key_time, _) = dims("keys", keys)?;
    for (what, tensor) in [("keys", keys), ("values", values)] {
        if tensor.dims() != [batch, key_time, hidden_size] {
            return Err(Error::Shape {
                what: what.to_owned(),
                expected: format!("({batch}, {key_time}, {hidden_size})"),
                found: tensor.dims().to_vec(),
            });
        }
    }
    if num_heads == 0 || !hidden_size.is_multiple_of(num_heads) {
        return Err(Error::Argument(format!(
            "num_heads: expected a divisor of hidden_size, {hidden_size}, found {num_heads}"
        )));
    }
    let head_size = hidden_size / num_heads;
    let whole_vectors = head_size.is_multiple_of(panel_width() / PANEL_VECTORS);
    let some = queries.elem_count() * keys.elem_count() > 0;
    if !(on_cpu(&[queries, keys, values]) && whole_vectors && some) {
        return composed([queries, keys, values], num_heads, mask, kept);
    }
    check_mask(mask, [batch, num_heads, query_time, key_time])?;
    let weights = Arc::default();
    let operation = Attention {
        query_time,
        key_time,
        num_heads,
        head_size,
        mask: mask
            .map(|mask| Mask::new(mask, [num_heads, query_time]))
            .transpose()?,
        kept,
        weights: Arc::clone(&weights),
    };
    let queries = queries.contiguous()?;
    let answers = queries.apply_op3(&keys.contiguous()?, &values.contiguous()?, operation)?;
    let weights = weights.get().cloned();
    weights.map(|weights| (answers, weights)).ok_or_else(|| {
        Error::Argument("attention: expected weights of its operation, found none".to_owned())
    })
}

fn dims(what: &str, tensor: &Tensor) -> Result<(usize, usize, usize)> {
    tensor.dims3().map_err(|_| Error::Shape {
        what: what.to_owned(),
        expected: "(batch, time, hidden_size)".to_owned(),
        found: tensor.dims().to_vec(),
    })
}

// ANCHOR: composed
/// The same in operations that run anywhere, one after the other.
fn composed(
    [queries, keys, values]: [&Tensor; 3],
    num_heads: usize,
    mask: Option<&Tensor>,
    kept: Option<DropoutMask>,
) -> Result<(Tensor, Tensor)> {
    let heads = |tokens: &Tensor| -> Result<Tensor> {
        let (batch, time, hidden_size) = tokens.dims3()?;
        // (batch, time, num_heads, head_size)
        let heads = tokens.reshape((batch, time, num_heads, hidden_size / num_heads))?;
        Ok(heads.transpose(1, 2)?.contiguous()?) // (batch, num_heads, time, head_size)
    };
    let (queries, keys, values) = (heads(queries)?, heads(keys)?, heads(values)?);
    let scores = queries.matmul(&keys.t()?)?; // (batch, num_heads, query_time, key_time)
    // A sum of head_size products is √head_size times as wide as each: softmax would choose one key
    // and forget the others.
    let scale = 1.0 / (queries.dim(3)? as f64).sqrt();
    let weights = attention_softmax(&scores, mask, scale)?;
    let used = match kept {
        Some(kept) => dropout(&weights, kept)?,
        None => weights.clone(),
    };
    let answers = used.matmul(&values)?; // (batch, num_heads, query_time, head_size)
    let joined = answers.transpose(1, 2)?.flatten_from(2)?; // (batch, query_time, hidden_size)
    Ok((joined, weights.detach()))
}
// ANCHOR_END: composed
