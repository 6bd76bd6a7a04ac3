//! The model that writes subject lines: its recipe, its data, its training. It is used through `kindling::pipeline::Abstractive`.

mod copies;
mod emails;
mod examples;
mod task;

use std::process::ExitCode;

use anyhow::{Result, bail};
use kindling::pipeline::Abstractive;

use crate::{
    eval,
    options::{Group, Options},
    recipe::{OptimizerKind, QUICK_RISE, Recipe},
    registry::{Measured, Trainable},
};

/// The one that the pipeline knows.
pub static SUMMARIZER: Subjects = Subjects {
    vocabulary_size: 4_000,
    recipe: Recipe {
        epochs: 6,
        batch_size: 32,
        learning_rate: 0.002,
        schedule: QUICK_RISE,
        optimizer: OptimizerKind::Adam,
        label_smoothing: 0.0,
        clip_norm: Some(1.0),
        patience: Some(4),
    },
};

/// A model that writes subject lines.
#[derive(Debug)]
pub struct Subjects {
    /// How many tokens e-mails and subjects share.
    vocabulary_size: usize,
    /// How it is trained.
    recipe: Recipe,
}

impl Trainable for Subjects {
    fn name(&self) -> &'static str {
        Abstractive::NAME
    }

    fn groups(&self) -> &'static [Group] {
        &[Group::Batches]
    }

    fn train(&self, options: &Options) -> Result<ExitCode> {
        task::train(self, options)
    }

    fn measured(&self) -> Measured {
        Measured::ByLanguage
    }

    /// `cargo course` knows the name, but not whose weights are in a file.
    fn evaluate(&self, _options: &eval::Options) -> Result<ExitCode> {
        let name = self.name();
        bail!("weights of {name} are measured by `cargo course eval {name} --engine FILE`")
    }
}
