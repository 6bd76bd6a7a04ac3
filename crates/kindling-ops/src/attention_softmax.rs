//! From scores to attention weights in one pass each way: scaling, mask and softmax together.

mod mask;

use candle_core::{CpuStorage, CustomOp1, D, Layout, Shape, Tensor};

pub(super) use self::mask::{Mask, check_mask};
use super::{
    exponential::exp_fused,
    parts::{made_from, made_from_two},
    values::{Values, on_cpu, slice},
    vectorized::vectorized,
};
use crate::{Error, Result};

/// Rows of scores a thread takes at a time.
const ROWS: usize = 256;

/// `softmax(scale · scores + mask)` over the keys (Vaswani et al., 2017, equation 1).
///
/// `scores` are `(batch, heads, queries, keys)`; the mask has as many keys, and one entry or all in each dimension before them. It is added: 0
/// where a query may look, a large negative number where it may not. No gradient goes to the mask.
///
/// ```
/// use candle_core::{Device, Tensor};
/// let scores = Tensor::new(&[[[[1_f32, 1.0, 7.0]]]], &Device::Cpu)?; // (1, 1, 1, 3)
/// let mask = Tensor::new(&[0_f32, 0.0, -1e9], &Device::Cpu)?; // (3)
/// let weights = kindling_ops::attention_softmax(&scores, Some(&mask), 0.5)?; // (1, 1, 1, 3)
/// assert_eq!(weights.flatten_all()?.to_vec1::<f32>()?, [0.5, 0.5, 0.0]);
/// # Ok::<(), kindling_base::Error>(())
/// ```
pub fn attention_softmax(scores: &Tensor, mask: Option<&Tensor>, scale: f64) -> Result<Tensor> {
    let &[batch, heads, queries, keys] = scores.dims() else {
        return Err(Error::Shape {
            what: "scores".to_owned(),
            expected: "(batch, heads, queries, keys)".to_owned(),
            found: scores.dims().to_vec(),
        });
    };
    check_mask(mask, [batch, heads, queries, keys])?;
    if scores.elem_count() == 0 {
        return Ok(scores.clone());
    }
    if !on_cpu(&[scores]) {
        let mut scores = (scores * scale)?;
        if let Some(mask) = mask {
            scores = scores.broadcast_add(&mask.to_dtype(scores.dtype())?.detach())?;
        }
        return Ok(candle_nn::ops::softmax(&scores, D::Minus1)?);
    }
    let operation = AttentionSoftmax {
        keys,
        scale: scale as f32,
        mask: mask
            .map(|mask| Mask::new(mask, [heads, queries]))
            .transpose()?,
    };
    Ok(scores.contiguous()?.apply_op1(operation)?)
}

struct AttentionSoftmax {
    keys: usize,
    scale: f32,
    mask: Option<Mask>,
}

impl CustomOp1 for AttentionSoftmax {
    fn name(&self) -> &'static str {
        "attention-softmax"
    }

    fn cpu_fwd(
        &self,
        scores: &CpuStorage,
        layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let scores = slice(scores, layout)?;
        let weights = made_from(scores, ROWS * self.keys, |part, weights, scores| {
            let mask = self.mask.as_ref().map(|mask| (mask, part * ROWS));
            masked_softmax(weights, scores, self.keys, self.scale, mask);
        });
        Ok((CpuStorage::F32(weights), layout.shape().clone()))
    }

    /// With `w` the weights of a row and `g` their gradient: `scale · w · (g - Σ g · w)`.
    fn bwd(
        &self,
        scores: &Tensor,
        weights: &Tensor,
        gradient: &Tensor,
    ) -> candle_core::Result<Option<Tensor>> {
        let gradient = gradient.contiguous()?;
        let given: [&[f32]; 2] = [&Values::of(&gradient)?, &Values::of(weights)?];
        let grad_scores =
            made_from_two(given, ROWS * self.keys, |grad_scores, gradient, weights| {
                back(grad_scores, gradient, weights, self.keys, self.scale);
            });
        Ok(Some(Tensor::from_vec(
            grad_scores,
            scores.shape(),
            scores.device(),
        )?))
    }
}

/// `softmax(scale · scores + mask)` for rows of scores of so many keys; with a mask comes the number of the first row in it.
pub(super) fn masked_softmax(
    weights: &mut [f32],
    scores: &[f32],
    keys: usize,
    factor: f32,
    mask: Option<(&Mask, usize)>,
) {
    match mask {
        Some((mask, first)) => {
            let rows = weights
                .chunks_exact_mut(keys)
                .zip(scores.chunks_exact(keys));
            for ((weights, scores), row) in rows.zip(first..) {
                scale_and_hide(weights, scores, mask.row(row, keys), factor);
            }
        }
        None => scale(weights, scores, factor),
    }
    softmax(weights, keys);
}

