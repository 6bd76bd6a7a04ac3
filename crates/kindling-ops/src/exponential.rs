//! The exponential that softmax needs, in a form that the compiler turns into vector instructions.

/// Below this, `exp` is less than the smallest number of full precision; here it is 0.
const LOWEST: f32 = -87.3;

/// Added to a number and taken off again, it leaves the nearest whole number, which stands in the lowest bits in between.
const ROUNDING: f32 = 12_582_912.0; // 1.5 · 2²³

/// `eˣ` for `x` up to 0, to about one unit in the last place.
///
/// `x = n · ln 2 + r` with a whole number `n` and a small rest `r`; then `eˣ = 2ⁿ · eʳ`, where `2ⁿ` is made of bits and `eʳ` is a
/// polynomial (coefficients of S. Moshier's Cephes library, `expf`).
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    let rounded = x.mul_add(std::f32::consts::LOG2_E, ROUNDING);
    let whole = rounded - ROUNDING;
    // ln 2 in two parts: the first has few digits, so that the product is exact.
    let rest = whole.mul_add(2.121_944_4e-4, whole.mul_add(-0.693_359_4, x));
    let mut sum = 1.987_569_1e-4_f32;
    for coefficient in [
        1.398_2e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        0.5,
    ] {
        sum = sum.mul_add(rest, coefficient);
    }
    let power = (sum * rest).mul_add(rest, rest) + 1.0;
    let exponent = rounded.to_bits().wrapping_sub(ROUNDING.to_bits());
    let scale = f32::from_bits(exponent.wrapping_add(127) << 23);
    if x < LOWEST { 0.0 } else { power * scale }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_exponential_to_the_last_place() {
        let mut largest = 0_f64;
        for step in 0..870_000 {
            let x = -step as f32 / 10_000.0;
            let expected = f64::from(x).exp();
            largest = largest.max((f64::from(exp(x)) - expected).abs() / expected);
        }
        assert!(largest < 1.5e-7, "{largest}");
        assert_eq!(exp(0.0), 1.0);
        assert_eq!((exp(-1e9), exp(f32::NEG_INFINITY)), (0.0, 0.0));
        assert!(exp(f32::NAN).is_nan());
    }
}
