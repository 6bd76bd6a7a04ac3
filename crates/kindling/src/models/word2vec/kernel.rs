//! The loops that all the time goes into: dot products, the logistic function, and moving rows.

use pulp::Simd;

use crate::ops::exp_by_series;

/// How many targets are compared with an input at a time: so many logits fit one vector register.
pub(super) const GROUP: usize = 8;

/// The dot product of two rows of one length, a multiple of every vector's.
#[inline(always)]
pub(super) fn dot<S: Simd>(simd: S, left: &[f32], right: &[f32]) -> f32 {
    let (left, right) = (S::as_simd_f32s(left).0, S::as_simd_f32s(right).0);
    let mut sum = simd.splat_f32s(0.0);
    for (left, right) in left.iter().zip(right) {
        sum = simd.mul_add_e_f32s(*left, *right, sum);
    }
    simd.reduce_sum_f32s(sum)
}

/// `row ← row + factor · other`.
#[inline(always)]
pub(super) fn add<S: Simd>(simd: S, factor: f32, other: &[f32], row: &mut [f32]) {
    let (other, row) = (S::as_simd_f32s(other).0, S::as_mut_simd_f32s(row).0);
    let factor = simd.splat_f32s(factor);
    for (other, row) in other.iter().zip(row) {
        *row = simd.mul_add_e_f32s(factor, *other, *row);
    }
}

/// Moves an output row, and collects what it does to the input: `pull ← pull + step · output`, `output ← output + step · input`.
#[inline(always)]
pub(super) fn exchange<S: Simd>(
    simd: S,
    step: f32,
    input: &[f32],
    output: &mut [f32],
    pull: &mut [f32],
) {
    let (output, pull) = (S::as_mut_simd_f32s(output).0, S::as_mut_simd_f32s(pull).0);
    let step = simd.splat_f32s(step);
    for ((input, output), pull) in S::as_simd_f32s(input).0.iter().zip(output).zip(pull) {
        *pull = simd.mul_add_e_f32s(step, *output, *pull);
        *output = simd.mul_add_e_f32s(step, *input, *output);
    }
}

/// What each logit lacks to the truth: `label − σ(logit)`, minus the derivative of the loss `−log σ(±logit)` by the logit.
#[inline(always)]
pub(super) fn residuals(logits: [f32; GROUP], labels: [f32; GROUP]) -> [f32; GROUP] {
    let mut residual = [0.0; GROUP];
    for ((residual, logit), label) in residual.iter_mut().zip(logits).zip(labels) {
        *residual = label - 1.0 / (1.0 + exp_by_series(-logit));
    }
    residual
}

/// The sum of `−log p` over many probabilities, with hardly any logarithm taken: they are multiplied first.
#[derive(Debug, Clone, Copy)]
pub(super) struct NegativeLogLikelihood {
    product: f64,
    sum: f64,
}

impl NegativeLogLikelihood {
    pub(super) fn new() -> Self {
        Self {
            product: 1.0,
            sum: 0.0,
        }
    }

    /// Adds `−log (1 − |residual|)`: how surprising the truth was.
    #[inline(always)]
    pub(super) fn add(&mut self, residual: f32) {
        self.product *= f64::from((1.0 - residual.abs()).max(1e-30));
        if self.product < 1e-250 {
            *self = Self {
                product: 1.0,
                sum: self.total(),
            };
        }
    }

    pub(super) fn total(self) -> f64 {
        self.sum - self.product.ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_the_slope_of_the_loss() {
        let (logits, labels) = (
            [-20.0, -3.0, -0.5, 0.0, 0.1, 2.0, 9.0, 60.0],
            [0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0],
        );
        let (mut surprise, mut expected) = (NegativeLogLikelihood::new(), 0.0);
        for _ in 0..1_000 {
            for (index, residual) in residuals(logits, labels).into_iter().enumerate() {
                let (logit, label) = (f64::from(logits[index]), f64::from(labels[index]));
                let exact = label - 1.0 / (1.0 + (-logit).exp());
                assert!((f64::from(residual) - exact).abs() < 1e-7);
                surprise.add(residual);
                let sign = 2.0 * label - 1.0;
                expected += (1.0 + (-sign * logit).exp()).ln();
            }
        }
        assert!((surprise.total() / expected - 1.0).abs() < 1e-3);
    }
}
