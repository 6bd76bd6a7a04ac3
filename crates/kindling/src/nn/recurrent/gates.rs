//! Sigmoid and tanh without a branch or a call, so that the compiler computes a whole vector of them at a time.

use crate::ops::exp;

/// `1 / (1 + e⁻ˣ)`.
#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// The hyperbolic tangent; near zero by a polynomial, where the quotient would cancel.
#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
    let square = x * x;
    let mut polynomial = -5.704_988_7e-3;
    for coefficient in [2.063_908_8e-2, -5.373_971_5e-2, 0.133_314_42, -0.333_332_8] {
        polynomial = polynomial * square + coefficient;
    }
    let small = polynomial * square * x + x;
    let size = 1.0 - 2.0 / (1.0 + exp(2.0 * x.abs()));
    if x.abs() < 0.625 {
        small
    } else {
        size.copysign(x)
    }
}

/// The first `N` vectors of this size.
#[inline(always)]
pub(super) fn vectors<const N: usize>(numbers: &[f32], size: usize) -> [&[f32]; N] {
    std::array::from_fn(|vector| &numbers[vector * size..][..size])
}

/// The same, to write to.
#[inline(always)]
pub(super) fn vectors_mut<const N: usize>(numbers: &mut [f32], size: usize) -> [&mut [f32]; N] {
    let mut rest = numbers;
    std::array::from_fn(|_| {
        let (vector, others) = std::mem::take(&mut rest).split_at_mut(size);
        rest = others;
        vector
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_agree_with_the_standard_library() {
        for step in -40_000..=40_000 {
            let x = step as f32 * 1e-3;
            let exact = f64::from(x);
            let expected = 1.0 / (1.0 + (-exact).exp());
            let error = (f64::from(sigmoid(x)) - expected).abs() / expected;
            assert!(error < 5e-7, "sigmoid({x}): {error}");
            let expected = exact.tanh();
            let error = (f64::from(tanh(x)) - expected).abs() / expected.abs().max(1e-30);
            assert!(error < 5e-7, "tanh({x}): {error}");
        }
    }

    #[test]
    fn far_out_they_end_and_nan_stays() {
        assert_eq!((sigmoid(1e30), tanh(1e30)), (1.0, 1.0));
        assert!(sigmoid(-1e30) < 1e-37);
        assert_eq!(tanh(-1e30), -1.0);
        assert!(sigmoid(f32::NAN).is_nan() && tanh(f32::NAN).is_nan());
    }
}
