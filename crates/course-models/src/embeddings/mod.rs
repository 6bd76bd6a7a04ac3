//! Word vectors: what they are learned from, training, and their benchmark.

mod bench;
mod train;
mod words;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::{
    eval,
    options::{Group, Options},
    registry::{Measured, Trainable, measured_names},
};

pub use bench::{Args as BenchArgs, run as bench};
pub use train::VectorOptions;

/// Skip-gram and CBOW.
pub static WORD2VEC: WordVectors = WordVectors { name: "word2vec" };

/// A vector for each word of a text; how they are trained is all in their options.
#[derive(Debug)]
pub struct WordVectors {
    /// What the command line calls them.
    name: &'static str,
}

impl Trainable for WordVectors {
    fn name(&self) -> &'static str {
        self.name
    }

    fn groups(&self) -> &'static [Group] {
        &[Group::Vectors]
    }

    fn train(&self, options: &Options) -> Result<ExitCode> {
        train::train(self.name, options)
    }

    fn measured(&self) -> Measured {
        Measured::WhenTrained
    }

    fn evaluate(&self, _options: &eval::Options) -> Result<ExitCode> {
        bail!(
            "{}: word vectors are measured when they are trained; measured later can be: {}",
            self.name,
            measured_names()
        )
    }
}
