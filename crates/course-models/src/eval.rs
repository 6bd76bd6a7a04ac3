//! `cargo course eval`: a trained model on the test set.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Result, bail};

use crate::{
    detection::AnnotationOptions,
    options::{DataOptions, Given},
    registry, weights,
};

/// Measure a trained model on the test set.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("MODEL is one of: {}", registry::measured_names()))]
pub struct Options {
    #[command(flatten)]
    given: Given,

    /// Its name; the weights know it as well, except for `summarizer`, which has options of its own (`eval summarizer --help`)
    #[arg(required_unless_present = "weights")]
    model: Option<String>,

    /// The file of its weights; by default those trained on this machine, else those that ship with the course
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,

    #[command(flatten)]
    pub data: DataOptions,

    #[command(flatten)]
    pub annotations: AnnotationOptions,

    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs `cargo course eval`.
pub fn run(options: &Options) -> Result<ExitCode> {
    let name = match (&options.model, &options.weights) {
        (Some(name), _) => name.clone(),
        (None, Some(file)) => weights::name_in(file)?,
        (None, None) => bail!("name a model, or a file of weights with --weights"),
    };
    let model = registry::find_measured(&name)?;
    options.given.fit(model)?;
    model.evaluate(options)
}
