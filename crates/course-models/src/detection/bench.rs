//! `cargo course bench detect`: how many pictures a second our one-stage detector learns from and looks at, beside the same in PyTorch.
//!
//! All sides start from the same weights and take the same steps on the same batches, which lie in a folder. Each is a process of its
//! own, one after the other, some rounds over; medians are compared. A peer that is not installed is named and left out.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use course_program::{
    bench::{Bench, Measured, Options, show},
    output,
};
use serde_json::{Map, Value, json};

use super::{
    data::Parts,
    recipe::RECIPES,
    sides::{Work, turn},
};
use crate::data;

const OWN: [&str; 1] = ["ours"];
const PEERS: [&str; 2] = ["pytorch", "pytorch_best"];

/// How far the losses of two sides may be apart before any training.
const TOLERANCE: f64 = 1e-3;

/// What to measure, and how long.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    options: Options,

    /// How many training steps each turn takes; it looks at as many pictures, one by one, as it has trained on
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,

    /// A Python that has torch and torchvision (in a virtual environment: pip install torch torchvision)
    #[arg(long, value_name = "FILE", default_value = "python3")]
    python: PathBuf,

    /// Scenes drawn by a program instead of BCCD's photographs
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
    let recipe = RECIPES.first().context("there is no recipe to measure")?;
    let data = data::Args {
        data: None,
        builtin: args.builtin,
        limit: None,
    };
    let parts = Parts::load(recipe.size, &data)?;
    Work::write(recipe, &parts, args.steps as usize, folder.path())?;
    let bench = Bench {
        command: "bench-detect",
        own: &OWN,
        own_arguments: vec!["--work".into(), folder.path().into()],
        peers: &PEERS,
        peer_arguments: vec![folder.path().into()],
        script: include_str!("peers.py"),
        python: &args.python,
    };
    let measured = bench.measure(args.options.rounds)?;
    measured.agree("loss", TOLERANCE)?;
    show(&report(&measured, &parts.name), args.options.json)?;
    Ok(ExitCode::SUCCESS)
}

/// Pictures a second, medians over the rounds, and their ratios.
fn report(measured: &Measured, pictures: &str) -> Value {
    let mut report = Map::new();
    for task in ["training", "detection"] {
        let key = format!("{task}_pictures_per_s");
        let mut speeds: Map<String, Value> = measured
            .row(&key)
            .into_iter()
            .map(|(side, speed)| (format!("{side}_pictures_per_s"), speed))
            .collect();
        // The quicker of PyTorch's two ways is the one to beat.
        let ratios = PEERS.map(|peer| measured.ratio(&key, "ours", peer));
        let ratio = ratios.into_iter().flatten().min_by(f64::total_cmp);
        speeds.insert("ratio_to_pytorch".to_owned(), json!(ratio));
        report.insert(task.to_owned(), Value::Object(speeds));
    }
    report.insert("pictures".to_owned(), json!(pictures));
    for key in ["first_step_s", "peak_mb"] {
        report.insert(key.to_owned(), Value::Object(measured.row(key)));
    }
    Value::Object(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_to_the_quicker_pytorch_and_absent_without_one() {
        let turn = |speed: f64| {
            vec![json!({"training_pictures_per_s": speed, "detection_pictures_per_s": 3.0 * speed})]
        };
        let all = [
            ("ours", turn(30.0)),
            ("pytorch", turn(20.0)),
            ("pytorch_best", turn(40.0)),
        ];
        let report = |sides| report(&Measured::from_turns(sides), "toy");
        assert_eq!(report(&all)["training"]["ratio_to_pytorch"], json!(0.75));
        assert_eq!(
            report(&all)["detection"]["pytorch_pictures_per_s"],
            json!(60.0)
        );
        let alone = report(&all[..1]);
        assert_eq!(alone["detection"]["ratio_to_pytorch"], Value::Null);
    }
}
