//! `cargo course bench seq2seq`: how many tokens a second our Transformer learns from, beside the same in PyTorch.
//!
//! All sides start from the same weights and take the same steps on the same batches, which lie in a folder. Each is a process of its
//! own, one after the other, some rounds over; medians are compared. A peer that is not installed is named and left out.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use course_program::{
    bench::{Bench, Measured, Options, show},
    output,
};
use serde_json::{Value, json};

use super::{
    contenders::{WARM_UPS, Work, turn},
    pairs::{Languages, load},
    recipes::TRANSFORMER,
};
use crate::{options::DataOptions, sequences::Pairs};

const OWN: [&str; 1] = ["ours"];
const PEERS: [&str; 2] = ["pytorch", "pytorch_best"];

/// How far the losses of two sides may be apart before any training, without dropout.
const TOLERANCE: f64 = 1e-3;

/// What to measure, and how long.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    options: Options,

    /// How many training steps each turn takes
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,

    /// A Python that has torch (in a virtual environment: pip install torch)
    #[arg(long, value_name = "FILE", default_value = "python3")]
    python: PathBuf,

    /// Sentences made by a program instead of Multi30k's
    #[arg(long)]
    builtin: bool,

    /// What one side learns from: a folder with weights and batches
    #[arg(long, hide = true)]
    work: Option<PathBuf>,
}

/// Runs the benchmark.
pub fn run(args: &Args) -> Result<ExitCode> {
    if let (Some(side), Some(folder)) = (&args.options.side, &args.work) {
        output::print(&turn(side, folder)?.to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    let folder = tempfile::tempdir().context("no folder for the batches")?;
    let pairs = pairs(args.builtin)?;
    let steps = WARM_UPS + args.steps as usize;
    let work = Work::new(&pairs, &TRANSFORMER.recipe, steps)?;
    work.write(folder.path())?;
    let bench = Bench {
        command: "bench-seq2seq",
        own: &OWN,
        own_arguments: vec!["--work".into(), folder.path().into()],
        peers: &PEERS,
        peer_arguments: vec![folder.path().into()],
        script: include_str!("peers.py"),
        python: &args.python,
    };
    let measured = bench.measure(&args.options)?;
    measured.agree("loss", TOLERANCE)?;
    show(&report(&measured, &pairs.name), args.options.json)?;
    Ok(ExitCode::SUCCESS)
}

/// The pairs that the recipe would be trained on.
fn pairs(builtin: bool) -> Result<Pairs> {
    let languages = Languages {
        from: "en".to_owned(),
        to: "de".to_owned(),
    };
    let data = DataOptions {
        builtin,
        ..DataOptions::default()
    };
    Ok(load(TRANSFORMER.vocabulary_size, &languages, &data)?.0)
}

/// Tokens a second, medians over the rounds, and their ratio.
fn report(measured: &Measured, pairs: &str) -> Value {
    let mut speeds = measured.speeds("tokens_per_s", "tokens_per_s", &PEERS);
    speeds.insert("pairs".to_owned(), json!(pairs));
    json!({
        "seq2seq": speeds,
        "first_step_s": measured.row("first_step_s"),
        "peak_mb": measured.row("peak_mb"),
    })
}
