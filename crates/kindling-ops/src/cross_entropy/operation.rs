//! Both ways through the loss.

use std::sync::OnceLock;

use candle_core::{CpuStorage, CustomOp1, Layout, Shape, Tensor};
use rayon::prelude::*;

use super::normaliser::{Normaliser, normalise, to_probabilities};
use crate::{
    parts::each_part,
    values::{Values, slice},
};

/// How many logits a thread takes at a time.
const NUMBERS: usize = 1 << 16;

/// What the model should have said.
pub(super) enum Targets {
    Classes {
        /// One for each row.
        labels: Vec<u32>,
        label_smoothing: f64,
        /// The label of rows that do not count.
        padding: Option<u32>,
    },
    Probabilities(Tensor),
}

pub(super) struct CrossEntropy {
    /// How many rows the mean is taken over.
    pub(super) count: usize,
    pub(super) classes: usize,
    pub(super) targets: Targets,
    /// One for each row that counts; the way back uses them again.
    pub(super) normalisers: OnceLock<Vec<Option<Normaliser>>>,
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
        each_part(parts, |(normalisers, logits)| {
            normalise(normalisers, logits, self.classes);
        });
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
        let mut grad_logits = vec![0_f32; values.len()];
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
                let parts = grad_logits
                    .par_chunks_mut(part)
                    .zip(given)
                    .zip(labels.par_chunks(self.rows()));
                each_part(parts, |((grad_logits, (logits, normalisers)), labels)| {
                    to_probabilities(grad_logits, logits, normalisers, scale, spread);
                    let rows = grad_logits.chunks_exact_mut(self.classes).zip(normalisers);
                    for ((row, normaliser), label) in rows.zip(labels) {
                        if normaliser.is_some() {
                            row[*label as usize] -= scale * (1.0 - *label_smoothing as f32);
                        }
                    }
                });
            }
            Targets::Probabilities(targets) => {
                let targets = Values::of(targets)?;
                to_probabilities(&mut grad_logits, &values, normalisers, scale, 0.0);
                let rows = grad_logits.chunks_exact_mut(self.classes);
                for (row, targets) in rows.zip(targets.chunks_exact(self.classes)) {
                    // Targets that do not add up to one are taken at their word.
                    let mass = targets.iter().sum::<f32>();
                    for (grad_logit, target) in row.iter_mut().zip(targets) {
                        *grad_logit = mass * *grad_logit - scale * target;
                    }
                }
            }
        }
        let grad_logits = Tensor::from_vec(grad_logits, logits.shape(), logits.device())?;
        Ok(Some(grad_logits))
    }
}
