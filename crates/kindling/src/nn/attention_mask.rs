//! Masks for attention: what a query must not see gets a score so low that its weight is exactly zero.
//!
//! A mask is added to the scores before the softmax: 0 where a query may look, [`HIDDEN`] where it may not. Two masks
//! combine by adding them.

use candle_core::{DType, Device, Tensor};

use crate::{Error, Result};

/// What is added to the score of a key that must not be seen: finite, so that a query with nothing to see does not become NaN.
pub const HIDDEN: f32 = -1e9;

/// From a mask of tokens `(batch, time)`, 1 for a token and 0 for padding, to one for scores: `(batch, 1, 1, time)`.
pub fn padding_mask(mask: &Tensor) -> Result<Tensor> {
    let &[batch, time] = mask.dims() else {
        return Err(Error::Shape {
            what: "mask".to_owned(),
            expected: "(batch, time)".to_owned(),
            found: mask.dims().to_vec(),
        });
    };
    let hidden = f64::from(HIDDEN);
    let added = mask.to_dtype(DType::F32)?.affine(-hidden, hidden)?; // 1 becomes 0, 0 becomes HIDDEN
    Ok(added.reshape((batch, 1, 1, time))?) // (batch, 1, 1, time)
}

/// The mask that lets no query see a later key: `(time, time)`, [`HIDDEN`] above the diagonal.
///
/// ```
/// use kindling::nn::{HIDDEN, causal_mask};
/// assert_eq!(causal_mask(2)?.to_vec2::<f32>()?, [[0.0, HIDDEN], [0.0, 0.0]]); // (queries, keys)
/// # Ok::<(), kindling::Error>(())
/// ```
pub fn causal_mask(time: usize) -> Result<Tensor> {
    let row = |query| (0..time).map(move |key| if key > query { HIDDEN } else { 0.0 });
    let numbers: Vec<f32> = (0..time).flat_map(row).collect();
    Ok(Tensor::from_vec(numbers, (time, time), &Device::Cpu)?)
}
