//! `cargo course train`: any model of the registry.

use std::process::ExitCode;

use anyhow::Result;

use crate::{options::Options, registry};

/// Runs `cargo course train`.
pub fn run(options: &Options) -> Result<ExitCode> {
    let model = registry::find(&options.model)?;
    options.given.fit(model)?;
    options.check()?;
    model.train(options)
}
