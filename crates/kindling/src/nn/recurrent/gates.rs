//! Sigmoid and tanh without a branch or a call, so that the compiler computes a whole vector of them at a time.

/// `eˣ` to the last bit or two, for x that is not so large that the result overflows.
///
/// x is split into `n ln 2 + r` with |r| ≤ ln 2 / 2: the exponential of r is a short polynomial (coefficients of Moshier's
/// Cephes library), and `2ⁿ` is a number whose exponent bits are written directly.
#[inline(always)]
fn exponential(x: f32) -> f32 {
    /// Added to a small number, it leaves no room for a fraction: what is left in the low bits is the nearest whole number.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 87.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * 0.693_359_4) - n * -2.121_944_4e-4; // ln 2 in two parts, the first with few bits
    let mut polynomial = 1.987_569_1e-4;
    for coefficient in [
        1.398_199_9e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        0.166_666_66,
        0.5,
    ] {
        polynomial = polynomial * r + coefficient;
    }
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits());
    let power = f32::from_bits(exponent.wrapping_add(127) << 23);
    (polynomial * r * r + r + 1.0) * power
}

/// `1 / (1 + e⁻ˣ)`.
#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exponential(-x))
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
    let size = 1.0 - 2.0 / (1.0 + exponential(2.0 * x.abs()));
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