vectorized! {
    fn scale(weights: &mut [f32], scores: &[f32], scale: f32) {
        for (weight, score) in weights.iter_mut().zip(scores) {
            *weight = scale * score;
        }
    }
}

vectorized! {
    fn scale_and_hide(weights: &mut [f32], scores: &[f32], mask: &[f32], scale: f32) {
        for (weight, (score, mask)) in weights.iter_mut().zip(scores.iter().zip(mask)) {
            *weight = scale * score + mask;
        }
    }
}

vectorized! {
    /// The largest score of each row is taken off first, which keeps the exponentials from overflowing.
    fn softmax(weights: &mut [f32], keys: usize) {
        for row in weights.chunks_exact_mut(keys) {
            let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            for number in row.iter_mut() {
                *number = exp_fused(*number - highest);
            }
            let total: f32 = row.iter().sum();
            for number in row {
                *number /= total;
            }
        }
    }
}

vectorized! {
    pub(super) fn back(grad_scores: &mut [f32], gradient: &[f32], weights: &[f32], keys: usize, scale: f32) {
        let rows = gradient.chunks_exact(keys).zip(weights.chunks_exact(keys));
        for (grad_scores, (gradient, weights)) in grad_scores.chunks_exact_mut(keys).zip(rows) {
            let mean: f32 = gradient.iter().zip(weights).map(|(gradient, weight)| gradient * weight).sum();
            for (grad_score, (gradient, weight)) in grad_scores.iter_mut().zip(gradient.iter().zip(weights)) {
                *grad_score = scale * weight * (gradient - mean);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Var};

    use super::*;
    use kindling_base::Random;

    /// The weights, and the gradient of their sum weighted by `probe`.
    fn both_ways(
        scores: &Tensor,
        mask: Option<&Tensor>,
        probe: &Tensor,
        dtype: DType,
    ) -> [Vec<f64>; 2] {
        let scores = Var::from_tensor(&scores.to_dtype(dtype).unwrap()).unwrap();
        let weights = attention_softmax(&scores, mask, 0.3).unwrap();
        let loss = (&weights * probe.to_dtype(dtype).unwrap()).unwrap();
        let gradients = loss.sum_all().unwrap().backward().unwrap();
        [&weights, gradients.get(&scores).unwrap()].map(|tensor| {
            let flat = tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap();
            flat.to_vec1::<f64>().unwrap()
        })
    }

    /// `f64` takes the composed way, `f32` the fused one.
    #[test]
    fn the_fused_way_is_the_composed_one() {
        let mut random = Random::new(1);
        let shape = (3, 4, 50, 7); // 600 rows: more than one part
        let masks: [&[usize]; 8] = [
            &[],
            &[7],
            &[50, 7],
            &[1, 7],
            &[4, 50, 7],
            &[3, 1, 1, 7],
            &[3, 4, 50, 7],
            &[1, 4, 1, 7],
        ];
        for dims in masks {
            let scores = random.normal(shape, 0.0, 8.0).unwrap();
            let probe = random.normal(shape, 0.0, 1.0).unwrap();
            let chance = random.uniform(dims, 0.0, 1.0).unwrap();
            // Each row sees its first key: one that sees nothing would round its scores away in f32 alone.
            let first =
                Tensor::new(&[0_f32, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0], chance.device()).unwrap();
            let hidden = chance.gt(0.6_f32).unwrap().to_dtype(DType::F32).unwrap();
            let hidden = (hidden.broadcast_mul(&first).unwrap() * -1e9).unwrap();
            let mask = (!dims.is_empty()).then_some(&hidden);
            let fused = both_ways(&scores, mask, &probe, DType::F32);
            let composed = both_ways(&scores, mask, &probe, DType::F64);
            for (fused, composed) in fused.iter().zip(&composed) {
                for (a, b) in fused.iter().zip(composed) {
                    assert!((a - b).abs() < 1e-5, "{dims:?}: {a} {b}");
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let scores = Tensor::zeros((2, 3, 4, 5), DType::F32, &candle_core::Device::Cpu).unwrap();
        for dims in [
            &[4][..],
            &[1],
            &[],
            &[3, 5],
            &[3, 1, 1, 5],
            &[1, 2, 3, 4, 5],
        ] {
            let mask = Tensor::zeros(dims, DType::F32, scores.device()).unwrap();
            let error = attention_softmax(&scores, Some(&mask), 1.0).unwrap_err();
            let expected = "mask: expected shape (2 or 1, 3 or 1, 4 or 1, 5), found";
            assert!(error.to_string().starts_with(expected), "{error}");
        }
        let flat = scores.flatten_all().unwrap();
        assert!(attention_softmax(&flat, None, 1.0).is_err());
        let nothing = scores.narrow(2, 0, 0).unwrap();
        assert_eq!(
            attention_softmax(&nothing, None, 1.0).unwrap().dims(),
            [2, 3, 0, 5]
        );
    }
}
