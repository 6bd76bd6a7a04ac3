//! The exponential function in plain arithmetic, without a branch or a call, so that the compiler computes a whole vector at a time.
//!
//! `x = n · ln 2 + r` with a whole number `n` and `|r| ≤ ln 2 / 2`; then `eˣ = 2ⁿ · eʳ`, where `2ⁿ` is made of bits and `eʳ` is a
//! short polynomial. What differs is only how the polynomial is rounded: each caller keeps the arithmetic that its printed results
//! and shipped weights come from.

/// Added to a number and taken off again, it leaves the nearest whole number, which stands in the lowest bits in between.
const ROUNDING: f32 = 12_582_912.0; // 1.5 · 2²³

/// ln 2 is the sum of two parts: the first has so few digits that its product with a whole number is exact (Cody and Waite, 1980).
const LN_2_HIGH: f32 = 355.0 / 512.0;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// Beyond it, either way, the result is no number of full precision any more.
const LARGEST: f32 = 87.0;

/// Below this, `eˣ` is less than the smallest number of full precision; softmax takes it for 0.
const LOWEST: f32 = -87.3;

/// `eˣ` for `x` up to 0, to about one unit in the last place, with products and sums rounded once; 0 where it would be next to nothing.
#[inline(always)]
pub(super) fn exp_fused(x: f32) -> f32 {
    let (rest, power) = split::<true>(x);
    let scaled = minimax::<true>(rest) * power;
    if x < LOWEST { 0.0 } else { scaled }
}

/// `eˣ` to the last bit or two; `x` below -87 counts as -87, and above 87 as 87.
#[inline(always)]
#[must_use]
pub fn exp(x: f32) -> f32 {
    let (rest, power) = split::<false>(x.clamp(-LARGEST, LARGEST));
    minimax::<false>(rest) * power
}

/// `eˣ` to the last bit or two as [`exp`], but by Taylor's series.
#[inline(always)]
#[must_use]
pub fn exp_by_series(x: f32) -> f32 {
    let (rest, power) = split::<false>(x.clamp(-LARGEST, LARGEST));
    let sum = rest * (1.0 / 5_040.0) + 1.0 / 720.0;
    let sum = sum * rest + 1.0 / 120.0;
    let sum = sum * rest + 1.0 / 24.0;
    let sum = sum * rest + 1.0 / 6.0;
    let sum = sum * rest + 0.5;
    let sum = sum * rest + 1.0;
    let sum = sum * rest + 1.0;
    sum * power
}

/// The rest `r` and the power `2ⁿ` of `x`.
#[inline(always)]
fn split<const FUSED: bool>(x: f32) -> (f32, f32) {
    let rounded = multiply_add::<FUSED>(x, std::f32::consts::LOG2_E, ROUNDING);
    let n = rounded - ROUNDING;
    let rest = multiply_add::<FUSED>(n, -LN_2_HIGH, x);
    let rest = multiply_add::<FUSED>(n, -LN_2_LOW, rest);
    let exponent = rounded.to_bits().wrapping_sub(ROUNDING.to_bits());
    (rest, f32::from_bits(exponent.wrapping_add(127) << 23))
}

/// `eʳ` by a polynomial whose largest error is the smallest (coefficients of S. Moshier's Cephes library, `expf`).
#[inline(always)]
fn minimax<const FUSED: bool>(rest: f32) -> f32 {
    let mut sum = 1.987_569_1e-4_f32;
    // One number, as each has always written it: they round to neighbours, and a lesson's LSTM ends elsewhere with the other.
    let second = if FUSED { 1.398_2e-3 } else { 1.398_199_9e-3 };
    for coefficient in [second, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        sum = multiply_add::<FUSED>(sum, rest, coefficient);
    }
    multiply_add::<FUSED>(sum * rest, rest, rest) + 1.0
}

/// `a · b + c`, rounded once or twice.
#[inline(always)]
fn multiply_add<const FUSED: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest relative error in `range`, in steps of a ten-thousandth.
    fn largest_error(range: std::ops::RangeInclusive<i32>, exp: fn(f32) -> f32) -> f64 {
        let errors = range.map(|step| {
            let x = step as f32 / 10_000.0;
            let expected = f64::from(x).exp();
            (f64::from(exp(x)) - expected).abs() / expected
        });
        errors.fold(0.0, f64::max)
    }

    #[test]
    fn all_are_the_exponential_to_the_last_places() {
        let fused = largest_error(-870_000..=0, exp_fused);
        assert!(fused < 1.5e-7, "{fused}");
        for (name, exp) in [("exp", exp as fn(f32) -> f32), ("series", exp_by_series)] {
            let largest = largest_error(-870_000..=870_000, exp);
            assert!(largest < 3e-7, "{name}: {largest}");
            assert!(exp(1e9).is_finite() && exp(-1e9) < 1e-37);
            assert!(exp(f32::NEG_INFINITY) < 1e-37);
        }
        assert_eq!((exp_fused(-1e9), exp_fused(f32::NEG_INFINITY)), (0.0, 0.0));
    }

    #[test]
    fn zero_gives_one_and_nan_stays() {
        for exp in [exp_fused, exp, exp_by_series] {
            assert_eq!(exp(0.0), 1.0);
            assert!(exp(f32::NAN).is_nan());
        }
    }

    /// Numbers with their exponentials: fused, plain and by the series.
    const BITS: [(f32, u32, u32, u32); 8] = [
        (0.348_796_6, 0x3fb5_6c15, 0x3fb5_6c14, 0x3fb5_6c14),
        (0.388_820_26, 0x3fbc_d4a5, 0x3fbc_d4a4, 0x3fbc_d4a4),
        (-0.3, 0x3f3d_a643, 0x3f3d_a643, 0x3f3d_a643),
        (-0.4584, 0x3f21_de0e, 0x3f21_de0e, 0x3f21_de0d),
        (-1.674, 0x3e3f_fed7, 0x3e3f_fed7, 0x3e3f_fed8),
        (-2.6208, 0x3d94_fb25, 0x3d94_fb24, 0x3d94_fb24),
        (-3.7757, 0x3cbb_c4e6, 0x3cbb_c4e7, 0x3cbb_c4e6),
        (-81.438, 0x04b6_40b0, 0x04b6_40af, 0x04b6_40ae),
    ];

    /// These bits are part of what is trained and printed: another rounding would change figures in lessons and shipped weights.
    #[test]
    fn the_bits_are_those_that_they_have_been() {
        for (x, fused, plain, series) in BITS {
            let found = [exp_fused(x), exp(x), exp_by_series(x)].map(f32::to_bits);
            assert_eq!(found, [fused, plain, series], "{x}");
        }
    }
}
