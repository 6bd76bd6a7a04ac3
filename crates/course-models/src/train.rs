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
use course_program::output;
use kindling::{
    models::Model,
    train::{Every, History, Training, evaluate, places, save_weights},
};
use signal_hook::{consts::SIGINT, flag};

use crate::{
    data::{self, Data},
    detection, numbers,
    recipes::{Recipe, recipe},
    summary, translation,
};

/// What a shell expects of a program that Ctrl-C ended.
pub const INTERRUPTED: u8 = 130;

/// More epochs, examples a step or seeds than this nobody means.
const MOST: usize = 1_000_000;

/// Train a model, with checkpoints, a log and weights at the end.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Its name, such as mnist-mlp, detect-one-stage, transformer-translate or summarizer
    #[arg(required = true)]
    model: Option<String>,

    /// How often to go through the training set, instead of the recipe's number
    #[arg(long, value_name = "NUMBER")]
    pub epochs: Option<usize>,

    /// How many examples each step looks at
    #[arg(long, value_name = "NUMBER")]
    pub batch_size: Option<usize>,

    /// The learning rate
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub learning_rate: Option<f64>,

    /// Decides the first weights, the order of the pictures and everything else that is left to chance
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub seed: u64,

    /// Train so many times, with this seed and those after it
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seeds: u64,

    #[command(flatten)]
    pub data: data::Args,

    #[command(flatten)]
    pub annotations: detection::AnnotationOptions,

    #[command(flatten)]
    pub languages: translation::Languages,

    /// The folder for checkpoints, logs and weights; by default .kindling/runs/<MODEL>
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,

    /// Go on where an interrupted run was, bit for bit as if it had not been interrupted
    #[arg(long)]
    pub resume: bool,

    /// The time between two checkpoints
    #[arg(long, value_name = "SECONDS", default_value_t = 15.0)]
    pub checkpoint_seconds: f64,
}

/// Runs `cargo course train`.
pub fn run(args: Args) -> Result<ExitCode> {
    if detection::recipe(args.model()).is_none() {
        args.annotations.refuse(args.model())?;
    }
    if let Some(recipe) = translation::recipe(args.model()) {
        args.check()?;
        return translation::train(recipe, &args, &stop_on_ctrl_c()?);
    }
    if args.model() == summary::NAME {
        args.check()?;
        return summary::train(&args, &stop_on_ctrl_c()?);
    }
    if let Some(recipe) = detection::recipe(args.model()) {
        args.check()?;
        return detection::train(recipe, &args, &stop_on_ctrl_c()?);
    }
    let recipe = args.recipe()?;
    let default = || places::runs(recipe.name);
    let out = args.out.clone().unwrap_or_else(default);
    writable(&out)?;
    let data = Data::load(recipe.subject, recipe.validation, &args.data)?;
    let run = Run {
        recipe,
        data,
        args,
        out,
        stop: stop_on_ctrl_c()?,
    };
    each_seed(&run.args, ("test accuracy", " %"), |seed| run.train(seed))
}

