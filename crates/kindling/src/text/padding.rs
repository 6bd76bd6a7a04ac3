//! Sequences of different lengths in one tensor, and masks that say what is real.
//!
//! There are two kinds of mask, and each has one form in all of the course. A *token mask* `(batch, time)` is 1 for a token and 0 for padding:
//! layers and models that read whole sequences take it. [`padding_mask`] makes the other kind of it, *masks for attention*, which
//! [`MultiHeadAttention`](crate::nn::MultiHeadAttention) takes: they are **added** to the scores before the softmax: 0 where a query may look, [`HIDDEN`] where it may
//! not. In Candle 0.11 adding trains through with no more than a copy of the gradient, and two masks combine by adding them;
//! `where_cond` needs a mask of bytes in the full shape of the scores. [`HIDDEN`] is a large finite number and not -∞:
//! beside any visible key, the softmax gives exactly 0 for both, but a row with nothing visible would become NaN with -∞,
//! and so would every weight after the next step.

use candle_core::{DType, Device, Tensor};

use crate::{Error, Result};

/// What is added to the score of a key that must not be seen.
pub const HIDDEN: f32 = -1e9;

/// A batch of sequences filled up to the same length.
#[derive(Debug, Clone)]
pub struct Padded {
    /// The ids, `u32`, `(batch, time)`; the padding is at the end of each row.
    pub ids: Tensor,
    /// 1 for a token and 0 for padding, `f32`, `(batch, time)`: multiply losses by it before they are averaged.
    pub mask: Tensor,
}

/// Fills sequences up with `padding` to the longest of them; what is longer than `max_length` is cut off at the end.
///
/// An empty batch is an error; an empty sequence becomes a row of padding.
///
/// ```
/// use kindling::text::{PAD, pad};
/// let batch = pad(&[vec![5, 6, 7], vec![8]], PAD, None)?;
/// assert_eq!(batch.ids.to_vec2::<u32>()?, [[5, 6, 7], [8, 0, 0]]);
/// assert_eq!(batch.mask.to_vec2::<f32>()?, [[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]]);
/// # Ok::<(), kindling::Error>(())
/// ```
pub fn pad<S: AsRef<[u32]>>(
    sequences: &[S],
    padding: u32,
    max_length: Option<usize>,
) -> Result<Padded> {
    let limit = max_length.unwrap_or(usize::MAX);
    let lengths = sequences.iter().map(|ids| ids.as_ref().len().min(limit));
    let time = lengths.max().unwrap_or(0);
    if time == 0 {
        return Err(Error::Argument(format!(
            "pad: expected a sequence with at least one token, found {} sequences and max_length {max_length:?}",
            sequences.len()
        )));
    }
    let mut ids = Vec::with_capacity(sequences.len() * time);
    let mut mask = Vec::with_capacity(sequences.len() * time);
    for sequence in sequences {
        let tokens = sequence.as_ref();
        let tokens = &tokens[..tokens.len().min(limit)];
        ids.extend_from_slice(tokens);
        ids.resize(ids.len() + time - tokens.len(), padding);
        mask.resize(mask.len() + tokens.len(), 1_f32);
        mask.resize(ids.len(), 0.0);
    }
    let shape = (sequences.len(), time);
    Ok(Padded {
        ids: Tensor::from_vec(ids, shape, &Device::Cpu)?,
        mask: Tensor::from_vec(mask, shape, &Device::Cpu)?,
    })
}

/// From a mask of tokens `(batch, time)`, 1 or 0, to what is added to scores `(batch, heads, queries, time)`: `(batch, 1, 1, time)`.
pub fn padding_mask(mask: &Tensor) -> Result<Tensor> {
    let (batch, time) = mask.dims2().map_err(|_| Error::Shape {
        what: "mask".to_owned(),
        expected: "(batch, time)".to_owned(),
        found: mask.dims().to_vec(),
    })?;
    let hidden = f64::from(HIDDEN);
    let added = mask.to_dtype(DType::F32)?.affine(-hidden, hidden)?; // 1 becomes 0, 0 becomes HIDDEN
    Ok(added.reshape((batch, 1, 1, time))?) // (batch, 1, 1, time)
}

/// What is added to scores `(…, queries, keys)` so that no query sees a later key: `(time, time)`, [`HIDDEN`] above the diagonal.
pub fn causal_mask(time: usize) -> Result<Tensor> {
    causal_mask_after(0, time)
}

