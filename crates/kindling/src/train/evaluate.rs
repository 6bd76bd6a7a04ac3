//! Measuring a model without training it.

use candle_core::Tensor;

use super::{measures::Measures, objective::Objective};
use crate::{
    Result,
    data::{Examples, Loader},
    models::Model,
};

/// How many examples are evaluated at once: enough to be quick, few enough for any memory.
const EVALUATION_BATCH: usize = 1_000;

/// What a model can be measured on: [`Examples`], or the mini-batches of a [`Loader`].
pub trait Validation<Input = Tensor> {
    /// Goes through everything once; `forward` is the model.
    fn measure(&self, forward: &Forward<'_, Input>, measures: &mut Measured<'_>) -> Result<()>;
}

/// From inputs to outputs.
type Forward<'a, Input = Tensor> = dyn Fn(&Input) -> Result<Tensor> + 'a;

/// Takes outputs and their targets.
type Measured<'a> = dyn FnMut(Tensor, &Tensor) -> Result<()> + 'a;

impl Validation for Examples {
    fn measure(&self, forward: &Forward<'_>, measures: &mut Measured<'_>) -> Result<()> {
        measures(in_parts(forward, &self.images)?, &self.labels)
    }
}

impl<Input, L: Loader<Input> + ?Sized> Validation<Input> for L {
    fn measure(&self, forward: &Forward<'_, Input>, measures: &mut Measured<'_>) -> Result<()> {
        for batch in self.batches(0, 0)? {
            let (inputs, targets) = batch?;
            measures(forward(&inputs)?.detach(), &targets)?;
        }
        Ok(())
    }
}

/// The mean loss and the accuracy of a classifier over all examples, without training.
pub fn evaluate<Input>(
    model: &(impl Model<Input> + ?Sized),
    examples: &(impl Validation<Input> + ?Sized),
) -> Result<(f64, f64)> {
    let forward = |inputs: &Input| model.forward(inputs);
    evaluate_with(&forward, examples, &Objective::classifier())
}

/// The mean of any loss and accuracy.
pub(super) fn evaluate_with<Input>(
    forward: &Forward<'_, Input>,
    examples: &(impl Validation<Input> + ?Sized),
    objective: &Objective,
) -> Result<(f64, f64)> {
    let mut measures = Measures::default();
    examples.measure(forward, &mut |outputs, targets| {
        let loss = objective.validation_loss(&outputs, targets)?;
        let right = objective.correct(&outputs, targets)?;
        measures.add(targets.dim(0)?, 0.0, loss, right);
        Ok(())
    })?;
    // A validation loss that is no number is reported as it is: the next step of training says more.
    let _ = measures.settle()?;
    Ok(measures.means())
}

/// The logits `(examples, classes)` for any number of images, a part at a time.
pub fn predict(model: &(impl Model + ?Sized), images: &Tensor) -> Result<Tensor> {
    in_parts(&|inputs: &Tensor| model.forward(inputs), images)
}

fn in_parts(forward: &Forward<'_>, inputs: &Tensor) -> Result<Tensor> {
    let count = inputs.dim(0)?;
    let mut parts = Vec::new();
    for start in (0..count).step_by(EVALUATION_BATCH) {
        let part = inputs.narrow(0, start, EVALUATION_BATCH.min(count - start))?;
        // Detached: nothing will be differentiated, so the steps that led here can be forgotten.
        parts.push(forward(&part)?.detach()); // (part, classes)
    }
    Ok(Tensor::cat(&parts, 0)?) // (examples, classes)
}
