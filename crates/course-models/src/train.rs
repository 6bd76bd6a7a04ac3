//! `cargo course train`: a recipe, carried out once for each seed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use anyhow::{Context, Result, bail};
use kindling::{
    models::Model,
    train::{Every, History, Training, evaluate, save_weights},
};
use signal_hook::{consts::SIGINT, flag};

use crate::{
    data::{self, Data, Shuffled},
    places,
    recipes::{Recipe, recipe},
};

/// What a shell expects of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// Train a model, with checkpoints, a log and weights at the end.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Its name, such as mnist-mlp
    model: String,

    /// How often to go through the training set, instead of the recipe's number
    #[arg(long, value_name = "NUMBER")]
    epochs: Option<usize>,

    /// How many pictures each step looks at
    #[arg(long, value_name = "NUMBER")]
    batch_size: Option<usize>,

    /// The learning rate
    #[arg(long, value_name = "NUMBER")]
    learning_rate: Option<f64>,

    /// Decides the first weights, the order of the pictures and everything else that is left to chance
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,

    /// Train so many times, with this seed and those after it
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seeds: u64,

    #[command(flatten)]
    data: data::Args,

    /// The folder for checkpoints, logs and weights; by default .kindling/runs/<MODEL>
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,

    /// Go on where an interrupted run was, bit for bit as if it had not been interrupted
    #[arg(long)]
    resume: bool,

    /// The time between two checkpoints
    #[arg(long, value_name = "SECONDS", default_value_t = 15.0)]
    checkpoint_seconds: f64,
}

/// Runs `cargo course train`.
pub fn run(args: Args) -> Result<ExitCode> {
    let recipe = args.recipe()?;
    let out = args
        .out
        .clone()
        .unwrap_or_else(|| places::runs(recipe.name));
    writable(&out)?;
    let data = Data::load(recipe.pictures, &args.data)?;
    let stop = stop_on_ctrl_c()?;
    let mut accuracies = Vec::new();
    for seed in args.seed..args.seed.saturating_add(args.seeds) {
        match train(&recipe, seed, &data, &args, &out, &stop)? {
            Some(accuracy) => accuracies.push(100.0 * accuracy),
            None => {
                eprintln!("stopped; the same command with --resume goes on from here");
                return Ok(ExitCode::from(INTERRUPTED));
            }
        }
    }
    if accuracies.len() > 1 {
        let mean = accuracies.iter().sum::<f64>() / accuracies.len() as f64;
        println!(
            "\ntest accuracy of {} seeds: mean {mean:.2} %, each {accuracies:.2?}",
            accuracies.len()
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// One run; its accuracy on the test set, or nothing when it was stopped.
fn train(
    recipe: &Recipe,
    seed: u64,
    data: &Data,
    args: &Args,
    out: &Path,
    stop: &Arc<AtomicBool>,
) -> Result<Option<f64>> {
    let model = (recipe.model)(seed)?;
    let loader = Shuffled {
        examples: data.training.clone(),
        batch_size: recipe.batch_size,
        seed,
    };
    announce(recipe, seed, model.as_ref(), data);
    let optimizer = (recipe.optimizer)(model.parameters(), recipe.learning_rate)?;
    let asked = stop.clone();
    let started = Instant::now();
    let history = Training::new(optimizer)
        .epochs(recipe.epochs)
        .seed(seed)
        .label_smoothing(recipe.label_smoothing)
        .checkpoint(
            out.join(format!("seed-{seed}")),
            Every::Seconds(args.checkpoint_seconds),
        )
        .resume(args.resume)
        .log(out.join(format!("seed-{seed}.jsonl")))
        .setting("model", recipe.name)
        .setting("batch_size", recipe.batch_size)
        .setting("data", &data.name)
        .stop_when(move || asked.load(Ordering::Relaxed))
        .fit(model.as_ref(), &loader, &data.validation)?;
    println!("{history:?}");
    if history.stopped {
        return Ok(None);
    }
    let (loss, accuracy) = evaluate(model.as_ref(), &data.test)?;
    let score = format!(
        "test accuracy {:.2} %, test loss {loss:.4}",
        100.0 * accuracy
    );
    println!(
        "{score}, {:.1} s of training, {:.1} s in all",
        seconds(&history),
        started.elapsed().as_secs_f64()
    );
    let file = places::weights(out, seed);
    let config = format!("{recipe:?}");
    let details = [
        ("recipe", recipe.name),
        ("config", config.as_str()),
        ("score", score.as_str()),
        ("data", data.name.as_str()),
        ("command", &command()),
    ];
    save_weights(model.as_ref(), &file, &details)?;
    println!("weights: {}", file.display());
    Ok(Some(accuracy))
}

impl Args {
    /// The recipe, with what the command line says otherwise.
    fn recipe(&self) -> Result<Recipe> {
        let mut recipe = recipe(&self.model)?.clone();
        let positive = |option: &str, number: usize| match number {
            0 => bail!("{option}: expected at least 1, found 0"),
            number => Ok(number),
        };
        if let Some(epochs) = self.epochs {
            recipe.epochs = positive("--epochs", epochs)?;
        }
        if let Some(batch_size) = self.batch_size {
            recipe.batch_size = positive("--batch-size", batch_size)?;
        }
        if let Some(rate) = self.learning_rate {
            if !(rate.is_finite() && rate > 0.0) {
                bail!("--learning-rate: expected a positive number, found {rate}");
            }
            recipe.learning_rate = rate;
        }
        positive("--seeds", self.seeds as usize)?;
        if self.checkpoint_seconds.is_nan() || self.checkpoint_seconds < 0.0 {
            bail!(
                "--checkpoint-seconds: expected a number of seconds, found {}",
                self.checkpoint_seconds
            );
        }
        Ok(recipe)
    }
}

fn announce(recipe: &Recipe, seed: u64, model: &dyn Model, data: &Data) {
    let parameters = model.parameters();
    let parameters: usize = parameters.iter().map(|var| var.elem_count()).sum();
    println!(
        "{}, seed {seed}: {parameters} parameters; {} training, {} validation and {} test pictures from {}",
        recipe.name,
        data.training.len(),
        data.validation.len(),
        data.test.len(),
        data.source
    );
}

fn seconds(history: &History) -> f64 {
    history.epochs.iter().map(|epoch| epoch.seconds).sum()
}

/// Better to fail now than after an hour of training.
fn writable(folder: &Path) -> Result<()> {
    let probe = folder.join(".probe.part");
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&probe, ""))
        .and_then(|()| fs::remove_file(&probe))
        .with_context(|| format!("--out {}: this folder cannot be written", folder.display()))
}

/// The first Ctrl-C asks politely, so that the run can write a checkpoint; the second ends the program.
fn stop_on_ctrl_c() -> Result<Arc<AtomicBool>> {
    let asked = Arc::new(AtomicBool::new(false));
    flag::register_conditional_shutdown(SIGINT, i32::from(INTERRUPTED), asked.clone())?;
    flag::register(SIGINT, asked.clone())?;
    Ok(asked)
}

/// The command as it was given, for the record in the weights.
fn command() -> String {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    format!("cargo course {}", arguments.join(" "))
}
