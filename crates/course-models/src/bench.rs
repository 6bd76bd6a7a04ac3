//! `cargo course bench train`: a training step of ours beside stock Candle, PyTorch and Keras, in one run.
//!
//! Each side is a process of its own, one after the other, some rounds over; medians are compared. A peer that is not installed
//! is named and left out.

use std::{
    io::Write,
    path::PathBuf,
    process::{Command, ExitCode, Stdio},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use crate::sides::{self, turn};

const PEERS: &str = include_str!("peers.py");
const SIDES: [&str; 5] = ["ours", "stock_candle", "pytorch", "pytorch_best", "keras"];

/// What to measure, and how long.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,

    /// How often each side gets its turn
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// How many steps each turn takes of each network
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,

    /// A Python that has torch and keras (in a virtual environment: pip install torch keras tensorflow-cpu)
    #[arg(long, value_name = "FILE", default_value = "python3")]
    python: PathBuf,

    /// One side only, in this process
    #[arg(long, hide = true)]
    side: Option<String>,
}

/// Runs the benchmark.
pub fn run(args: Args) -> Result<ExitCode> {
    if let Some(side) = &args.side {
        println!("{}", turn(side, args.steps as usize)?);
        return Ok(ExitCode::SUCCESS);
    }
    let mut measured: Vec<(&str, Vec<Value>)> = SIDES.iter().map(|side| (*side, vec![])).collect();
    for round in 1..=args.rounds {
        for (side, turns) in &mut measured {
            match child(side, &args) {
                Ok(turn) => turns.push(turn),
                Err(why) if round == 1 && !["ours", "stock_candle"].contains(side) => {
                    eprintln!("skipped: {side}: {why:#}");
                }
                Err(_) if turns.is_empty() => {} // said in the first round
                Err(why) => return Err(why.context(format!("{side}, round {round}"))),
            }
        }
    }
    let report = report(&measured);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print_table(&report);
    }
    Ok(ExitCode::SUCCESS)
}

/// One turn of one side, in a process of its own.
fn child(side: &str, args: &Args) -> Result<Value> {
    let steps = args.steps.to_string();
    let ours = ["ours", "stock_candle"].contains(&side);
    let mut command = if ours {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["bench-train", "--side", side, "--steps", &steps]);
        command
    } else {
        let mut command = Command::new(&args.python);
        command.args(["-", side, &steps]);
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
        bail!(
            "{}",
            text.lines()
                .last()
                .unwrap_or("it failed without a word")
                .to_owned()
        );
    }
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(text.lines().last().unwrap_or_default()).context("expected a JSON line")
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
    for task in sides::TASKS {
        let mut row = Map::new();
        for side in SIDES {
            row.insert(format!("{side}_ms"), json!(middle(side, task)));
        }
        // The better of PyTorch's two ways is the one to beat.
        let peers = [middle("pytorch", task), middle("pytorch_best", task)];
        let best = peers.into_iter().flatten().min_by(f64::total_cmp);
        let ratio = middle("ours", task)
            .zip(best)
            .map(|(ours, best)| ours / best);
        row.insert("ratio_to_pytorch_best".to_owned(), json!(ratio));
        let share = format!("{task}_share_of_peak");
        row.insert("share_of_peak".to_owned(), json!(middle("ours", &share)));
        report.insert(task.to_owned(), Value::Object(row));
    }
    for key in ["first_step_s", "peak_mb", "peak_gflops"] {
        let row: Map<String, Value> = SIDES
            .iter()
            .map(|side| ((*side).to_owned(), json!(middle(side, key))))
            .collect();
        report.insert(key.to_owned(), Value::Object(row));
    }
    Value::Object(report)
}

fn print_table(report: &Value) {
    let show = |value: &Value| {
        value
            .as_f64()
            .map_or("-".to_owned(), |number| format!("{number:.3}"))
    };
    for (name, row) in report.as_object().into_iter().flatten() {
        println!("{name}");
        for (side, value) in row.as_object().into_iter().flatten() {
            println!("  {side:<24}{:>10}", show(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_to_the_better_pytorch_and_absent_without_one() {
        let turn = |ms: f64| json!({"cifar_cnn": ms, "mnist_mlp": ms, "first_step_s": 1.0, "peak_mb": 5.0});
        let all = [
            ("ours", vec![turn(4.0), turn(1.0), turn(3.0)]),
            ("pytorch", vec![turn(6.0)]),
            ("pytorch_best", vec![turn(8.0)]),
        ];
        assert_eq!(
            report(&all)["cifar_cnn"]["ratio_to_pytorch_best"],
            json!(0.5)
        );
        assert_eq!(
            report(&all[..1])["mnist_mlp"]["ratio_to_pytorch_best"],
            Value::Null
        );
        assert_eq!(report(&all[..1])["mnist_mlp"]["keras_ms"], Value::Null);
    }
}
