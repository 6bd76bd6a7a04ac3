//! `cargo course bench train`: a training step of ours beside stock Candle, PyTorch and Keras, in one run.
//!
//! Each side is a process of its own, one after the other, some rounds over; medians are compared. A peer that is not installed
//! is named and left out.

use std::{
    io::Write,
    path::PathBuf,
    process::{Command, ExitCode, Stdio},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};
use candle_core::{Device, Tensor, Var};
use candle_nn::Optimizer as _;
use kindling::{
    data::Random,
    models::{Cnn, CnnConfig, Mlp, MlpConfig, Model},
    ops::cross_entropy,
    optim::{Adam, Optimizer},
};
use serde_json::{Map, Value, json};

const PEERS: &str = include_str!("peers.py");
const SIDES: [&str; 5] = ["ours", "stock_candle", "pytorch", "pytorch_best", "keras"];
const TASKS: [&str; 2] = ["cifar_cnn", "mnist_mlp"];
const EXAMPLES: usize = 2_048;

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

/// Times both networks in this process.
fn turn(side: &str, steps: usize) -> Result<Value> {
    let mut first_step = None;
    let mut milliseconds = Map::new();
    for task in TASKS {
        let time = match side {
            "ours" => ours(task, steps, &mut first_step)?,
            "stock_candle" => stock(task, steps, &mut first_step)?,
            _ => bail!("--side: expected ours or stock_candle, found {side}"),
        };
        milliseconds.insert(task.to_owned(), json!(time));
    }
    milliseconds.insert("first_step_s".to_owned(), json!(first_step));
    milliseconds.insert("peak_mb".to_owned(), json!(peak_memory()));
    Ok(Value::Object(milliseconds))
}

/// Pictures and labels by chance; how long a step takes does not depend on them.
fn examples(task: &str) -> Result<(Tensor, Tensor, usize)> {
    let mut random = Random::new(1);
    let (images, batch) = match task {
        "cifar_cnn" => (random.uniform((EXAMPLES, 32, 32, 3), 0.0, 1.0)?, 64),
        _ => (random.uniform((EXAMPLES, 784), 0.0, 1.0)?, 128),
    };
    let labels: Vec<u32> = (0..EXAMPLES).map(|_| random.below(10) as u32).collect();
    Ok((
        images,
        Tensor::from_vec(labels, EXAMPLES, &Device::Cpu)?,
        batch,
    ))
}

fn chosen(random: &mut Random, batch: usize) -> Result<Tensor> {
    let positions: Vec<u32> = (0..batch).map(|_| random.below(EXAMPLES) as u32).collect();
    Ok(Tensor::from_vec(positions, batch, &Device::Cpu)?)
}

fn ours(task: &str, steps: usize, first_step: &mut Option<f64>) -> Result<f64> {
    let (images, labels, batch) = examples(task)?;
    let model: Box<dyn Model> = match task {
        "cifar_cnn" => Box::new(Cnn::new(&CnnConfig::default(), 0)?),
        _ => Box::new(Mlp::new(&MlpConfig::default(), 0)?),
    };
    let mut optimizer = Adam::new(model.parameters(), 0.001)?;
    let mut random = Random::new(2);
    median(steps, first_step, || {
        let chosen = chosen(&mut random, batch)?;
        let logits = model.forward(&images.index_select(&chosen, 0)?)?;
        let loss = cross_entropy(&logits, &labels.index_select(&chosen, 0)?, 0.0)?;
        Ok(optimizer.step(&loss.backward()?)?)
    })
}

/// The same networks in the operations that Candle itself has, with its own optimiser, channels first as it wants them.
fn stock(task: &str, steps: usize, first_step: &mut Option<f64>) -> Result<f64> {
    let (images, labels, batch) = examples(task)?;
    let mut random = Random::new(3);
    let mut variable = |shape: &[usize], deviation: f64| -> Result<Var> {
        Ok(Var::from_tensor(&random.normal(shape, 0.0, deviation)?)?)
    };
    let mut convolutions = Vec::new();
    if task == "cifar_cnn" {
        for (inputs, outputs) in [(3, 32), (32, 64), (64, 128)] {
            convolutions.push((
                variable(&[outputs, inputs, 3, 3], 0.05)?,
                variable(&[1, outputs, 1, 1], 0.01)?,
            ));
        }
    }
    let images = match task {
        "cifar_cnn" => images.permute((0, 3, 1, 2))?.contiguous()?,
        _ => images,
    };
    let width = if task == "cifar_cnn" { 512 } else { 784 };
    let dense = [
        (variable(&[128, width], 0.05)?, variable(&[128], 0.01)?),
        (variable(&[10, 128], 0.05)?, variable(&[10], 0.01)?),
    ];
    let parameters = convolutions.iter().chain(&dense);
    let parameters = parameters
        .flat_map(|(weight, bias)| [weight.clone(), bias.clone()])
        .collect();
    let config = candle_nn::ParamsAdamW {
        lr: 0.001,
        weight_decay: 0.0,
        ..Default::default()
    };
    let mut optimizer = candle_nn::AdamW::new(parameters, config)?;
    let mut random = Random::new(2);
    median(steps.min(20), first_step, || {
        let chosen = chosen(&mut random, batch)?;
        let mut x = images.index_select(&chosen, 0)?;
        for (weight, bias) in &convolutions {
            x = x
                .conv2d(weight, 0, 1, 1, 1)?
                .broadcast_add(bias)?
                .relu()?
                .max_pool2d(2)?;
        }
        let x = x.flatten_from(1)?;
        let x = x
            .matmul(&dense[0].0.t()?)?
            .broadcast_add(&dense[0].1)?
            .relu()?;
        let logits = x.matmul(&dense[1].0.t()?)?.broadcast_add(&dense[1].1)?;
        let loss = candle_nn::loss::cross_entropy(&logits, &labels.index_select(&chosen, 0)?)?;
        Ok(optimizer.backward_step(&loss)?)
    })
}

/// The median milliseconds of a step, after some that warm up.
fn median(
    steps: usize,
    first_step: &mut Option<f64>,
    mut step: impl FnMut() -> Result<()>,
) -> Result<f64> {
    step()?;
    if first_step.is_none() {
        let started = std::env::var("KINDLING_BENCH_STARTED")
            .ok()
            .and_then(|text| text.parse::<f64>().ok());
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
        *first_step = started.map(|started| now - started);
    }
    for _ in 0..(steps / 10).max(5) {
        step()?;
    }
    let mut times = Vec::with_capacity(steps);
    for _ in 0..steps {
        let begin = Instant::now();
        step()?;
        times.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

/// The most memory that this process has held, in MB, where the system says so.
fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(
        line.trim()
            .trim_end_matches(" kB")
            .trim()
            .parse::<f64>()
            .ok()?
            / 1024.0,
    )
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
    for task in TASKS {
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
        report.insert(task.to_owned(), Value::Object(row));
    }
    for key in ["first_step_s", "peak_mb"] {
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
