//! GELU (Hendrycks and Gimpel, 2016): `x · Φ(x)`, with Φ the chance that a standard normal number is below x.
//!
//! Candle's own calls a function for each number, on one thread; these loops become vector instructions, on all threads.

use candle_core::{CpuStorage, InplaceOp1, Layout};
use kindling::ops::exp_by_series;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Numbers that a thread takes at a time.
const PART: usize = 1 << 14;

/// Replaces each number of a contiguous `f32` tensor by its GELU.
pub(super) struct Gelu;

impl InplaceOp1 for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
        let CpuStorage::F32(numbers) = storage else {
            candle_core::bail!("gelu: expected f32");
        };
        let Some((start, end)) = layout.contiguous_offsets() else {
            candle_core::bail!("gelu: expected a contiguous tensor, found {layout:?}");
        };
        let parts = numbers[start..end].par_chunks_mut(PART);
        parts.for_each(|numbers| kindling::ops::arch().dispatch(Loop(numbers)));
        Ok(())
    }
}

struct Loop<'a>(&'a mut [f32]);

impl WithSimd for Loop<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for number in self.0 {
            *number = gelu(*number);
        }
    }
}

#[inline(always)]
fn gelu(x: f32) -> f32 {
    let tail = upper_tail(x.abs());
    x * if x < 0.0 { tail } else { 1.0 - tail }
}

/// The chance that a standard normal number is above x, for x ≥ 0, to within 1e-7 (Abramowitz and Stegun, 1964, formula 7.1.26).
#[inline(always)]
fn upper_tail(x: f32) -> f32 {
    let z = x * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let sum = 1.061_405_4 * t - 1.453_152;
    let sum = sum * t + 1.421_413_7;
    let sum = sum * t - 0.284_496_74;
    let sum = sum * t + 0.254_829_6;
    0.5 * sum * t * exp_by_series(-z * z)
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::*;

    #[test]
    fn it_is_candles_with_the_exact_error_function() {
        let numbers = Tensor::arange(-400_000_f32, 400_000.0, &Device::Cpu).unwrap(); // many parts
        let numbers = (numbers / 20_000.0).unwrap();
        let expected = numbers.gelu_erf().unwrap();
        numbers.inplace_op1(&Gelu).unwrap();
        let difference = (numbers - expected).unwrap().abs().unwrap();
        let largest = difference.max_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(largest < 2e-6, "{largest}");
        assert_eq!((gelu(0.0), gelu(1e4)), (0.0, 1e4));
        assert!(gelu(-1e4).abs() < 1e-30);
        assert!(gelu(f32::NAN).is_nan());
    }
}