/// Trains with each seed, and ends with the mean of the scores, by the name and the unit of their measure; a run that was stopped has none.
pub fn each_seed(
    args: &Args,
    (measure, unit): (&str, &str),
    mut train: impl FnMut(u64) -> Result<Option<f64>>,
) -> Result<ExitCode> {
    let mut scores = Vec::new();
    for seed in (0..args.seeds).map(|number| args.seed.wrapping_add(number)) {
        let Some(score) = train(seed)? else {
            return Ok(stopped());
        };
        scores.push(score);
    }
    if scores.len() > 1 {
        let count = scores.len();
        let mean = scores.iter().sum::<f64>() / count as f64;
        output::report(&format!(
            "\n{measure} of {count} seeds: mean {mean:.2}{unit}, each {scores:.2?}"
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Says how to go on, and how the program ends.
fn stopped() -> ExitCode {
    output::note("stopped; the same command with --resume goes on from here");
    ExitCode::from(INTERRUPTED)
}

/// What all seeds share.
struct Run {
    recipe: Recipe,
    data: Data,
    args: Args,
    out: PathBuf,
    stop: Arc<AtomicBool>,
}

impl Run {
    /// Trains with this seed and keeps the weights; returns the accuracy on the test set in percent, or nothing when stopped.
    fn train(&self, seed: u64) -> Result<Option<f64>> {
        let model = (self.recipe.model)(seed)?;
        self.announce(seed, model.as_ref())?;
        let started = Instant::now();
        let history = self.fit(seed, model.as_ref())?;
        output::report(&format!("{history:?}"))?;
        if history.stopped {
            return Ok(None);
        }
        let (loss, accuracy) = evaluate(model.as_ref(), &self.data.test)?;
        let score = format!(
            "test accuracy {:.2} %, test loss {loss:.4}",
            100.0 * accuracy
        );
        let seconds: f64 = history.epochs.iter().map(|epoch| epoch.seconds).sum();
        let all = started.elapsed().as_secs_f64();
        output::report(&format!(
            "{score}, {seconds:.1} s of training, {all:.1} s in all"
        ))?;
        self.keep(seed, model.as_ref(), &score)?;
        Ok(Some(100.0 * accuracy))
    }

    fn announce(&self, seed: u64, model: &dyn Model) -> Result<()> {
        let parameters = model.parameters();
        let parameters: usize = parameters.iter().map(|var| var.elem_count()).sum();
        let Data {
            training,
            validation,
            test,
            source,
            ..
        } = &self.data;
        output::report(&format!(
            "{}, seed {seed}: {parameters} parameters; {} training, {} validation and {} test pictures from {source}",
            self.recipe.name,
            training.len(),
            validation.len(),
            test.len(),
        ))?;
        let folder = self.checkpoints(seed);
        let unfinished = !places::weights(&self.out, seed).exists() && folder.exists();
        if unfinished && !self.args.resume {
            let folder = folder.display();
            output::note(&format!(
                "note: the unfinished run in {folder} is replaced; --resume would go on with it"
            ));
        }
        Ok(())
    }

    /// The recipe, carried out.
    fn fit(&self, seed: u64, model: &dyn Model) -> Result<History> {
        let Self {
            recipe, data, args, ..
        } = self;
        let loader = recipe.loader(&data.training, seed)?;
        let optimizer = (recipe.optimizer)(model.parameters(), recipe.learning_rate)?;
        let stop = self.stop.clone();
        let mut training = Training::new(optimizer)
            .epochs(recipe.epochs)
            .seed(seed)
            .schedule((recipe.schedule)(loader.steps()))
            .label_smoothing(recipe.label_smoothing)
            .checkpoint(
                self.checkpoints(seed),
                Every::Seconds(args.checkpoint_seconds),
            )
            .resume(args.resume)
            .log(self.out.join(format!("seed-{seed}.jsonl")))
            .setting("model", recipe.name)
            .setting("batch_size", recipe.batch_size)
            .setting("augment", format!("{:?}", (recipe.augment)()))
            .setting("data", &data.name)
            .stop_when(move || stop.load(Ordering::Relaxed));
        if let Some(norm) = recipe.clip_norm {
            training = training.clip_norm(norm);
        }
        Ok(training.fit(model, loader.as_ref(), &data.validation)?)
    }

    /// Writes the weights, with all that somebody who finds them may ask.
    fn keep(&self, seed: u64, model: &dyn Model, score: &str) -> Result<()> {
        let file = places::weights(&self.out, seed);
        let steps = self.data.training.len().div_ceil(self.recipe.batch_size);
        let details = [
            ("recipe", self.recipe.name),
            ("config", &self.recipe.describe(steps)),
            ("score", score),
            ("data", &self.data.name),
            ("licence", self.data.licence),
            ("command", &command()),
        ];
        save_weights(model, &file, &details)?;
        output::report(&format!("weights: {}", file.display()))?;
        Ok(())
    }

    fn checkpoints(&self, seed: u64) -> PathBuf {
        self.out.join(format!("seed-{seed}"))
    }
}

impl Args {
    /// The name; there is none only beside a command such as `word2vec`.
    fn model(&self) -> &str {
        self.model.as_deref().unwrap_or_default()
    }

    /// The recipe, with what the command line says otherwise.
    fn recipe(&self) -> Result<Recipe> {
        let mut recipe = recipe(self.model())?.clone();
        self.check()?;
        recipe.epochs = self.epochs.unwrap_or(recipe.epochs);
        recipe.batch_size = self.batch_size.unwrap_or(recipe.batch_size);
        recipe.learning_rate = self.learning_rate.unwrap_or(recipe.learning_rate);
        Ok(recipe)
    }

    /// Whether the numbers make sense.
    fn check(&self) -> Result<()> {
        numbers::in_range(&[
            ("--epochs", self.epochs.unwrap_or(1), MOST),
            ("--batch-size", self.batch_size.unwrap_or(1), MOST),
            ("--seeds", self.seeds as usize, MOST),
        ])?;
        numbers::positive("--learning-rate", self.learning_rate.unwrap_or(1.0))?;
        if self.checkpoint_seconds.is_nan() || self.checkpoint_seconds < 0.0 {
            bail!(
                "--checkpoint-seconds: expected a number of seconds, found {}",
                self.checkpoint_seconds
            );
        }
        Ok(())
    }
}

/// Better to fail now than after an hour of training.
pub fn writable(folder: &Path) -> Result<()> {
    let probe = folder.join(".probe.part");
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&probe, ""))
        .and_then(|()| fs::remove_file(&probe))
        .with_context(|| format!("--out {}: this folder cannot be written", folder.display()))
}

/// The first Ctrl-C asks politely, so that the run can write a checkpoint; the second ends the program.
pub fn stop_on_ctrl_c() -> Result<Arc<AtomicBool>> {
    let asked = Arc::new(AtomicBool::new(false));
    flag::register_conditional_shutdown(SIGINT, i32::from(INTERRUPTED), asked.clone())?;
    flag::register(SIGINT, asked.clone())?;
    Ok(asked)
}

/// The command as it was given, for the record in the weights.
pub fn command() -> String {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    format!("cargo course {}", arguments.join(" "))
}
