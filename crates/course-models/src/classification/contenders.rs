//! The two sides of the benchmark that are written in Rust: our networks, and the same in stock Candle.

use anyhow::{Result, bail};
use candle_core::{Device, Tensor, Var};
use candle_nn::Optimizer as _;
use course_program::bench;
use kindling::{
    data::{Examples, Random},
    models::{Cnn, CnnConfig, Mlp, MlpConfig, Model},
    ops::cross_entropy,
    optim::{Adam, Optimizer},
};
use serde_json::{Map, Value, json};

use super::limit;

/// What is trained.
pub const TASKS: [&str; 2] = ["cifar_cnn", "mnist_mlp"];

const EXAMPLES: usize = 2_048;

/// Times both networks in this process.
pub fn turn(side: &str, steps: usize) -> Result<Value> {
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
    milliseconds.insert("peak_mb".to_owned(), json!(bench::peak_memory()));
    if side == "ours" {
        // How far it is to the limit: operations a second of the step over those of a matrix product. All operations of the
        // usual way count, also those by zero that our backward pass leaves out, so that the share can exceed 1.
        let peak = limit::peak()?;
        let cnn = limit::cnn_step(&CnnConfig::default(), batch("cifar_cnn"));
        let mlp = limit::mlp_step(&MlpConfig::default(), batch("mnist_mlp"));
        for (task, gflop) in [("cifar_cnn", cnn), ("mnist_mlp", mlp)] {
            let time = milliseconds.get(task).and_then(Value::as_f64);
            let share = time.map(|time| gflop / (time / 1e3) / peak);
            milliseconds.insert(format!("{task}_share_of_peak"), json!(share));
        }
        milliseconds.insert("peak_gflops".to_owned(), json!(peak));
    }
    Ok(Value::Object(milliseconds))
}

/// How many pictures a step looks at.
fn batch(task: &str) -> usize {
    if task == "cifar_cnn" { 64 } else { 128 }
}

/// Random pictures and labels, for all sides alike. How long a step takes hardly depends on them: ours leaves out what ReLU
/// and pooling made zero, and these networks have learned nothing that would add zeros.
fn examples(task: &str) -> Result<(Tensor, Tensor, usize)> {
    let mut random = Random::new(1);
    let images = match task {
        "cifar_cnn" => random.uniform((EXAMPLES, 32, 32, 3), 0.0, 1.0)?,
        _ => random.uniform((EXAMPLES, 784), 0.0, 1.0)?,
    };
    let labels: Vec<u32> = (0..EXAMPLES).map(|_| random.below(10) as u32).collect();
    Ok((
        images,
        Tensor::from_vec(labels, EXAMPLES, &Device::Cpu)?,
        batch(task),
    ))
}

fn chosen(random: &mut Random, batch: usize) -> Vec<usize> {
    (0..batch).map(|_| random.below(EXAMPLES)).collect()
}

fn ours(task: &str, steps: usize, first_step: &mut Option<f64>) -> Result<f64> {
    let (images, labels, batch) = examples(task)?;
    let examples = Examples::new(images, labels)?;
    let model: Box<dyn Model> = match task {
        "cifar_cnn" => Box::new(Cnn::new(&CnnConfig::default(), 0)?),
        _ => Box::new(Mlp::new(&MlpConfig::default(), 0)?),
    };
    let mut optimizer = Adam::new(model.parameters(), 0.001)?;
    let mut random = Random::new(2);
    timed(steps, first_step, || {
        let batch = examples.select(&chosen(&mut random, batch))?;
        let logits = model.forward(&batch.images)?;
        let loss = cross_entropy(&logits, &batch.labels, 0.0)?;
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
    timed(steps.min(20), first_step, || {
        let chosen = chosen(&mut random, batch).into_iter();
        let chosen: Vec<u32> = chosen.map(|position| position as u32).collect();
        let chosen = Tensor::new(chosen, &Device::Cpu)?;
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
fn timed(
    steps: usize,
    first_step: &mut Option<f64>,
    mut step: impl FnMut() -> Result<()>,
) -> Result<f64> {
    step()?;
    if first_step.is_none() {
        *first_step = bench::since_start();
    }
    bench::median(steps, (steps / 10).max(5), step)
}
