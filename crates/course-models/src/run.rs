//! One run of training: where it is kept, how it is stopped and goes on, what it prints, and what the weights say about it.

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

use anyhow::{Context, Result};
use course_program::output;
use kindling::{
    data::Loader,
    models::Model,
    train::{Every, History, Settings, Training, Validation, places, save_weights},
};
use signal_hook::{consts::SIGINT, flag};

use crate::{options::Options, recipe::Recipe};

/// What a shell expects of a program that Ctrl-C ended.
pub const INTERRUPTED: u8 = 130;

/// What is trained in mini-batches, on which data, and how it is judged; [`Run::train`] does the rest.
pub trait Task {
    /// The network.
    type Network;

    /// What it reads in training, a batch of it.
    type Input;

    /// The measure that several seeds are compared by, and its unit.
    const MEASURE: (&'static str, &'static str);

    /// How it is trained.
    fn recipe(&self) -> &Recipe;

    /// What decides the result beside the recipe; a resumed run must share it.
    fn settings(&self) -> Result<Settings>;

    /// What it learns from.
    fn origin(&self) -> Origin<'_>;

    /// One with random weights.
    fn network(&self, seed: u64) -> Result<Self::Network>;

    /// What training and weights ask of it.
    fn model<'n>(&self, network: &'n Self::Network) -> &'n dyn Model<Self::Input>;

    /// How many examples there are of which kind, in words that follow the number of parameters.
    fn examples(&self) -> String;

    /// The training set in mini-batches, and the validation set.
    fn batches(&self, seed: u64) -> Result<Batches<Self::Input>>;

    /// The training with the loss of this task, where it is not a classifier's.
    fn with_loss(&self, training: Training, _network: &Self::Network) -> Result<Training> {
        Ok(training)
    }

    /// How good it is on the test set; the network may learn from it how it is to be used.
    fn judge(&self, network: Self::Network) -> Result<(Self::Network, Score)>;

    /// Writes the weights and what belongs to them.
    fn save(&self, network: &Self::Network, file: &Path, details: &[(&str, &str)]) -> Result<()> {
        Ok(save_weights(self.model(network), file, details)?)
    }
}

/// The training set in mini-batches, and the validation set.
pub type Batches<Input> = (Box<dyn Loader<Input>>, Box<dyn Validation<Input>>);

/// Data as weights name them.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// What they are called.
    pub name: &'a str,
    /// Under what a model trained on them may be used.
    pub licence: &'a str,
}

/// How many pictures there are for training, validation and test, in words that follow the number of parameters.
pub fn pictures([training, validation, test]: [usize; 3], source: &str) -> String {
    format!("; {training} training, {validation} validation and {test} test pictures from {source}")
}

/// How good a network is.
#[derive(Debug)]
pub struct Score {
    /// What several seeds are compared by.
    pub value: f64,
    /// All measures in words.
    pub words: String,
    /// How they were measured, in words that follow those.
    pub how: String,
    /// More to tell, a line each.
    pub notes: Vec<String>,
}

/// A run of one model into one folder, with one seed or with several.
#[derive(Debug)]
pub struct Run<'a> {
    name: &'static str,
    options: &'a Options,
    out: PathBuf,
}

impl<'a> Run<'a> {
    /// The run of the model of this name; fails where its folder cannot be written.
    pub fn open(name: &'static str, options: &'a Options) -> Result<Self> {
        let out = options.out.clone();
        let out = out.unwrap_or_else(|| places::runs(name));
        writable(&out)?;
        Ok(Self { name, options, out })
    }

    /// The file of the weights of one seed.
    pub fn weights(&self, seed: u64) -> PathBuf {
        places::weights(&self.out, seed)
    }

    /// All that somebody who finds the weights may ask, by name.
    pub fn details(&self, score: String, origin: Origin<'_>, settings: &Settings) -> Details {
        let Origin { name, licence } = origin;
        Details(vec![
            ("recipe", self.name.to_owned()),
            ("settings", settings.to_json()),
            ("score", score),
            ("data", name.to_owned()),
            ("licence", licence.to_owned()),
            ("command", command()),
        ])
    }

