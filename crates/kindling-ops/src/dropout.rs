//! Dropout in one pass each way: what is left out is drawn again on the way back, and never kept (Srivastava et al., 2014).

use candle_core::{CpuStorage, CustomOp1, Layout, Shape, Tensor};
use kindling_base::Random;

use super::{
    parts::made_from,
    values::{Values, on_cpu, slice},
    vectorized::vectorized,
};
use crate::Result;

/// Numbers a thread takes at a time.
const PART: usize = 1 << 14;

/// Which numbers of a tensor are kept, as chance will have it; for [`dropout`] and [`attention`](crate::attention()).
#[derive(Debug, Clone)]
pub struct DropoutMask {
    /// The chance of the first number; that of the others follows.
    random: Random,
    /// Of the 2⁵³ numbers that can be drawn, those below this one leave out.
    threshold: u64,
    /// What the others are multiplied by, so that the mean stays.
    factor: f32,
}

impl DropoutMask {
    /// Draws for `count` numbers, each left out with this probability below 1.
    #[must_use]
    pub fn draw(probability: f64, count: usize, random: &mut Random) -> Self {
        let kept = Self {
            random: random.clone(),
            threshold: (probability * (1_u64 << 53) as f64).ceil() as u64,
            factor: (1.0 / (1.0 - probability)) as f32,
        };
        random.skip(count);
        kept
    }

    /// Multiplies numbers, of which the first has this place in the whole tensor, by zero or by the factor of those that are kept.
    pub(super) fn apply(&self, first: usize, numbers: &[f32], kept: &mut [f32]) {
        keep(kept, numbers, self, first);
    }

    /// The factors of all numbers of a tensor of this shape, for devices and number types that have no loop of ours.
    pub(super) fn factors(&self, like: &Tensor) -> Result<Tensor> {
        let mut factors = vec![1.0; like.elem_count()];
        let ones = factors.clone();
        self.apply(0, &ones, &mut factors);
        let factors = Tensor::from_vec(factors, like.shape(), &candle_core::Device::Cpu)?;
        Ok(factors.to_device(like.device())?.to_dtype(like.dtype())?)
    }
}

vectorized! {
    fn keep(kept: &mut [f32], numbers: &[f32], chance: &DropoutMask, first: usize) {
        for (place, (kept, number)) in kept.iter_mut().zip(numbers).enumerate() {
            let left_out = chance.random.ahead(first + place) >> 11 < chance.threshold;
            *kept = number * if left_out { 0.0 } else { chance.factor };
        }
    }
}

/// `features`, of any shape with as many numbers as `kept` was drawn for, without those that are left out; the others are scaled so that the mean stays.
pub fn dropout(features: &Tensor, kept: DropoutMask) -> Result<Tensor> {
    if !on_cpu(&[features]) {
        return Ok((features * kept.factors(features)?)?);
    }
    Ok(features.contiguous()?.apply_op1(Dropout(kept))?)
}

struct Dropout(DropoutMask);

impl Dropout {
    fn apply(&self, numbers: &[f32]) -> Vec<f32> {
        made_from(numbers, PART, |part, kept, numbers| {
            self.0.apply(part * PART, numbers, kept);
        })
    }
}

impl CustomOp1 for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn cpu_fwd(
        &self,
        features: &CpuStorage,
        layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let kept = self.apply(slice(features, layout)?);
        Ok((CpuStorage::F32(kept), layout.shape().clone()))
    }

    fn bwd(
        &self,
        features: &Tensor,
        _kept: &Tensor,
        gradient: &Tensor,
    ) -> candle_core::Result<Option<Tensor>> {
        let gradient = gradient.contiguous()?;
        let grad_features = self.apply(&Values::of(&gradient)?);
        let (shape, device) = (features.shape(), features.device());
        Ok(Some(Tensor::from_vec(grad_features, shape, device)?))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Var};

    use super::*;

    /// `f64` takes the composed way, `f32` the fused one.
    #[test]
    fn both_ways_leave_out_what_is_drawn_one_by_one() {
        for probability in [0.0, 0.2, 0.999_999] {
            let count = 2 * PART + 5;
            let features = Random::new(1).normal(count, 0.0, 1.0).unwrap();
            let mut one_by_one = Random::new(7);
            let kept = (1.0 / (1.0 - probability)) as f32;
            let expected: Vec<f32> = (features.to_vec1::<f32>().unwrap().iter())
                .map(|x| {
                    x * if one_by_one.next_f64() < probability {
                        0.0
                    } else {
                        kept
                    }
                })
                .collect();
            let mut random = Random::new(7);
            let drawn = DropoutMask::draw(probability, count, &mut random);
            assert_eq!(random.next_u64(), one_by_one.next_u64());
            for dtype in [DType::F32, DType::F64] {
                let features = Var::from_tensor(&features.to_dtype(dtype).unwrap()).unwrap();
                let output = dropout(&features, drawn.clone()).unwrap();
                let numbers = |tensor: &Tensor| {
                    let single = tensor.to_dtype(DType::F32).unwrap();
                    single.to_vec1::<f32>().unwrap()
                };
                assert_eq!(numbers(&output), expected);
                // Half the sum of squares has the output itself as its gradient, which dropout then cuts once more.
                let loss = (output.sqr().unwrap().sum_all().unwrap() * 0.5).unwrap();
                let gradients = loss.backward().unwrap();
                let gradient = numbers(gradients.get(&features).unwrap());
                for (gradient, expected) in gradient.iter().zip(&expected) {
                    let difference = (gradient - expected * kept).abs();
                    assert!(difference <= 1e-6 * gradient.abs(), "{gradient} {expected}");
                }
            }
        }
    }
}
