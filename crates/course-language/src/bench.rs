//! `cargo course bench embedder`: sentence vectors of ours beside candle-transformers, sentence-transformers (PyTorch) and ONNX Runtime.
//!
//! All read the same sentences with the same weights. Each side is a process of its own, one after the other, some rounds over; medians
//! are compared. A peer that is not installed is named and left out.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use crate::{
    embed, output,
    sides::{self, turn},
};

const PEERS: &str = include_str!("peers.py");
const SIDES: [&str; 4] = ["ours", "candle_transformers", "pytorch", "onnxruntime"];

/// Those that are part of this program.
const OWN: [&str; 2] = ["ours", "candle_transformers"];

/// How far the vectors of two sides may be apart, in any of their numbers.
const TOLERANCE: f64 = 1e-3;

/// What to measure, and how long.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,

    /// How often each side gets its turn
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// How often each turn takes each measurement
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    repeats: u32,

    /// A Python that has the peers (in a virtual environment: pip install sentence-transformers onnxruntime onnx onnxscript)
    #[arg(long, value_name = "FILE", default_value = "python3")]
    python: PathBuf,

    /// The folder of a BERT with vectors of sentences, as for `cargo course embed`
    #[arg(long, value_name = "NAME")]
    model: Option<String>,

    /// One side only, in this process
    #[arg(long, hide = true, requires = "sentences")]
    side: Option<String>,

    /// What that side reads: a file with one sentence a line
    #[arg(long, hide = true)]
    sentences: Option<PathBuf>,
}

/// Runs the benchmark.
pub fn run(args: &Args) -> Result<()> {
    let model = embed::folder(args.model.as_deref())?;
    if let (Some(side), Some(file)) = (&args.side, &args.sentences) {
        let turn = turn(side, &model, file, args.repeats as usize)?;
        return output::print(&turn.to_string());
    }
    let folder = tempfile::tempdir().context("no folder for the sentences")?;
    let file = folder.path().join("sentences.txt");
    fs::write(&file, sides::sentences().join("\n"))?;
    let mut measured: Vec<(&str, Vec<Value>)> = SIDES.iter().map(|side| (*side, vec![])).collect();
    for round in 1..=args.rounds {
        for (side, turns) in &mut measured {
            match child(side, &model, &file, args) {
                Ok(turn) => turns.push(turn),
                Err(why) if round == 1 && !OWN.contains(side) => {
                    output::note(&format!("skipped: {side}: {why:#}"));
                }
                Err(_) if turns.is_empty() => {} // said in the first round
                Err(why) => return Err(why.context(format!("{side}, round {round}"))),
            }
        }
    }
    agree(&measured)?;
    let report = report(&measured);
    if args.json {
        return output::print(&serde_json::to_string_pretty(&report)?);
    }
    print_table(&report)
}

/// One turn of one side, in a process of its own.
fn child(side: &str, model: &Path, sentences: &Path, args: &Args) -> Result<Value> {
    let repeats = args.repeats.to_string();
    let ours = OWN.contains(&side);
    let mut command = if ours {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["bench-embedder", "--side", side, "--repeats", &repeats]);
        command.arg("--model").arg(model);
        command.arg("--sentences").arg(sentences);
        command
    } else {
        let mut command = Command::new(&args.python);
        command.args(["-", side]).arg(model).arg(sentences);
        command.arg(&repeats);
        command
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
    command
        .env("KINDLING_BENCH_THREADS", threads.to_string())
        .env("KINDLING_BENCH_STARTED", now.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    if let Some(mut input) = child.stdin.take() {
        // A program that does not read its input has nothing to be told.
        let _ = input.write_all(if ours { b"" } else { PEERS.as_bytes() });
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let last = text.lines().last();
        bail!("{}", last.unwrap_or("it failed without a word").to_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(text.lines().last().unwrap_or_default()).context("expected a JSON line")
}

/// Who computes something else is not slower or quicker, but wrong.
fn agree(measured: &[(&str, Vec<Value>)]) -> Result<()> {
    let vector = |turns: &[Value]| -> Vec<f64> {
        let first = turns.first().and_then(|turn| turn["vector"].as_array());
        first
            .into_iter()
            .flatten()
            .filter_map(Value::as_f64)
            .collect()
    };
    let Some((_, ours)) = measured.first() else {
        return Ok(());
    };
    let ours = vector(ours);
    for (side, turns) in measured.iter().filter(|(_, turns)| !turns.is_empty()) {
        let theirs = vector(turns);
        let differences = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs());
        let largest = differences.fold(0.0, f64::max);
        if theirs.is_empty() || theirs.len() != ours.len() || largest > TOLERANCE {
            bail!(
                "{side}: expected the vector of ours, {} numbers to within {TOLERANCE}, found {} numbers and the difference {largest:.1e}",
                ours.len(),
                theirs.len()
            );
        }
    }
    Ok(())
}

/// Medians over the rounds, and ratios of them.
fn report(measured: &[(&str, Vec<Value>)]) -> Value {
    let middle = |side: &str, key: &str| -> Option<f64> {
        let (_, turns) = measured.iter().find(|(name, _)| *name == side)?;
        let mut values: Vec<f64> = turns.iter().filter_map(|turn| turn[key].as_f64()).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    };
    let mut report = Map::new();
    for key in sides::TASKS
        .into_iter()
        .chain(["first_vector_s", "peak_mb"])
    {
        let mut row = Map::new();
        for side in SIDES {
            row.insert(side.to_owned(), json!(middle(side, key)));
        }
        for peer in &SIDES[1..] {
            let pair = middle("ours", key).zip(middle(peer, key));
            let ratio = pair.map(|(ours, theirs)| ours / theirs);
            row.insert(format!("ratio_to_{peer}"), json!(ratio));
        }
        report.insert(key.to_owned(), Value::Object(row));
    }
    Value::Object(report)
}

fn print_table(report: &Value) -> Result<()> {
    let show = |value: &Value| {
        value
            .as_f64()
            .map_or("-".to_owned(), |number| format!("{number:.3}"))
    };
    for (name, row) in report.as_object().into_iter().flatten() {
        output::print(name)?;
        for (side, value) in row.as_object().into_iter().flatten() {
            output::print(&format!("  {side:<30}{:>10}", show(value)))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(ms: f64, vector: [f64; 2]) -> Value {
        json!({"many_ms": ms, "one_ms": ms, "first_vector_s": 1.0, "peak_mb": 5.0, "vector": vector})
    }

    #[test]
    fn ratios_are_those_of_medians_and_absent_without_a_peer() {
        let own = [4.0, 1.0, 3.0].map(|ms| turn(ms, [0.6, 0.8])).to_vec();
        let all = [("ours", own), ("pytorch", vec![turn(6.0, [0.6, 0.8])])];
        assert_eq!(report(&all)["many_ms"]["ratio_to_pytorch"], json!(0.5));
        assert_eq!(report(&all)["many_ms"]["ratio_to_onnxruntime"], Value::Null);
        assert_eq!(report(&all[..1])["one_ms"]["pytorch"], Value::Null);
    }

    #[test]
    fn a_side_with_other_vectors_is_not_compared() {
        let sides = |vector| {
            [
                ("ours", vec![turn(1.0, [0.6, 0.8])]),
                ("pytorch", vec![turn(1.0, vector)]),
            ]
        };
        assert!(agree(&sides([0.6, 0.8001])).is_ok());
        let error = agree(&sides([0.8, 0.6])).unwrap_err().to_string();
        assert!(
            error.starts_with("pytorch: expected the vector of ours"),
            "{error}"
        );
    }
}
