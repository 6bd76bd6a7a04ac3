//! Loss and accuracy, added up over an epoch and read back as seldom as possible.

use candle_core::{DType, Tensor};

use super::objective::Correct;
use crate::Result;

/// How many steps may wait to be read: reading one makes a graphics card finish all that was asked of it.
const WAITING: usize = 64;

/// The sums of an epoch so far. They are added in the order of the steps, so when they were read changes nothing.
#[derive(Debug, Default)]
pub(super) struct Measures {
    pub(super) loss: f64,
    pub(super) examples: f64,
    pub(super) right: f64,
    pub(super) answers: f64,
    /// The loss of the latest step that was read.
    pub(super) latest: f64,
    waiting: Vec<Waiting>,
}

/// A step whose numbers were computed but not yet read.
#[derive(Debug)]
struct Waiting {
    examples: usize,
    learning_rate: f64,
    loss: Tensor,
    right: Option<Correct>,
}

/// The first step whose loss is not a number.
#[derive(Debug)]
pub(super) struct Diverged {
    /// How many steps came after it.
    pub(super) ago: usize,
    pub(super) loss: f64,
    pub(super) learning_rate: f64,
}

impl Measures {
    /// Adds the mean loss `()` of so many examples, and how many of them were right.
    pub(super) fn add(
        &mut self,
        examples: usize,
        learning_rate: f64,
        loss: Tensor,
        right: Option<Correct>,
    ) {
        self.waiting.push(Waiting {
            examples,
            learning_rate,
            loss,
            right,
        });
    }

    /// Whether it is time to read.
    pub(super) fn full(&self) -> bool {
        self.waiting.len() >= WAITING
    }

    /// Reads what waits; stops at the first loss that is not a number.
    pub(super) fn settle(&mut self) -> Result<Option<Diverged>> {
        let mut ago = self.waiting.len();
        let mut diverged = None;
        for step in self.waiting.drain(..) {
            ago -= 1;
            let loss = number(&step.loss)?;
            if !loss.is_finite() && diverged.is_none() {
                let learning_rate = step.learning_rate;
                diverged = Some(Diverged {
                    ago,
                    loss,
                    learning_rate,
                });
            }
            // The last batch may be smaller, so each counts by its size.
            self.loss += loss * step.examples as f64;
            self.examples += step.examples as f64;
            if let Some(right) = step.right {
                self.right += number(&right.count)?;
                self.answers += right.answers as f64;
            }
            self.latest = loss;
        }
        Ok(diverged)
    }

    /// Mean loss and accuracy of what was read; not a number where nothing was counted.
    pub(super) fn means(&self) -> (f64, f64) {
        (self.loss / self.examples, self.right / self.answers)
    }
}

fn number(scalar: &Tensor) -> Result<f64> {
    Ok(scalar.to_dtype(DType::F64)?.to_scalar::<f64>()?)
}
