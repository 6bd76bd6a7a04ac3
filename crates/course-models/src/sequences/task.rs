//! `cargo course train` for models of sequences.

use std::{path::Path, process::ExitCode};

use anyhow::Result;
use kindling::{
    data::{SequencePair, SpecialTokens},
    models::Model,
    train::{Settings, Training, correct_tokens, places, save_weights, sequence_cross_entropy},
};

use super::Pairs;
use crate::{
    recipe::Recipe,
    run::{Batches, Origin, Run, Score, Task},
};

/// What is trained on pairs, and how it is judged.
pub trait SequenceTask {
    /// The network.
    type Network;

    /// The measure that several seeds are compared by.
    const MEASURE: &'static str;

    /// What it learns from.
    fn pairs(&self) -> &Pairs;

    /// One with random weights.
    fn network(&self, seed: u64) -> Result<Self::Network>;

    /// What training and weights ask of it.
    fn model<'n>(&self, network: &'n Self::Network) -> &'n dyn Model<SequencePair>;

    /// What the weights must say so that they can be used, by name.
    fn details(&self, _network: &Self::Network) -> Result<Vec<(&'static str, String)>> {
        Ok(Vec::new()) // the recipe's name says everything
    }

    /// How good it is on the test set.
    fn judge(&self, network: &Self::Network) -> Result<Score>;
}

/// Trains with each seed, and measures on the test set.
pub fn train(run: &Run<'_>, recipe: Recipe, task: impl SequenceTask) -> Result<ExitCode> {
    run.train(&OnPairs { recipe, task })
}

/// A task with the recipe for it.
struct OnPairs<T> {
    recipe: Recipe,
    task: T,
}

impl<T: SequenceTask> Task for OnPairs<T> {
    type Network = T::Network;

    type Input = SequencePair;

    const MEASURE: (&'static str, &'static str) = (T::MEASURE, "");

    fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    fn settings(&self) -> Result<Settings> {
        Ok(Settings::default())
    }

    fn origin(&self) -> Origin<'_> {
        let Pairs { name, licence, .. } = self.task.pairs();
        Origin { name, licence }
    }

    fn network(&self, seed: u64) -> Result<T::Network> {
        self.task.network(seed)
    }

    fn model<'n>(&self, network: &'n T::Network) -> &'n dyn Model<SequencePair> {
        self.task.model(network)
    }

    fn examples(&self) -> String {
        let pairs = self.task.pairs();
        format!(
            ", {} tokens; {} training, {} validation and {} test pairs of {}",
            pairs.tokenizer.len(),
            pairs.training.len(),
            pairs.validation.len(),
            pairs.test,
            pairs.name,
        )
    }

    fn batches(&self, seed: u64) -> Result<Batches<SequencePair>> {
        let loaders = self.task.pairs().loaders(self.recipe.batch_size, seed);
        let (training, validation) = loaders?;
        Ok((Box::new(training), Box::new(validation)))
    }

    fn with_loss(&self, training: Training, _network: &T::Network) -> Result<Training> {
        let padding = SpecialTokens::FIRST.padding;
        let smoothing = self.recipe.label_smoothing;
        Ok(training
            .loss(move |logits, targets| {
                sequence_cross_entropy(logits, targets, padding, smoothing)
            })
            .correct(move |logits, targets| correct_tokens(logits, targets, padding)))
    }

    fn judge(&self, network: T::Network) -> Result<(T::Network, Score)> {
        let score = self.task.judge(&network)?;
        Ok((network, score))
    }

    fn save(&self, network: &T::Network, file: &Path, details: &[(&str, &str)]) -> Result<()> {
        let tokenizer = &self.task.pairs().tokenizer;
        tokenizer.save(places::tokenizer_beside(file))?;
        let own = self.task.details(network)?;
        let own = own.iter().map(|(name, words)| (*name, words.as_str()));
        let details: Vec<(&str, &str)> = details.iter().copied().chain(own).collect();
        Ok(save_weights(self.task.model(network), file, &details)?)
    }
}
