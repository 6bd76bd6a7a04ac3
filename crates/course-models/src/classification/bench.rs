//! `cargo course bench train`: a training step of ours beside stock Candle, PyTorch and Keras, in one run.
//!
//! Each side is a process of its own, one after the other, some rounds over; medians are compared. A peer that is not installed
//! is named and left out.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use course_program::{
    bench::{Bench, Measured, Options, show},
    output,
};
use serde_json::{Map, Value, json};

use super::contenders::{self, turn};

const OWN: [&str; 2] = ["ours", "stock_candle"];
const PEERS: [&str; 3] = ["pytorch", "pytorch_best", "keras"];

/// What to measure, and how long.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    options: Options,

    /// How many steps each turn takes of each network
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,

    /// A Python that has torch and keras (in a virtual environment: pip install torch keras tensorflow-cpu)
    #[arg(long, value_name = "FILE", default_value = "python3")]
    python: PathBuf,
}

/// Runs the benchmark.
pub fn run(args: Args) -> Result<ExitCode> {
    if let Some(side) = &args.options.side {
        output::print(&turn(side, args.steps as usize)?.to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    let steps = args.steps.to_string();
    let bench = Bench {
        command: "bench-train",
        own: &OWN,
        own_arguments: vec!["--steps".into(), steps.clone().into()],
        peers: &PEERS,
        peer_arguments: vec![steps.into()],
        script: include_str!("peers.py"),
        python: &args.python,
    };
    let measured = bench.measure(&args.options)?;
    show(&report(&measured), args.options.json)?;
    Ok(ExitCode::SUCCESS)
}

/// Medians over the rounds, and ratios of them.
fn report(measured: &Measured) -> Value {
    let mut report = Map::new();
    for task in contenders::TASKS {
        let times = measured.row(task).into_iter();
        let mut row: Map<String, Value> = times
            .map(|(side, time)| (format!("{side}_ms"), time))
            .collect();
        // The better of PyTorch's two ways is the one to beat.
        let ratios = ["pytorch", "pytorch_best"].map(|peer| measured.ratio(task, "ours", peer));
        let ratio = ratios.into_iter().flatten().max_by(f64::total_cmp);
        row.insert("ratio_to_pytorch_best".to_owned(), json!(ratio));
        let share = format!("{task}_share_of_peak");
        let share = measured.median("ours", &share);
        row.insert("share_of_peak".to_owned(), json!(share));
        report.insert(task.to_owned(), Value::Object(row));
    }
    for key in ["first_step_s", "peak_mb", "peak_gflops"] {
        report.insert(key.to_owned(), Value::Object(measured.row(key)));
    }
    Value::Object(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_to_the_better_pytorch_and_absent_without_one() {
        let turn = |ms: f64| json!({"cifar_cnn": ms, "mnist_mlp": ms, "first_step_s": 1.0, "peak_mb": 5.0});
        let all = [
            ("ours", vec![turn(4.0), turn(1.0), turn(3.0)]),
            ("keras", vec![]),
            ("pytorch", vec![turn(6.0)]),
            ("pytorch_best", vec![turn(8.0)]),
        ];
        let report = |sides| report(&Measured::from_turns(sides));
        assert_eq!(
            report(&all)["cifar_cnn"]["ratio_to_pytorch_best"],
            json!(0.5)
        );
        let alone = report(&all[..2]);
        assert_eq!(alone["mnist_mlp"]["ratio_to_pytorch_best"], Value::Null);
        assert_eq!(alone["mnist_mlp"]["keras_ms"], Value::Null);
    }
}
