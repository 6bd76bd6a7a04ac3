//! The short way: a classifier, Adam, four settings.

use super::{History, Training};
use crate::{
    Error, Result,
    data::{BatchIterator, Batches, Examples, Loader},
    models::Model,
    optim::Adam,
};

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
/// [`Training`] can do more.
pub fn fit(
    model: &impl Model,
    training: &Examples,
    validation: &Examples,
    config: &FitConfig,
) -> Result<History> {
    check("training", training)?;
    check("validation", validation)?;
    let loader = Shuffled::new(training, config)?;
    let optimizer = Adam::new(model.parameters(), config.learning_rate)?;
    Training::new(Box::new(optimizer))
        .epochs(config.epochs)
        .seed(config.seed)
        .fit(model, &loader, validation)
}

/// The examples as they are, in an order of their own in each epoch.
struct Shuffled<'a> {
    examples: &'a Examples,
    batch_size: usize,
    seed: u64,
}

impl<'a> Shuffled<'a> {
    fn new(examples: &'a Examples, config: &FitConfig) -> Result<Self> {
        let FitConfig {
            batch_size, seed, ..
        } = *config;
        Batches::new(examples, batch_size, seed)?; // names a batch size that makes no sense
        Ok(Self {
            examples,
            batch_size,
            seed,
        })
    }
}

impl Loader for Shuffled<'_> {
    fn steps(&self) -> usize {
        self.examples.len().div_ceil(self.batch_size)
    }

    fn examples(&self) -> usize {
        self.examples.len()
    }

    fn batches(&self, epoch: usize, skip: usize) -> Result<BatchIterator<'_>> {
        let seed = self.seed.wrapping_add(epoch as u64);
        let batches = Batches::new(self.examples, self.batch_size, seed)?;
        Ok(Box::new(batches.skip(skip)))
    }
}

fn check(what: &str, examples: &Examples) -> Result<()> {
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
    Ok(())
}
