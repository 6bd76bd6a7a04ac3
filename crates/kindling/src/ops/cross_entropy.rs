//! Softmax and cross-entropy in one operation.

use std::sync::OnceLock;

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Shape, Tensor};
use rayon::prelude::*;

use super::{
    exponential::exp,
    values::{Values, on_cpu, slice},
    vectorized::vectorized,
};
use crate::{Error, Result};

/// How many logits a thread takes at a time.
const NUMBERS: usize = 1 << 16;

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
                return stock(logits, &targets);
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
                return stock(logits, &targets);
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
/// The rows of padding are not read, and their gradient is zero, so that [`linear`](super::linear) leaves them out, too.
pub(crate) fn token_cross_entropy(
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

/// The same in the operations that Candle has on every device.
fn stock(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
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

/// What the model should have said.
enum Targets {
    Classes {
        /// One for each row.
        labels: Vec<u32>,
        label_smoothing: f64,
        /// The label of rows that do not count.
        padding: Option<u32>,
    },
    Probabilities(Tensor),
}

/// What turns the logits of a row into probabilities: `exp(logit - highest) / total`.
#[derive(Debug, Clone, Copy, Default)]
struct Normaliser {
    /// Taken off first, which keeps the exponentials from overflowing.
    highest: f32,
    total: f32,
    /// The sum of the logits themselves, for label smoothing.
    sum: f32,
}

impl Normaliser {
    fn log_total(self) -> f64 {
        f64::from(self.highest) + f64::from(self.total).ln()
    }
}

struct CrossEntropy {
    /// How many rows the mean is taken over.
    count: usize,
    classes: usize,
    targets: Targets,
    /// One for each row that counts; the way back uses them again.
    normalisers: OnceLock<Vec<Option<Normaliser>>>,
}

impl CrossEntropy {
    /// How many rows are worth a task.
    fn rows(&self) -> usize {
        NUMBERS.div_ceil(self.classes)
    }

    /// A place for the normaliser of each row that counts.
    fn places(&self, rows: usize) -> Vec<Option<Normaliser>> {
        match &self.targets {
            Targets::Classes {
                labels,
                padding: Some(padding),
                ..
            } => {
                let counts = labels.iter().map(|label| label != padding);
                counts
                    .map(|counts| counts.then(Normaliser::default))
                    .collect()
            }
            _ => vec![Some(Normaliser::default()); rows],
        }
    }
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross-entropy"
    }

    fn cpu_fwd(
        &self,
        logits: &CpuStorage,
        layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let logits = slice(logits, layout)?;
        let mut normalisers = self.places(logits.len() / self.classes);
        let parts = normalisers
            .par_chunks_mut(self.rows())
            .zip(logits.par_chunks(self.rows() * self.classes));
        parts.for_each(|(normalisers, logits)| normalise(normalisers, logits, self.classes));
        let rows = logits.chunks_exact(self.classes).zip(&normalisers);
        // -Σ target · log(softmax), with the logarithm taken of the sum, not of the quotient.
        let loss: f64 = match &self.targets {
            Targets::Classes {
                labels,
                label_smoothing,
                ..
            } => rows
                .zip(labels)
                .filter_map(|((logits, row), label)| {
                    let row = row.as_ref()?;
                    let right = f64::from(logits[*label as usize]);
                    let mut said = (1.0 - label_smoothing) * right;
                    if *label_smoothing > 0.0 {
                        said += label_smoothing * f64::from(row.sum) / self.classes as f64;
                    }
                    Some(row.log_total() - said)
                })
                .sum(),
            Targets::Probabilities(targets) => {
                let targets = Values::of(targets)?;
                rows.zip(targets.chunks_exact(self.classes))
                    .filter_map(|((logits, row), targets)| {
                        let log_total = row.as_ref()?.log_total();
                        let pairs = logits.iter().zip(targets);
                        Some(pairs.map(move |(logit, target)| {
                            f64::from(*target) * (log_total - f64::from(*logit))
                        }))
                    })
                    .flatten()
                    .sum()
            }
        };
        let _ = self.normalisers.set(normalisers);
        let mean = (loss / self.count as f64) as f32;
        Ok((CpuStorage::F32(vec![mean]), Shape::from(())))
    }

    fn bwd(
        &self,
        logits: &Tensor,
        _loss: &Tensor,
        gradient: &Tensor,
    ) -> candle_core::Result<Option<Tensor>> {
        let Some(normalisers) = self.normalisers.get() else {
            candle_core::bail!("cross-entropy: the way back came before the way there")
        };
        let scale = gradient.to_scalar::<f32>()? / self.count as f32;
        let values = Values::of(logits)?;
        let mut to_logits = vec![0_f32; values.len()];
        let part = self.rows() * self.classes;
        match &self.targets {
            Targets::Classes {
                labels,
                label_smoothing,
                ..
            } => {
                let spread = *label_smoothing as f32 / self.classes as f32;
                let given = values
                    .par_chunks(part)
                    .zip(normalisers.par_chunks(self.rows()));
                to_logits
                    .par_chunks_mut(part)
                    .zip(given)
                    .zip(labels.par_chunks(self.rows()))
                    .for_each(|((to_logits, (logits, normalisers)), labels)| {
                        to_probabilities(to_logits, logits, normalisers, scale, spread);
                        let rows = to_logits.chunks_exact_mut(self.classes).zip(normalisers);
                        for ((row, normaliser), label) in rows.zip(labels) {
                            if normaliser.is_some() {
                                row[*label as usize] -= scale * (1.0 - *label_smoothing as f32);
                            }
                        }
                    });
            }
            Targets::Probabilities(targets) => {
                let targets = Values::of(targets)?;
                to_probabilities(&mut to_logits, &values, normalisers, scale, 0.0);
                let rows = to_logits.chunks_exact_mut(self.classes);
                for (row, targets) in rows.zip(targets.chunks_exact(self.classes)) {
                    // Targets that do not add up to one are taken at their word.
                    let mass = targets.iter().sum::<f32>();
                    for (to_logit, target) in row.iter_mut().zip(targets) {
                        *to_logit = mass * *to_logit - scale * target;
                    }
                }
            }
        }
        let to_logits = Tensor::from_vec(to_logits, logits.shape(), logits.device())?;
        Ok(Some(to_logits))
    }
}

vectorized! {
    /// Finds the normaliser of each row, in sums of 16 lanes on every processor.
    fn normalise(normalisers: &mut [Option<Normaliser>], logits: &[f32], classes: usize) {
        for (normaliser, row) in normalisers.iter_mut().zip(logits.chunks_exact(classes)) {
            let Some(normaliser) = normaliser else {
                continue;
            };
            let (lines, rest) = row.as_chunks::<16>();
            let mut highest = [f32::NEG_INFINITY; 16];
            for line in lines {
                for (highest, logit) in highest.iter_mut().zip(line) {
                    *highest = if *logit > *highest { *logit } else { *highest };
                }
            }
            let highest = highest.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max);
            let (mut totals, mut sums) = ([0_f32; 16], [0_f32; 16]);
            for line in lines {
                for ((total, sum), logit) in totals.iter_mut().zip(&mut sums).zip(line) {
                    *total += exp(*logit - highest);
                    *sum += *logit;
                }
            }
            for ((total, sum), logit) in totals.iter_mut().zip(&mut sums).zip(rest) {
                *total += exp(*logit - highest);
                *sum += *logit;
            }
            *normaliser = Normaliser {
                highest,
                total: totals.iter().sum(),
                sum: sums.iter().sum(),
            };
        }
    }
}

vectorized! {
    /// `scale · (probability - spread)` for each logit.
    fn to_probabilities(to_logits: &mut [f32], logits: &[f32], normalisers: &[Option<Normaliser>], scale: f32, spread: f32) {
        let classes = logits.len() / normalisers.len().max(1);
        let rows = to_logits.chunks_exact_mut(classes.max(1)).zip(logits.chunks_exact(classes.max(1)));
        for ((to_logits, logits), normaliser) in rows.zip(normalisers) {
            let Some(normaliser) = normaliser else {
                continue;
            };
            let factor = scale / normaliser.total;
            for (to_logit, logit) in to_logits.iter_mut().zip(logits) {
                *to_logit = exp(*logit - normaliser.highest) * factor - scale * spread;
            }
        }
    }
}