/// Its last `time` rows, `(time, before + time)`: the queries that follow `before` keys.
pub(crate) fn causal_mask_after(before: usize, time: usize) -> Result<Tensor> {
    let all = before + time;
    let row = |query: usize| (0..all).map(move |key| if key > query { HIDDEN } else { 0.0 });
    let numbers: Vec<f32> = (before..all).flat_map(row).collect();
    Ok(Tensor::from_vec(numbers, (time, all), &Device::Cpu)?)
}

#[cfg(test)]
mod tests {
    use candle_core::{D, Var};
    use candle_nn::ops::softmax;

    use super::*;

    #[test]
    fn long_sequences_are_cut_and_bad_batches_refused() {
        let batch = pad(&[vec![1, 2, 3], vec![], vec![4]], 9, Some(2)).unwrap();
        assert_eq!(
            batch.ids.to_vec2::<u32>().unwrap(),
            [[1, 2], [9, 9], [4, 9]]
        );
        assert_eq!(
            batch.mask.to_vec2::<f32>().unwrap(),
            [[1.0, 1.0], [0.0, 0.0], [1.0, 0.0]]
        );
        let empty: [Vec<u32>; 0] = [];
        for problem in [
            pad(&empty, 0, None),
            pad(&[vec![]], 0, None),
            pad(&[vec![1]], 0, Some(0)),
        ] {
            assert!(
                problem
                    .unwrap_err()
                    .to_string()
                    .starts_with("pad: expected")
            );
        }
        let flat = Tensor::zeros(3, DType::F32, &Device::Cpu).unwrap();
        assert!(
            padding_mask(&flat)
                .unwrap_err()
                .to_string()
                .contains("(batch, time)")
        );
    }

    /// Scores `(2, 1, 3, 3)`, the second example with one token alone.
    fn attention(scores: &Tensor) -> Tensor {
        let mask = pad(&[vec![1, 1, 1], vec![1]], 0, None).unwrap().mask;
        let added = padding_mask(&mask).unwrap();
        let scores = scores.broadcast_add(&added).unwrap();
        let scores = scores.broadcast_add(&causal_mask(3).unwrap()).unwrap();
        softmax(&scores, D::Minus1).unwrap()
    }

    #[test]
    fn hidden_keys_get_no_attention_and_no_gradient() {
        let scores = Tensor::rand(-3_f32, 3.0, (2, 1, 3, 3), &Device::Cpu).unwrap();
        let scores = Var::from_tensor(&scores).unwrap();
        let weights = attention(&scores);
        let rows = weights.reshape((6, 3)).unwrap().to_vec2::<f32>().unwrap();
        for (row, keys) in rows.iter().zip([1, 2, 3, 1, 1, 1]) {
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
            assert!(row[keys..].iter().all(|&weight| weight == 0.0), "{rows:?}");
        }
        let loss = weights.sqr().unwrap().sum_all().unwrap();
        let gradients = loss.backward().unwrap();
        let gradient = gradients.get(&scores).unwrap().reshape((6, 3)).unwrap();
        let gradient = gradient.to_vec2::<f32>().unwrap();
        assert!(
            gradient[0]
                .iter()
                .chain(&gradient[3])
                .all(|&g| g.abs() < 1e-6),
            "{gradient:?}"
        );
        assert!(gradient[2].iter().all(|&g| g != 0.0), "{gradient:?}");
    }

    #[test]
    fn a_row_with_nothing_to_see_stays_finite() {
        let mask = Tensor::zeros((1, 4), DType::F32, &Device::Cpu).unwrap();
        let scores =
            Var::from_tensor(&Tensor::rand(0_f32, 1.0, (1, 1, 2, 4), &Device::Cpu).unwrap())
                .unwrap();
        let hidden = scores.broadcast_add(&padding_mask(&mask).unwrap()).unwrap();
        let weights = softmax(&hidden, D::Minus1).unwrap();
        let gradients = weights
            .sqr()
            .unwrap()
            .sum_all()
            .unwrap()
            .backward()
            .unwrap();
        for tensor in [&weights, gradients.get(&scores).unwrap()] {
            let numbers = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert!(
                numbers.iter().all(|number| number.is_finite()),
                "{numbers:?}"
            );
        }
    }
}
