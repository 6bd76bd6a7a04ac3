//! A loss for when nearly all answers are no: what is already known well counts little (Lin et al., 2017).

use candle_core::{CpuStorage, CustomOp1, Layout, Shape, Tensor};
use rayon::prelude::*;

use super::{
    parts::{each_part, made_from_two},
    values::{Values, on_cpu, slice},
};
use crate::{Error, Result};

/// Numbers a thread takes at a time.
const PART: usize = 1 << 13;

/// The focal loss of each of `logits` against `targets` from 0 to 1, all of one shape (Lin et al., 2017, "Focal Loss", equation 5).
///
/// With `p` the probability that the sigmoid of a logit gives to the truth, it is `-(1 - p)^gamma · ln p`, times `alpha` where the target is 1
/// and `1 - alpha` where it is 0, if there is an `alpha`. It is computed from the logit, so that no logarithm of 0 occurs. Gradients go to the
/// logits.
///
/// ```
/// use candle_core::{Device, Tensor};
/// let logits = Tensor::new(&[0_f32, -1000.0, 1000.0], &Device::Cpu)?; // (3)
/// let targets = Tensor::new(&[1_f32, 0.0, 0.0], &Device::Cpu)?; // (3)
/// let losses = kindling_ops::focal_loss(&logits, &targets, Some(0.25), 2.0)?.to_vec1::<f32>()?;
/// assert!((losses[0] - 0.25 * 0.25 * 2_f32.ln()).abs() < 1e-6);
/// assert_eq!(losses[1..], [0.0, 750.0]); // sure and right, sure and wrong
/// # Ok::<(), kindling_base::Error>(())
/// ```
pub fn focal_loss(
    logits: &Tensor,
    targets: &Tensor,
    alpha: Option<f64>,
    gamma: f64,
) -> Result<Tensor> {
    if !(gamma.is_finite() && gamma >= 0.0) {
        return Err(Error::Argument(format!(
            "gamma: expected a number of at least 0, found {gamma}"
        )));
    }
    if let Some(alpha) = alpha.filter(|alpha| !(0.0..=1.0).contains(alpha)) {
        return Err(Error::Argument(format!(
            "alpha: expected a number from 0 to 1, found {alpha}"
        )));
    }
    if logits.dims() != targets.dims() {
        return Err(Error::Shape {
            what: "targets".to_owned(),
            expected: format!("that of the logits, {:?}", logits.dims()),
            found: targets.dims().to_vec(),
        });
    }
    let targets = targets.to_dtype(logits.dtype())?.detach();
    if !on_cpu(&[logits, &targets]) {
        return composed(logits, &targets, alpha, gamma);
    }
    let targets = targets.contiguous()?;
    if let Some(wrong) = Values::of(&targets)?
        .iter()
        .find(|target| !(0.0..=1.0).contains(*target))
    {
        return Err(Error::Argument(format!(
            "targets: expected numbers from 0 to 1, found {wrong}"
        )));
    }
    let operation = FocalLoss {
        targets,
        alpha: alpha.map(|alpha| alpha as f32),
        gamma: gamma as f32,
    };
    Ok(logits.contiguous()?.apply_op1(operation)?)
}

/// The same, composed of Candle's operations, for other devices and number types.
fn composed(logits: &Tensor, targets: &Tensor, alpha: Option<f64>, gamma: f64) -> Result<Tensor> {
    let (sure, unsure) = (
        candle_nn::ops::sigmoid(logits)?,
        candle_nn::ops::sigmoid(&logits.neg()?)?,
    );
    let others = (1.0 - targets)?;
    let surprise = (logits.relu()? - (logits * targets)?)?;
    let mut losses = (surprise + (logits.abs()?.neg()?.exp()? + 1.0)?.log()?)?;
    if gamma > 0.0 {
        let missing = ((sure * &others)? + (unsure * targets)?)?;
        losses = (losses * missing.powf(gamma)?)?;
    }
    if let Some(alpha) = alpha {
        losses = (losses * ((targets * alpha)? + (others * (1.0 - alpha))?)?)?;
    }
    Ok(losses)
}

struct FocalLoss {
    targets: Tensor,
    alpha: Option<f32>,
    gamma: f32,
}

impl FocalLoss {
    /// The loss of one logit, and its slope.
    fn loss(&self, logit: f32, target: f32) -> (f32, f32) {
        let small = (-logit.abs()).exp(); // never overflows
        let (larger, smaller) = (1.0 / (1.0 + small), small / (1.0 + small));
        let (yes, no) = match logit >= 0.0 {
            true => (larger, smaller),
            false => (smaller, larger),
        };
        let surprise = logit.max(0.0) - logit * target + small.ln_1p();
        let missing = yes * (1.0 - target) + no * target; // what the truth's probability lacks of 1
        let focus = match self.gamma {
            2.0 => missing * missing,
            gamma => missing.powf(gamma),
        };
        // The slope of `missing` over itself; where nothing is missing, neither is anything to be multiplied.
        let relative = match missing > 0.0 {
            true => (1.0 - 2.0 * target) * yes * no / missing,
            false => 0.0,
        };
        let weight = self
            .alpha
            .map_or(1.0, |alpha| alpha * target + (1.0 - alpha) * (1.0 - target));
        (
            weight * focus * surprise,
            weight * focus * ((yes - target) + self.gamma * relative * surprise),
        )
    }
}

