//! Softmax and cross-entropy in one operation.

use candle_core::{CpuStorage, CustomOp2, DType, Layout, Shape, Tensor};

use super::values::{Values, on_cpu, slice};
use crate::{Error, Result};

/// The mean cross-entropy of `logits` `(batch, classes)` against `targets`, a scalar.
///
/// `targets` are classes `(batch)` as `u32`, or probabilities `(batch, classes)`. With label smoothing ε the
/// target is `(1 - ε) · target + ε / classes` (Szegedy et al., 2016, section 7). The gradient has a short form: what softmax gives
/// minus the target, over the batch size.
///
/// ```
/// use candle_core::{Device, Tensor};
/// let logits = Tensor::zeros((2, 4), candle_core::DType::F32, &Device::Cpu)?;
/// let labels = Tensor::new(&[0_u32, 3], &Device::Cpu)?;
/// let loss = kindling::ops::cross_entropy(&logits, &labels, 0.0)?.to_scalar::<f32>()?;
/// assert!((loss - 4_f32.ln()).abs() < 1e-6, "four equal chances");
/// # Ok::<(), kindling::Error>(())
/// ```
pub fn cross_entropy(logits: &Tensor, targets: &Tensor, label_smoothing: f64) -> Result<Tensor> {
    if !(0.0..=1.0).contains(&label_smoothing) {
        return Err(Error::Argument(format!(
            "label_smoothing: expected a number from 0 to 1, found {label_smoothing}"
        )));
    }
    let &[batch, classes] = logits.dims() else {
        return Err(shape("logits", "(batch, classes)", logits));
    };
    if batch * classes == 0 {
        return Err(shape(
            "logits",
            "at least one example and one class",
            logits,
        ));
    }
    let targets = match targets.dims() {
        [examples] if *examples == batch => one_hot(targets, classes)?,
        [examples, same] if (*examples, *same) == (batch, classes) => {
            targets.to_dtype(logits.dtype())?
        }
        _ => {
            let expected = format!("({batch}) classes or ({batch}, {classes}) probabilities");
            return Err(shape("targets", &expected, targets));
        }
    };
    let targets = targets.to_dtype(logits.dtype())?.detach();
    let targets = if label_smoothing > 0.0 {
        targets.affine(1.0 - label_smoothing, label_smoothing / classes as f64)?
    } else {
        targets
    };
    if !on_cpu(&[logits, &targets]) {
        let targets = targets.to_device(logits.device())?;
        let log_probabilities = candle_nn::ops::log_softmax(logits, 1)?; // (batch, classes)
        let sums = (log_probabilities * targets)?.sum_all()?;
        return Ok((sums * (-1.0 / batch as f64))?);
    }
    let operation = CrossEntropy { batch, classes };
    Ok(logits
        .contiguous()?
        .apply_op2(&targets.contiguous()?, operation)?)
}

/// Classes `(batch)` as probabilities `(batch, classes)`; an unknown class is named.
pub fn one_hot(labels: &Tensor, classes: usize) -> Result<Tensor> {
    let labels = labels.to_dtype(DType::U32)?.to_vec1::<u32>()?;
    let mut targets = vec![0_f32; labels.len() * classes];
    for (row, &label) in targets.chunks_exact_mut(classes.max(1)).zip(&labels) {
        match row.get_mut(label as usize) {
            Some(target) => *target = 1.0,
            None => {
                return Err(Error::Argument(format!(
                    "labels: expected classes below {classes}, found {label}"
                )));
            }
        }
    }
    let shape = (labels.len(), classes);
    Ok(Tensor::from_vec(targets, shape, &candle_core::Device::Cpu)?)
}

fn shape(what: &str, expected: &str, found: &Tensor) -> Error {
    Error::Shape {
        what: what.to_owned(),
        expected: expected.to_owned(),
        found: found.dims().to_vec(),
    }
}

struct CrossEntropy {
    batch: usize,
    classes: usize,
}

impl CustomOp2 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross-entropy"
    }

    fn cpu_fwd(
        &self,
        logits: &CpuStorage,
        logits_layout: &Layout,
        targets: &CpuStorage,
        targets_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let logits = slice(logits, logits_layout)?.chunks_exact(self.classes);
        let targets = slice(targets, targets_layout)?.chunks_exact(self.classes);
        let mut loss = 0.0;
        for (logits, targets) in logits.zip(targets) {
            let (highest, total) = normaliser(logits);
            // -Σ target · log(softmax), with the logarithm taken of the sum, not of the quotient.
            let log_total = highest + total.ln();
            let pairs = logits.iter().zip(targets);
            loss += pairs
                .map(|(logit, target)| f64::from(*target) * (log_total - f64::from(*logit)))
                .sum::<f64>();
        }
        let mean = (loss / self.batch as f64) as f32;
        Ok((CpuStorage::F32(vec![mean]), Shape::from(())))
    }

    fn bwd(
        &self,
        logits: &Tensor,
        targets: &Tensor,
        _loss: &Tensor,
        gradient: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        let scale = f64::from(gradient.to_scalar::<f32>()?) / self.batch as f64;
        let (values, targets) = (Values::of(logits)?, Values::of(targets)?);
        let mut to_logits = vec![0_f32; values.len()];
        let rows = values
            .chunks_exact(self.classes)
            .zip(targets.chunks_exact(self.classes));
        for (to_logits, (logits, targets)) in to_logits.chunks_exact_mut(self.classes).zip(rows) {
            let (highest, total) = normaliser(logits);
            // Targets that do not add up to one are taken at their word.
            let mass = f64::from(targets.iter().sum::<f32>());
            for ((to_logit, logit), target) in to_logits.iter_mut().zip(logits).zip(targets) {
                let probability = (f64::from(*logit) - highest).exp() / total;
                *to_logit = (scale * (mass * probability - f64::from(*target))) as f32;
            }
        }
        let to_logits = Tensor::from_vec(to_logits, logits.shape(), logits.device())?;
        Ok((Some(to_logits), None))
    }
}

/// The highest logit, and the sum of all exponentials once it is taken off, which keeps them from overflowing.
fn normaliser(logits: &[f32]) -> (f64, f64) {
    let highest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let total = logits
        .iter()
        .map(|logit| (f64::from(*logit) - highest).exp())
        .sum();
    (highest, total)
}