    /// Trains with each seed, and ends with the mean of the scores; a run that was stopped has none.
    pub fn train<T: Task>(&self, task: &T) -> Result<ExitCode> {
        let stop = stop_on_ctrl_c()?;
        let (first, count) = (self.options.seed, self.options.batches.seeds);
        let mut scores = Vec::new();
        for seed in (0..count).map(|number| first.wrapping_add(number)) {
            let Some(score) = self.one(task, seed, &stop)? else {
                output::note("stopped; the same command with --resume goes on from here");
                return Ok(ExitCode::from(INTERRUPTED));
            };
            scores.push(score);
        }
        if scores.len() > 1 {
            let (measure, unit) = T::MEASURE;
            let mean = scores.iter().sum::<f64>() / scores.len() as f64;
            output::report(&format!(
                "\n{measure} of {count} seeds: mean {mean:.2}{unit}, each {scores:.2?}"
            ))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Trains with one seed and keeps the weights; returns what seeds are compared by, or nothing when stopped.
    fn one<T: Task>(&self, task: &T, seed: u64, stop: &Arc<AtomicBool>) -> Result<Option<f64>> {
        let network = task.network(seed)?;
        self.announce(task, &network, seed)?;
        let started = Instant::now();
        let history = self.fit(task, &network, seed, stop)?;
        output::report(&format!("{history:?}"))?;
        if history.stopped {
            return Ok(None);
        }
        let (network, score) = task.judge(network)?;
        let seconds: f64 = history.epochs.iter().map(|epoch| epoch.seconds).sum();
        let all = started.elapsed().as_secs_f64();
        output::report(&format!(
            "{}, {seconds:.1} s of training, {all:.1} s in all",
            score.words
        ))?;
        for note in &score.notes {
            output::report(note)?;
        }
        let settings = task.settings()?.with("training", task.recipe())?;
        let words = format!("{}{}", score.words, score.how);
        let details = self.details(words, task.origin(), &settings);
        let file = self.weights(seed);
        task.save(&network, &file, &details.words())?;
        output::report(&format!("weights: {}", file.display()))?;
        Ok(Some(score.value))
    }

    /// Says what is about to happen.
    fn announce<T: Task>(&self, task: &T, network: &T::Network, seed: u64) -> Result<()> {
        let parameters = task.model(network).parameters();
        let parameters: usize = parameters.iter().map(|var| var.elem_count()).sum();
        output::report(&format!(
            "{}, seed {seed}: {parameters} parameters{}",
            self.name,
            task.examples()
        ))?;
        let folder = self.checkpoints(seed);
        let unfinished = !self.weights(seed).exists() && folder.exists();
        if unfinished && !self.options.batches.resume {
            output::note(&format!(
                "note: the unfinished run in {} is replaced; --resume would go on with it",
                folder.display()
            ));
        }
        Ok(())
    }

    /// The recipe, carried out.
    fn fit<T: Task>(
        &self,
        task: &T,
        network: &T::Network,
        seed: u64,
        stop: &Arc<AtomicBool>,
    ) -> Result<History> {
        let (recipe, model, stop) = (task.recipe(), task.model(network), stop.clone());
        let batches = &self.options.batches;
        let (loader, validation) = task.batches(seed)?;
        let training = Training::new(recipe.optimizer(model.parameters())?);
        let mut training = task
            .with_loss(training, network)?
            .epochs(recipe.epochs)
            .seed(seed)
            .schedule(recipe.schedule.clone())
            .label_smoothing(recipe.label_smoothing)
            .checkpoint(
                self.checkpoints(seed),
                Every::Seconds(batches.checkpoint_seconds),
            )
            .resume(batches.resume)
            .log(self.out.join(format!("seed-{seed}.jsonl")))
            .setting("model", self.name)
            .setting("batch_size", recipe.batch_size)
            .setting("data", task.origin().name)
            .settings(task.settings()?)
            .stop_when(move || stop.load(Ordering::Relaxed));
        if let Some(norm) = recipe.clip_norm {
            training = training.clip_norm(norm);
        }
        if let Some(epochs) = recipe.patience {
            training = training.patience(epochs);
        }
        Ok(training.fit(model, loader.as_ref(), validation.as_ref())?)
    }

    fn checkpoints(&self, seed: u64) -> PathBuf {
        self.out.join(format!("seed-{seed}"))
    }
}

/// What weights say about themselves, by name.
#[derive(Debug)]
pub struct Details(Vec<(&'static str, String)>);

impl Details {
    /// As they are written.
    pub fn words(&self) -> Vec<(&str, &str)> {
        let named = self.0.iter();
        named.map(|(name, words)| (*name, words.as_str())).collect()
    }
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
pub fn stop_on_ctrl_c() -> Result<Arc<AtomicBool>> {
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
