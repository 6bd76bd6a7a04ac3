//! Softmax and cross-entropy in one operation.

mod normaliser;
mod operation;

use std::sync::OnceLock;

use candle_core::{DType, Tensor};

use self::operation::{CrossEntropy, Targets};
use super::values::on_cpu;
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
/// let loss = kindling_ops::cross_entropy(&logits, &labels, 0.0)?.to_scalar::<f32>()?;
/// assert!((loss - 4_f32.ln()).abs() < 1e-6, "four equal chances");
/// # Ok::<(), kindling_base::Error>(())
/// ```
pub fn cross_entropy(logits: &Tensor, targets: &Tensor, label_smoothing: f64) -> Result<Tensor> {
    smoothing(label_smoothing)?;
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
        [examples] if *examples == batch => {
            let labels = targets.to_dtype(DType::U32)?.to_vec1::<u32>()?;
            if !on_cpu(&[logits]) {
                let targets = smooth(one_hot(targets, classes)?, label_smoothing, classes)?;
                return composed(logits, &targets);
            }
            known(&labels, classes)?;
            Targets::Classes {
                labels,
                label_smoothing,
                padding: None,
            }
        }
        [examples, same] if (*examples, *same) == (batch, classes) => {
            let targets = targets.to_dtype(logits.dtype())?.detach();
            let targets = smooth(targets, label_smoothing, classes)?;
            if !on_cpu(&[logits, &targets]) {
                return composed(logits, &targets);
            }
            Targets::Probabilities(targets.contiguous()?)
        }
        _ => {
            let expected = format!("({batch}) classes or ({batch}, {classes}) probabilities");
            return Err(shape("targets", &expected, targets));
        }
    };
    apply(logits, targets, batch)
}

/// [`cross_entropy`] of `logits` `(batch, time, classes)` against the tokens `targets` `(batch, time)`, the mean over all that are not
/// `padding`.
///
/// The rows of padding are not read, and their gradient is zero, so that [`linear`](super::linear) leaves them out, too. Fails when all
/// tokens are padding, or one is no class.
pub fn token_cross_entropy(
    logits: &Tensor,
    targets: &Tensor,
    padding: u32,
    label_smoothing: f64,
) -> Result<Tensor> {
    smoothing(label_smoothing)?;
    let labels = targets.flatten_all()?.to_dtype(DType::U32)?;
    let places = (0_u32..).zip(labels.to_vec1::<u32>()?);
    let (places, tokens): (Vec<u32>, Vec<u32>) =
        places.filter(|(_, label)| *label != padding).unzip();
    if places.is_empty() {
        return Err(Error::Argument(format!(
            "targets: expected at least one token, found only padding ({padding})"
        )));
    }
    let classes = logits.dims().last().copied().unwrap_or(0);
    if !on_cpu(&[logits]) {
        let count = places.len();
        let places = Tensor::new(places, logits.device())?;
        let rows = logits.reshape(((), classes))?.index_select(&places, 0)?; // (tokens, classes)
        let tokens = Tensor::from_vec(tokens, count, logits.device())?;
        return cross_entropy(&rows, &tokens, label_smoothing);
    }
    known(&tokens, classes)?;
    let targets = Targets::Classes {
        labels: labels.to_vec1()?,
        label_smoothing,
        padding: Some(padding),
    };
    apply(logits, targets, tokens.len())
}

/// The operation itself, the mean over `count` rows.
fn apply(logits: &Tensor, targets: Targets, count: usize) -> Result<Tensor> {
    let operation = CrossEntropy {
        count,
        classes: logits.dims().last().copied().unwrap_or(0),
        targets,
        normalisers: OnceLock::new(),
    };
    Ok(logits.contiguous()?.apply_op1(operation)?)
}

fn smoothing(label_smoothing: f64) -> Result<()> {
    if (0.0..=1.0).contains(&label_smoothing) {
        return Ok(());
    }
    Err(Error::Argument(format!(
        "label_smoothing: expected a number from 0 to 1, found {label_smoothing}"
    )))
}

/// The same, composed of Candle's operations, for other devices and number types.
fn composed(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let targets = targets
        .to_device(logits.device())?
        .to_dtype(logits.dtype())?;
    let log_probabilities = candle_nn::ops::log_softmax(logits, 1)?; // (batch, classes)
    let sums = (log_probabilities * targets)?.sum_all()?;
    Ok((sums * (-1.0 / logits.dim(0)? as f64))?)
}

/// Spreads a part of the probability over all classes.
fn smooth(targets: Tensor, label_smoothing: f64, classes: usize) -> Result<Tensor> {
    if label_smoothing == 0.0 {
        return Ok(targets);
    }
    Ok(targets.affine(1.0 - label_smoothing, label_smoothing / classes as f64)?)
}

/// Fails with the first label that is no class.
fn known(labels: &[u32], classes: usize) -> Result<()> {
    match labels.iter().find(|label| **label as usize >= classes) {
        None => Ok(()),
        Some(label) => Err(Error::Argument(format!(
            "labels: expected classes below {classes}, found {label}"
        ))),
    }
}

/// Classes `(batch)` as probabilities `(batch, classes)`; an unknown class is named.
pub fn one_hot(labels: &Tensor, classes: usize) -> Result<Tensor> {
    let labels = labels.to_dtype(DType::U32)?.to_vec1::<u32>()?;
    known(&labels, classes)?;
    let mut targets = vec![0_f32; labels.len() * classes];
    for (row, &label) in targets.chunks_exact_mut(classes.max(1)).zip(&labels) {
        row[label as usize] = 1.0;
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
