//! What training makes small, and what it counts beside.

use std::fmt;

use candle_core::{D, DType, Tensor};

use crate::{Error, Result, data::Random, ops::cross_entropy};

/// From outputs and targets to a tensor.
pub(super) type Measure = Box<dyn Fn(&Tensor, &Tensor) -> Result<Tensor>>;

/// From outputs and targets to a loss, at random where it looks only at a sample.
pub(super) type Loss = Box<dyn Fn(&Tensor, &Tensor, &mut Random) -> Result<Tensor>>;

/// The chance of all losses on a validation set: the same in each epoch, so that they can be compared.
const VALIDATION_SEED: u64 = 0;

/// The loss, and which answers are right where answers can be right.
pub(super) struct Objective {
    loss: Option<Loss>,
    right: Option<Measure>,
    pub(super) label_smoothing: f64,
}

impl Objective {
    /// The cross-entropy of a classifier.
    pub(super) fn classifier() -> Self {
        Self {
            loss: None,
            right: Some(Box::new(correct_answers)),
            label_smoothing: 0.0,
        }
    }

    /// A loss of one's own; whether an output is right is then not known.
    pub(super) fn custom(loss: Loss) -> Self {
        Self {
            loss: Some(loss),
            right: None,
            label_smoothing: 0.0,
        }
    }

    pub(super) fn set_correct(&mut self, right: Measure) {
        self.right = Some(right);
    }

    /// The loss to differentiate, `()`.
    pub(super) fn training_loss(
        &self,
        outputs: &Tensor,
        targets: &Tensor,
        random: &mut Random,
    ) -> Result<Tensor> {
        match &self.loss {
            Some(loss) => loss(outputs, targets, random),
            None => cross_entropy(outputs, targets, self.label_smoothing),
        }
    }

    /// The loss to report on a validation set, `()`: smooth labels would hide how sure the model is.
    pub(super) fn validation_loss(&self, outputs: &Tensor, targets: &Tensor) -> Result<Tensor> {
        match &self.loss {
            Some(loss) => loss(outputs, targets, &mut Random::new(VALIDATION_SEED)),
            None => cross_entropy(outputs, targets, 0.0),
        }
    }

    /// How many answers are right, `()`, and of how many; nothing where none can be right.
    pub(super) fn correct(&self, outputs: &Tensor, targets: &Tensor) -> Result<Option<Correct>> {
        let Some(right) = &self.right else {
            return Ok(None);
        };
        let right = right(outputs, targets)?; // 1 for each right answer, 0 for each other
        let answers = right.elem_count();
        let count = right.to_dtype(DType::F32)?.sum_all()?;
        Ok(Some(Correct { count, answers }))
    }
}

/// How many of how many answers are right.
#[derive(Debug)]
pub(super) struct Correct {
    /// `()`, on the device where it was counted.
    pub(super) count: Tensor,
    pub(super) answers: usize,
}

impl fmt::Debug for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.loss {
            Some(_) => write!(f, "a loss of its own"),
            None => write!(f, "cross-entropy"),
        }
    }
}

/// 1 for each output `(batch, …, classes)` that is largest at the class that its target names, 0 for each other.
///
/// Targets are classes `(batch, …)`, or probabilities of the outputs' shape, of which the largest counts.
fn correct_answers(outputs: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let answers = outputs.argmax(D::Minus1)?; // (batch, …)
    let classes = if targets.dims() == outputs.dims() {
        targets.argmax(D::Minus1)?
    } else if targets.dims() == answers.dims() {
        targets.to_dtype(DType::U32)?
    } else {
        return Err(Error::Shape {
            what: "labels".to_owned(),
            expected: format!("one for each row of the logits {:?}", outputs.dims()),
            found: targets.dims().to_vec(),
        });
    };
    Ok(answers.eq(&classes)?) // (batch, …)
}