impl CustomOp1 for FocalLoss {
    fn name(&self) -> &'static str {
        "focal-loss"
    }

    fn cpu_fwd(
        &self,
        logits: &CpuStorage,
        layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (logits, targets) = (slice(logits, layout)?, Values::of(&self.targets)?);
        let losses = made_from_two([logits, &targets], PART, |losses, logits, targets| {
            for (loss, (&logit, &target)) in losses.iter_mut().zip(logits.iter().zip(targets)) {
                *loss = self.loss(logit, target).0;
            }
        });
        Ok((CpuStorage::F32(losses), layout.shape().clone()))
    }

    fn bwd(
        &self,
        logits: &Tensor,
        _losses: &Tensor,
        gradient: &Tensor,
    ) -> candle_core::Result<Option<Tensor>> {
        let gradient = gradient.contiguous()?;
        let (gradient, values) = (Values::of(&gradient)?, Values::of(logits)?);
        let targets = Values::of(&self.targets)?;
        let mut grad_logits = vec![0.0; values.len()];
        let given = gradient
            .par_chunks(PART)
            .zip(values.par_chunks(PART).zip(targets.par_chunks(PART)));
        let parts = grad_logits.par_chunks_mut(PART).zip(given);
        each_part(parts, |(grad_logits, (gradient, (logits, targets)))| {
            let given = gradient.iter().zip(logits.iter().zip(targets));
            for (grad_logit, (gradient, (&logit, &target))) in grad_logits.iter_mut().zip(given) {
                *grad_logit = gradient * self.loss(logit, target).1;
            }
        });
        Ok(Some(Tensor::from_vec(
            grad_logits,
            logits.shape(),
            logits.device(),
        )?))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Var};

    use super::*;
    use kindling_base::Random;

    /// Losses and gradients.
    fn both_ways(
        logits: &Tensor,
        targets: &Tensor,
        alpha: Option<f64>,
        gamma: f64,
        dtype: DType,
    ) -> [Vec<f64>; 2] {
        let logits = Var::from_tensor(&logits.to_dtype(dtype).unwrap()).unwrap();
        let losses = focal_loss(&logits, targets, alpha, gamma).unwrap();
        let gradients = losses.sum_all().unwrap().backward().unwrap();
        [&losses, gradients.get(&logits).unwrap()].map(|tensor| {
            let flat = tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap();
            flat.to_vec1::<f64>().unwrap()
        })
    }

    /// `f64` takes the composed way, `f32` the fused one.
    #[test]
    fn the_fused_way_is_the_composed_one() {
        let mut random = Random::new(1);
        let logits = random.normal((100, 200), 0.0, 4.0).unwrap();
        let soft = random.uniform((100, 200), 0.0, 1.0).unwrap();
        let hard = soft.round().unwrap();
        for (targets, alpha, gamma) in [
            (&hard, Some(0.25), 2.0),
            (&hard, None, 0.0),
            (&hard, None, 1.5),
            (&soft, Some(0.6), 2.0),
            (&soft, None, 1.0),
        ] {
            let fused = both_ways(&logits, targets, alpha, gamma, DType::F32);
            let composed = both_ways(&logits, targets, alpha, gamma, DType::F64);
            for (fused, composed) in fused.iter().flatten().zip(composed.iter().flatten()) {
                let close = 1e-5 * (1.0 + composed.abs());
                assert!((fused - composed).abs() < close, "{fused} {composed}");
            }
        }
    }

    #[test]
    fn extreme_logits_give_numbers_and_nan_stays_nan() {
        let logits = Tensor::new(&[1e4_f32, -1e4, 1e4, -1e4, 0.0], &Device::Cpu).unwrap();
        let targets = Tensor::new(&[1_f32, 0.0, 0.0, 1.0, 1.0], &Device::Cpu).unwrap();
        for gamma in [0.0, 0.5, 2.0] {
            let [losses, gradients] = both_ways(&logits, &targets, None, gamma, DType::F32);
            assert_eq!(losses[..4], [0.0, 0.0, 1e4, 1e4], "gamma {gamma}");
            assert_eq!(gradients[..4], [0.0, 0.0, 1.0, -1.0], "gamma {gamma}");
        }
        let nan = Tensor::new(&[f32::NAN], &Device::Cpu).unwrap();
        let one = Tensor::new(&[1_f32], &Device::Cpu).unwrap();
        let [losses, gradients] = both_ways(&nan, &one, None, 2.0, DType::F32);
        assert!(losses[0].is_nan() && gradients[0].is_nan());
    }

    #[test]
    fn bad_arguments_are_named() {
        let two = Tensor::new(&[1_f32, 2.0], &Device::Cpu).unwrap();
        let fails = |targets: &Tensor, alpha, gamma| {
            let error = focal_loss(&two, targets, alpha, gamma).unwrap_err();
            error.to_string()
        };
        assert!(fails(&two, None, 2.0).contains("found 2"));
        assert!(fails(&two, Some(1.5), 2.0).contains("alpha"));
        assert!(fails(&two, None, f64::NAN).contains("gamma"));
        assert!(fails(&two.unsqueeze(0).unwrap(), None, 2.0).contains("expected shape"));
    }
}
