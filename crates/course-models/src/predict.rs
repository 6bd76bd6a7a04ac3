//! `cargo course predict`: a trained model on your own pictures.

use std::process::ExitCode;

use anyhow::Result;

use crate::{classification, detection};

/// Use a trained model.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Read a handwritten digit in each picture, of any size, dark on bright or bright on dark
    Digits(classification::PredictArgs),
    /// Find objects in each picture, such as the cells in blood; writes the picture with boxes, and a JSON file
    Detect(detection::PredictArgs),
}

/// Runs `cargo course predict`.
pub fn run(args: Args) -> Result<ExitCode> {
    match args.what {
        What::Digits(args) => classification::predict(args),
        What::Detect(args) => detection::predict(&args),
    }
}
