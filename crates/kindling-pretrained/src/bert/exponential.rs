//! The exponential function in plain arithmetic, which the compiler turns into vector instructions.

/// The part of ln 2 that is exact in so few bits that products with whole numbers stay exact (Cody and Waite, 1980).
const LN_2_HIGH: f32 = 355.0 / 512.0;
const LN_2_LOW: f32 = (std::f64::consts::LN_2 - LN_2_HIGH as f64) as f32;

/// A number of this size has no room for a fraction: adding it rounds, and leaves the whole number in the lowest bits.
const ROUNDING: f32 = 12_582_912.0; // 1.5 · 2²³

/// Below this the result is as good as zero.
const LOWEST: f32 = -87.0;

/// eˣ for x ≤ 0, to within some 1e-7 of the result.
///
/// With n the whole number nearest to x / ln 2, eˣ = 2ⁿ · eʳ; r is so small that seven terms of the series are enough.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    let x = if x < LOWEST { LOWEST } else { x }; // not `max`, which would hide a NaN
    let rounded = x * std::f32::consts::LOG2_E + ROUNDING;
    let n = rounded - ROUNDING;
    let r = x - n * LN_2_HIGH - n * LN_2_LOW;
    let sum = r * (1.0 / 5_040.0) + 1.0 / 720.0;
    let sum = sum * r + 1.0 / 120.0;
    let sum = sum * r + 1.0 / 24.0;
    let sum = sum * r + 1.0 / 6.0;
    let sum = sum * r + 0.5;
    let sum = sum * r + 1.0;
    let sum = sum * r + 1.0;
    let exponent = rounded.to_bits().wrapping_sub(ROUNDING.to_bits());
    sum * f32::from_bits(exponent.wrapping_add(127) << 23)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_standard_librarys() {
        for step in 0..870_000 {
            let x = -(step as f32) / 10_000.0;
            let expected = f64::from(x).exp();
            let error = (f64::from(exp(x)) - expected).abs() / expected;
            assert!(error < 3e-7, "{x}: {error}");
        }
        assert!(exp(-1e9) < 1e-37 && exp(f32::NEG_INFINITY) < 1e-37);
        assert!(exp(f32::NAN).is_nan());
    }
}
