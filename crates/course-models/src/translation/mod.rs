//! Models that translate: recipes, data, training, and `cargo course translate`.

mod bench;
mod contenders;
mod evaluate;
mod network;
mod pairs;
pub mod recipes;
mod task;
mod translate;

use std::process::ExitCode;

use anyhow::Result;

use self::recipes::Architecture;
use crate::{
    eval,
    options::{Group, Options},
    recipe::Recipe,
    registry::Trainable,
};

pub use bench::{Args as BenchArgs, run as bench};
pub use pairs::Languages;
pub use translate::{Args, run};

/// A translator that can be trained by name.
#[derive(Debug)]
pub struct NamedTranslator {
    /// What the command line calls it.
    pub name: &'static str,
    /// What translates.
    pub architecture: Architecture,
    /// How many tokens source and target share.
    pub vocabulary_size: usize,
    /// How it is trained.
    pub recipe: Recipe,
}

impl Trainable for NamedTranslator {
    fn name(&self) -> &'static str {
        self.name
    }

    fn groups(&self) -> &'static [Group] {
        &[Group::Batches, Group::Languages]
    }

    fn train(&self, options: &Options) -> Result<ExitCode> {
        task::train(self, options)
    }

    fn evaluate(&self, options: &eval::Options) -> Result<ExitCode> {
        evaluate::evaluate(self, options)
    }
}
