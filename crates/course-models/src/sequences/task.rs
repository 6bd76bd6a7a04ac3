//! `cargo course train` for models of sequences.

use std::{
    path::Path,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use anyhow::Result;
use course_program::output;
use kindling::{
    data::{Loader, SpecialTokens},
    models::Model,
    optim::Adam,
    train::{Every, History, Training, places, right_tokens, save_weights, sequence_cross_entropy},
};

use super::{Pairs, Recipe};
use crate::train::{Args, command, each_seed, writable};

/// What is trained on pairs, and how it is judged.
pub trait Task {
    /// The network.
    type Network;

    /// The measure that several seeds are compared by.
    const MEASURE: &'static str;

    /// What it learns from.
    fn pairs(&self) -> &Pairs;

    /// One with random weights.
    fn network(&self, seed: u64) -> Result<Self::Network>;

    /// What training and weights ask of it.
    fn model<'a>(&self, network: &'a Self::Network) -> &'a dyn Model;

    /// What the weights must say so that they can be used, by name.
    fn details(&self, network: &Self::Network) -> Result<Vec<(&'static str, String)>>;

    /// How good it is on the test set.
    fn judge(&self, network: &Self::Network) -> Result<Score>;
}

/// How good a network is.
#[derive(Debug)]
pub struct Score {
    /// What several seeds are compared by.
    pub value: f64,
    /// All measures in words.
    pub words: String,
    /// How they were measured.
    pub how: String,
}

/// Trains with each seed, and measures on the test set; `prepare` finds the data.
pub fn train<T: Task>(
    recipe: Recipe,
    args: &Args,
    stop: &Arc<AtomicBool>,
    prepare: impl FnOnce(&Recipe) -> Result<T>,
) -> Result<ExitCode> {
    let recipe = recipe.with(args);
    let out = args.out.clone();
    let out = out.unwrap_or_else(|| places::runs(recipe.name));
    writable(&out)?;
    let run = Run {
        task: prepare(&recipe)?,
        recipe,
        args,
        out: &out,
        stop,
    };
    each_seed(args, (T::MEASURE, ""), |seed| run.one(seed))
}

/// What all seeds share.
struct Run<'a, T> {
    task: T,
    recipe: Recipe,
    args: &'a Args,
    out: &'a Path,
    stop: &'a Arc<AtomicBool>,
}

impl<T: Task> Run<'_, T> {
    /// Trains with one seed and keeps the weights; returns what seeds are compared by, or nothing when stopped.
    fn one(&self, seed: u64) -> Result<Option<f64>> {
        let network = self.task.network(seed)?;
        let started = Instant::now();
        let history = self.fit(seed, self.task.model(&network))?;
        output::report(&format!("{history:?}"))?;
        if history.stopped {
            return Ok(None);
        }
        let seconds = started.elapsed().as_secs_f64();
        let file = places::weights(self.out, seed);
        let pairs = self.task.pairs();
        pairs.tokenizer.save(places::tokenizer_beside(&file))?;
        let score = self.task.judge(&network)?;
        output::report(&format!("{}, {seconds:.1} s of training", score.words))?;
        let own = self.task.details(&network)?;
        let (config, command) = (format!("{:?}", self.recipe), command());
        let words = format!("{} {}", score.words, score.how);
        let mut details = vec![
            ("recipe", self.recipe.name),
            ("config", &config),
            ("score", &words),
            ("data", &pairs.name),
            ("licence", pairs.licence),
            ("command", &command),
        ];
        details.extend(own.iter().map(|(name, words)| (*name, words.as_str())));
        save_weights(self.task.model(&network), &file, &details)?;
        output::report(&format!("weights: {}", file.display()))?;
        Ok(Some(score.value))
    }

    /// The recipe, carried out.
    fn fit(&self, seed: u64, model: &dyn Model) -> Result<History> {
        let (recipe, pairs) = (&self.recipe, self.task.pairs());
        let (training, validation) = pairs.loaders(recipe.batch_size, seed)?;
        let parameters: usize = model.parameters().iter().map(|var| var.elem_count()).sum();
        output::report(&format!(
            "{}, seed {seed}: {parameters} parameters, {} tokens; {} training, {} validation and {} test pairs of {}",
            recipe.name,
            pairs.tokenizer.len(),
            training.examples(),
            validation.examples(),
            pairs.test,
            pairs.name,
        ))?;
        let padding = SpecialTokens::FIRST.padding;
        let (smoothing, stop) = (recipe.label_smoothing, self.stop.clone());
        let optimizer = Adam::new(model.parameters(), recipe.learning_rate)?;
        let mut run = Training::new(Box::new(optimizer))
            .epochs(recipe.epochs)
            .seed(seed)
            .schedule(recipe.schedule.clone())
            .clip_norm(recipe.clip_norm)
            .loss(move |logits, targets| {
                sequence_cross_entropy(logits, targets, padding, smoothing)
            })
            .right(move |logits, targets| right_tokens(logits, targets, padding))
            .checkpoint(
                self.out.join(format!("seed-{seed}")),
                Every::Seconds(self.args.checkpoint_seconds),
            )
            .resume(self.args.resume)
            .log(self.out.join(format!("seed-{seed}.jsonl")))
            .setting("model", recipe.name)
            .setting("batch_size", recipe.batch_size)
            .setting("data", &pairs.name)
            .setting("label_smoothing", smoothing)
            .stop_when(move || stop.load(Ordering::Relaxed));
        if let Some(epochs) = recipe.patience {
            run = run.patience(epochs);
        }
        Ok(run.fit(model, &training, &validation)?)
    }
}
