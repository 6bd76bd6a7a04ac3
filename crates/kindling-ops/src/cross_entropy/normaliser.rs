//! From the logits of a row to probabilities.

use crate::{exponential::exp_fused, vectorized::vectorized};

/// What turns the logits of a row into probabilities: `exp(logit - highest) / total`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Normaliser {
    /// Taken off first, which keeps the exponentials from overflowing.
    highest: f32,
    total: f32,
    /// The sum of the logits themselves, for label smoothing.
    pub(super) sum: f32,
}

impl Normaliser {
    pub(super) fn log_total(self) -> f64 {
        f64::from(self.highest) + f64::from(self.total).ln()
    }
}

vectorized! {
    /// Finds the normaliser of each row, in sums of 16 lanes on every processor.
    pub(super) fn normalise(normalisers: &mut [Option<Normaliser>], logits: &[f32], classes: usize) {
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
                    *total += exp_fused(*logit - highest);
                    *sum += *logit;
                }
            }
            for ((total, sum), logit) in totals.iter_mut().zip(&mut sums).zip(rest) {
                *total += exp_fused(*logit - highest);
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
    pub(super) fn to_probabilities(grad_logits: &mut [f32], logits: &[f32], normalisers: &[Option<Normaliser>], scale: f32, spread: f32) {
        let classes = logits.len() / normalisers.len().max(1);
        let rows = grad_logits.chunks_exact_mut(classes.max(1)).zip(logits.chunks_exact(classes.max(1)));
        for ((grad_logits, logits), normaliser) in rows.zip(normalisers) {
            let Some(normaliser) = normaliser else {
                continue;
            };
            let factor = scale / normaliser.total;
            for (grad_logit, logit) in grad_logits.iter_mut().zip(logits) {
                *grad_logit = exp_fused(*logit - normaliser.highest) * factor - scale * spread;
            }
        }
    }
}
