//! The training loop: mini-batch, loss, gradient, step, and again.

use candle_core::Tensor;
use candle_nn::loss::cross_entropy;
use kindling_progress::{Progress, stop_requested};

use super::{Epoch, History};
use crate::{
    Error, Result,
    data::{Batches, Examples},
    metrics::accuracy,
    models::Model,
    optim::{Adam, Optimizer},
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
    let mut optimizer = Adam::new(model.parameters(), config.learning_rate)?;
    let steps = config.epochs * training.len().div_ceil(config.batch_size);
    let progress = Progress::new(steps as u64, "training", "steps");
    let mut history = History::default();
    for epoch in 1..=config.epochs {
        let seed = config.seed.wrapping_add(epoch as u64);
        let batches = Batches::new(training, config.batch_size, seed)?;
        let measured = train_epoch(model, &mut optimizer, batches, epoch, &progress)?;
        let Some((loss, accuracy)) = measured else {
            progress.finish(&format!("stopped in epoch {epoch}"));
            history.stopped = true;
            return Ok(history);
        };
        let (validation_loss, validation_accuracy) = evaluate(model, validation)?;
        history.epochs.push(Epoch {
            loss,
            accuracy,
            validation_loss,
            validation_accuracy,
        });
    }
    progress.finish("");
    Ok(history)
}

/// Goes once through the batches; returns mean loss and accuracy, or nothing when asked to stop.
fn train_epoch(
    model: &impl Model,
    optimizer: &mut impl Optimizer,
    batches: Batches,
    epoch: usize,
    progress: &Progress,
) -> Result<Option<(f64, f64)>> {
    let steps = batches.len();
    let (mut losses, mut hits, mut examples) = (0.0, 0.0, 0.0);
    for (batch, step) in batches.zip(1..) {
        if stop_requested() {
            return Ok(None);
        }
        let (images, labels) = batch?;
        let (loss, accuracy) = train_step(model, optimizer, &images, &labels)?;
        if !loss.is_finite() {
            return Err(diverged(loss, epoch, step, optimizer.learning_rate()));
        }
        // The last batch may be smaller, so each counts by its size.
        let size = labels.elem_count() as f64;
        losses += loss * size;
        hits += accuracy * size;
        examples += size;
        progress.message(&format!("epoch {epoch} · loss {loss:.3}"));
        progress.set(((epoch - 1) * steps + step) as u64);
    }
    Ok(Some((losses / examples, hits / examples)))
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
    let loss = f64::from(loss.to_scalar::<f32>()?);
    Ok((loss, accuracy(&logits, labels)?))
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
    Ok(())
}

fn diverged(loss: f64, epoch: usize, step: usize, learning_rate: f64) -> Error {
    Error::Training(format!(
        "the loss is {loss} at step {step} of epoch {epoch}; try a learning rate smaller than {learning_rate:e}"
    ))
}
