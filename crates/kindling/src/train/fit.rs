//! The training loop: mini-batch, loss, gradient, step, and again.

use candle_core::Tensor;
use candle_nn::{AdamW, Optimizer, ParamsAdamW, loss::cross_entropy};
use kindling_progress::{Progress, stop_requested};

use super::{Epoch, History};
use crate::{
    Error, Result,
    data::{Batches, Examples},
    metrics::accuracy,
    models::Model,
};

/// How many examples are evaluated at once: enough to be quick, few enough for any memory.
const EVALUATION_BATCH: usize = 1_000;

/// How [`fit`] trains; by default 10 epochs of Adam in batches of 128.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FitConfig {
    /// How often to go through the training set.
    pub epochs: usize,
    /// How many examples each step looks at.
    pub batch_size: usize,
    /// The learning rate of Adam.
    pub learning_rate: f64,
    /// Decides the order of the examples.
    pub seed: u64,
}

impl Default for FitConfig {
    fn default() -> Self {
        Self {
            epochs: 10,
            batch_size: 128,
            learning_rate: 0.001,
            seed: 0,
        }
    }
}

/// Trains a classifier with Adam and the cross-entropy loss; after each epoch it is measured on `validation`.
///
/// A stop request of the learner ends it early: the model keeps what it has learned, the history what was recorded.
pub fn fit(
    model: &impl Model,
    training: &Examples,
    validation: &Examples,
    config: &FitConfig,
) -> Result<History> {
    check(training, validation, config)?;
    let mut optimizer = AdamW::new(
        model.parameters(),
        ParamsAdamW {
            lr: config.learning_rate,
            weight_decay: 0.0,
            ..ParamsAdamW::default()
        },
    )?;
    let steps = training.len().div_ceil(config.batch_size);
    let progress = Progress::new((config.epochs * steps) as u64, "training", "steps");
    let mut history = History::default();
    for epoch in 1..=config.epochs {
        let mut sums = (0.0, 0.0);
        let batches = Batches::new(
            training,
            config.batch_size,
            config.seed.wrapping_add(epoch as u64),
        )?;
        for (step, batch) in batches.enumerate() {
            if stop_requested() {
                progress.finish(&format!(
                    "stopped in epoch {epoch}, after {step} of {steps} steps"
                ));
                history.stopped = true;
                return Ok(history);
            }
            let (images, labels) = batch?;
            let (loss, accuracy) = train_step(model, &mut optimizer, &images, &labels)?;
            if !loss.is_finite() {
                return Err(diverged(loss, epoch, step + 1, config.learning_rate));
            }
            // The last batch may be smaller, so each counts by its size.
            sums.0 += loss * labels.elem_count() as f64;
            sums.1 += accuracy * labels.elem_count() as f64;
            progress.message(&format!(
                "epoch {epoch} of {} · loss {loss:.3}",
                config.epochs
            ));
            progress.set(((epoch - 1) * steps + step + 1) as u64);
        }
        let count = training.len() as f64;
        let (validation_loss, validation_accuracy) = evaluate(model, validation)?;
        history.epochs.push(Epoch {
            loss: sums.0 / count,
            accuracy: sums.1 / count,
            validation_loss,
            validation_accuracy,
        });
    }
    progress.finish("");
    Ok(history)
}

// ANCHOR: train_step
/// One step downhill on one mini-batch; returns the loss and the accuracy before it.
fn train_step(
    model: &impl Model,
    optimizer: &mut impl Optimizer,
    images: &Tensor,
    labels: &Tensor,
) -> Result<(f64, f64)> {
    let logits = model.forward(images)?; // (batch, classes)
    let loss = cross_entropy(&logits, labels)?; // ()
    optimizer.step(&loss.backward()?)?;
    Ok((
        f64::from(loss.to_scalar::<f32>()?),
        accuracy(&logits, labels)?,
    ))
}
// ANCHOR_END: train_step

/// The mean loss and the accuracy over all examples, without training.
pub fn evaluate(model: &impl Model, examples: &Examples) -> Result<(f64, f64)> {
    let logits = predict(model, &examples.images)?; // (examples, classes)
    let loss = cross_entropy(&logits, &examples.labels)?.to_scalar::<f32>()?;
    Ok((f64::from(loss), accuracy(&logits, &examples.labels)?))
}

/// The logits `(examples, classes)` for any number of images, a part at a time.
pub fn predict(model: &impl Model, images: &Tensor) -> Result<Tensor> {
    let count = images.dim(0)?;
    let mut parts = Vec::new();
    for start in (0..count).step_by(EVALUATION_BATCH) {
        let part = images.narrow(0, start, EVALUATION_BATCH.min(count - start))?;
        // Detached: nothing will be differentiated, so the steps that led here can be forgotten.
        parts.push(model.forward(&part)?.detach()); // (part, classes)
    }
    Ok(Tensor::cat(&parts, 0)?) // (examples, classes)
}

fn check(training: &Examples, validation: &Examples, config: &FitConfig) -> Result<()> {
    for (what, examples) in [("training", training), ("validation", validation)] {
        if examples.is_empty() {
            return Err(Error::Argument(format!(
                "{what}: expected at least one example, found none"
            )));
        }
        // ReLU turns NaN into 0, so without this a model would quietly learn nothing.
        if !examples.images.sum_all()?.to_scalar::<f32>()?.is_finite() {
            return Err(Error::Argument(format!(
                "{what}: expected finite numbers, found NaN or infinity among the images"
            )));
        }
    }
    if config.batch_size == 0 {
        return Err(Error::Argument(
            "batch_size: expected at least 1, found 0".to_owned(),
        ));
    }
    if !(config.learning_rate.is_finite() && config.learning_rate > 0.0) {
        let found = config.learning_rate;
        return Err(Error::Argument(format!(
            "learning_rate: expected a positive number, found {found}"
        )));
    }
    Ok(())
}

fn diverged(loss: f64, epoch: usize, step: usize, learning_rate: f64) -> Error {
    Error::Training(format!(
        "the loss is {loss} at step {step} of epoch {epoch}; try a learning rate smaller than {learning_rate:e}"
    ))
}
