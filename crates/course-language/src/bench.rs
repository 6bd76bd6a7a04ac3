//! `cargo course bench embedder`: sentence vectors of ours beside candle-transformers, sentence-transformers (PyTorch) and ONNX Runtime.
//!
//! All read the same sentences with the same weights. Each side is a process of its own, one after the other, some rounds over; medians
//! are compared. A peer that is not installed is named and left out.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use course_program::{
    bench::{Bench, Measured, Options, show},
    output,
};
use serde_json::{Map, Value, json};

use crate::{
    contenders::{self, turn},
    embed,
};

const OWN: [&str; 2] = ["ours", "candle_transformers"];
const PEERS: [&str; 2] = ["pytorch", "onnxruntime"];

/// How far the vectors of two sides may be apart, in any of their numbers.
const TOLERANCE: f64 = 1e-3;

/// What to measure, and how long.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    options: Options,

    /// How often each turn takes each measurement
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    repeats: u32,

    /// A Python that has the peers (in a virtual environment: pip install sentence-transformers onnxruntime onnx onnxscript)
    #[arg(long, value_name = "FILE", default_value = "python3")]
    python: PathBuf,

    /// The folder of a BERT with vectors of sentences, as for `cargo course embed`
    #[arg(long, value_name = "NAME")]
    model: Option<String>,

    /// What one side reads: a file with one sentence a line
    #[arg(long, hide = true)]
    sentences: Option<PathBuf>,
}

/// Runs the benchmark.
pub fn run(args: &Args) -> Result<()> {
    let model = embed::folder(args.model.as_deref())?;
    if let (Some(side), Some(file)) = (&args.options.side, &args.sentences) {
        let turn = turn(side, &model, file, args.repeats as usize)?;
        return output::print(&turn.to_string());
    }
    let folder = tempfile::tempdir().context("no folder for the sentences")?;
    let file = folder.path().join("sentences.txt");
    fs::write(&file, contenders::sentences().join("\n"))?;
    let repeats = args.repeats.to_string();
    let own = ["--repeats", &repeats, "--model"].map(Into::into);
    let bench = Bench {
        command: "bench-embedder",
        own: &OWN,
        own_arguments: own
            .into_iter()
            .chain([(&model).into(), "--sentences".into(), (&file).into()])
            .collect(),
        peers: &PEERS,
        peer_arguments: vec![(&model).into(), (&file).into(), repeats.clone().into()],
        script: include_str!("peers.py"),
        python: &args.python,
    };
    let measured = bench.measure(&args.options)?;
    measured.agree("vector", TOLERANCE)?;
    show(&report(&measured), args.options.json)
}

/// Medians over the rounds, and ratios of them.
fn report(measured: &Measured) -> Value {
    let mut report = Map::new();
    let keys = contenders::TASKS.into_iter();
    for key in keys.chain(["first_vector_s", "peak_mb"]) {
        let mut row = measured.row(key);
        for peer in OWN[1..].iter().chain(&PEERS) {
            let ratio = measured.ratio(key, "ours", peer);
            row.insert(format!("ratio_to_{peer}"), json!(ratio));
        }
        report.insert(key.to_owned(), Value::Object(row));
    }
    Value::Object(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_peer_has_its_ratio_or_none() {
        let turn = |ms: f64| json!({"many_ms": ms, "one_ms": ms});
        let measured =
            Measured::from_turns(&[("ours", vec![turn(3.0)]), ("pytorch", vec![turn(6.0)])]);
        let report = report(&measured);
        assert_eq!(report["many_ms"]["ratio_to_pytorch"], json!(0.5));
        assert_eq!(report["many_ms"]["ratio_to_onnxruntime"], Value::Null);
        assert_eq!(report["peak_mb"]["ours"], Value::Null);
    }
}
