//! Trains the network of the lesson *Handwritten digits* and says how good it gets.
//!
//! `cargo run --release -p kindling --example mnist_mlp -- --seeds 3`

use std::time::Instant;

use kindling::{
    Error, Result,
    data::Mnist,
    models::{Mlp, MlpConfig},
    train::{FitConfig, evaluate, fit},
};

fn main() -> Result<()> {
    let (seeds, epochs) = (argument("--seeds", 1)?, argument("--epochs", 10)?);
    let mnist = Mnist::load()?;
    println!(
        "MNIST from the {}: {} training and {} test images",
        mnist.source,
        mnist.train.len(),
        mnist.test.len()
    );
    // As in the lesson: one training image in twelve is kept aside, and the test set is looked at once, at the end.
    let (count, split) = (mnist.train.len(), mnist.train.len() * 11 / 12);
    let (training, validation) = (
        mnist.train.subset(0..split)?,
        mnist.train.subset(split..count)?,
    );
    let mut accuracies = Vec::new();
    for seed in 0..seeds {
        let model = Mlp::new(&MlpConfig::default(), seed)?;
        let started = Instant::now();
        let config = FitConfig {
            epochs: epochs as usize,
            seed,
            ..FitConfig::default()
        };
        let history = fit(&model, &training, &validation, &config)?;
        let seconds = started.elapsed().as_secs_f64() / epochs as f64;
        let (loss, accuracy) = evaluate(&model, &mnist.test)?;
        println!("seed {seed}, {seconds:.2} s an epoch\n{history:?}");
        println!(
            "test loss {loss:.4}, test accuracy {:.2} %",
            100.0 * accuracy
        );
        accuracies.push(100.0 * accuracy);
    }
    println!("test accuracy in %: {accuracies:.2?}");
    Ok(())
}

/// The number after an option of the command line.
fn argument(option: &str, default: u64) -> Result<u64> {
    let arguments: Vec<String> = std::env::args().collect();
    let Some(position) = arguments.iter().position(|argument| argument == option) else {
        return Ok(default);
    };
    let value = arguments.get(position + 1).map_or("", String::as_str);
    let number = value.parse().ok().filter(|&number| number > 0);
    number.ok_or_else(|| {
        Error::Argument(format!(
            "{option}: expected a number above 0, found {value:?}"
        ))
    })
}
