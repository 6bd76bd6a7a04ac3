//! `cargo course train word2vec`: a vector for each word of a text.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::Ordering,
    time::Instant,
};

use anyhow::{Result, bail};
use course_program::output;
use kindling::{
    metrics::analogy_accuracy,
    models::{Algorithm, Word2Vec, Word2VecConfig},
    train::places,
};

use super::{
    NAME,
    words::{self, Words},
};
use crate::{
    numbers,
    train::{INTERRUPTED, command, stop_on_ctrl_c, writable},
};

/// For how many words the nearest ones are shown, and how many of these.
const SHOWN: usize = 5;
const NEAREST: usize = 5;

/// Which of the two models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// From each word its context: slower, and better for rare words
    SkipGram,
    /// From a context its word
    Cbow,
}

impl Mode {
    /// What it is called in print.
    fn name(self) -> &'static str {
        match self {
            Self::SkipGram => "skip-gram",
            Self::Cbow => "CBOW",
        }
    }

    /// What to ask the model for, and the learning rate that suits it.
    pub fn algorithm(self) -> (Algorithm, f64) {
        match self {
            Self::SkipGram => (Algorithm::SkipGram, 0.025),
            Self::Cbow => (Algorithm::Cbow, 0.075),
        }
    }
}

/// Learn a vector for each word of a text, by skip-gram or CBOW with negative sampling.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which of the two models
    #[arg(long, value_enum, default_value_t = Mode::SkipGram)]
    mode: Mode,

    #[command(flatten)]
    text: words::Args,

    /// How often to go through the text
    #[arg(long, value_name = "NUMBER", default_value_t = 5)]
    epochs: usize,

    /// How many numbers stand for a word
    #[arg(
        long,
        visible_alias = "vector-size",
        value_name = "NUMBER",
        default_value_t = 100
    )]
    dimension: usize,

    /// How many words to each side are context, at most
    #[arg(long, value_name = "NUMBER", default_value_t = 5)]
    window: usize,

    /// How many words are drawn by chance for each true one
    #[arg(long, value_name = "NUMBER", default_value_t = 5)]
    negative: usize,

    /// Words that occur less often are left out
    #[arg(long, value_name = "NUMBER", default_value_t = 5)]
    minimum_count: usize,

    /// The share of the text from which occurrences of a word are left out by chance; 0 leaves none out
    #[arg(
        long,
        value_name = "SHARE",
        default_value_t = 0.001,
        allow_negative_numbers = true
    )]
    subsample: f64,

    /// The learning rate at the start, instead of 0.025 for skip-gram and 0.075 for CBOW
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    learning_rate: Option<f64>,

    /// How many threads work, instead of all that there are; the vectors are the same
    #[arg(long, value_name = "NUMBER")]
    threads: Option<usize>,

    /// Decides everything that is left to chance
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,

    /// The folder for the vectors; by default .kindling/runs/word2vec
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// Runs `cargo course train word2vec`.
pub fn run(args: &Args) -> Result<ExitCode> {
    let config = args.config()?;
    let out = args.out.clone().unwrap_or_else(|| places::runs(NAME));
    writable(&out)?;
    let words = Words::load(&args.text)?;
    let Args { mode, seed, .. } = args;
    let (count, sentences) = (words.count(), words.sentences.len());
    output::report(&format!(
        "{NAME}, {}, seed {seed}: {count} words in {sentences} sentences of {}",
        mode.name(),
        words.name
    ))?;
    let stop = stop_on_ctrl_c()?;
    let started = Instant::now();
    let model = Word2Vec::train_until(&words.sentences, &config, &|| stop.load(Ordering::Relaxed))?;
    let seconds = started.elapsed().as_secs_f64();
    if model.stopped() {
        output::note("stopped; no vectors were written");
        return Ok(ExitCode::from(INTERRUPTED));
    }
    output::report(&format!(
        "a vector for each of {} words, loss of each epoch {:.3?}, {seconds:.1} s, {:.0} words a second",
        model.words().len(),
        model.losses(),
        (count * args.epochs) as f64 / seconds
    ))?;
    print_nearest(&model, &words)?;
    let score = score(&model, &words)?;
    keep(
        &model,
        &words,
        &config,
        &score,
        &places::weights(&out, *seed),
    )?;
    Ok(ExitCode::SUCCESS)
}

/// A few frequent words with those that are nearest to them.
fn print_nearest(model: &Word2Vec, words: &Words) -> Result<()> {
    let known = |word: &&str| model.vector(word).is_ok();
    for word in words.frequent(SHOWN).into_iter().filter(known) {
        let nearest = model.nearest(word, NEAREST)?.into_iter();
        let nearest: Vec<String> = nearest
            .map(|(word, cosine)| format!("{word} {cosine:.2}"))
            .collect();
        output::report(&format!("nearest to {word}: {}", nearest.join(", ")))?;
    }
    Ok(())
}

/// Prints how many analogies are completed; returns it in words.
fn score(model: &Word2Vec, words: &Words) -> Result<String> {
    let scores = words.analogies.as_ref();
    let scores = scores
        .map(|questions| analogy_accuracy(model, questions))
        .transpose()?;
    let total = scores.as_ref().map(|scores| scores.total());
    let score = match total
        .as_ref()
        .and_then(|total| Some((total, total.accuracy()?)))
    {
        Some((total, accuracy)) => format!(
            "{:.2} % of {} analogies, {} more with words that have no vector",
            100.0 * accuracy,
            total.asked,
            total.unknown
        ),
        None => "no analogies: there is none of which each word has a vector".to_owned(),
    };
    if let Some(scores) = scores.filter(|scores| scores.total().asked > 0) {
        output::report(scores.to_string().trim_end())?;
    }
    output::report(&score)?;
    Ok(score)
}

/// Writes the vectors, with all that somebody who finds them may ask, and once more as text.
fn keep(
    model: &Word2Vec,
    words: &Words,
    config: &Word2VecConfig,
    score: &str,
    file: &Path,
) -> Result<()> {
    let details = [
        ("recipe", NAME),
        ("config", &format!("{config:?}")),
        ("score", score),
        ("data", &words.name),
        ("licence", words.licence),
        ("command", &command()),
    ];
    model.save_with(file, &details)?;
    let text = file.with_extension("txt");
    model.export_text(&text)?;
    output::report(&format!(
        "vectors: {}, and as text {}",
        file.display(),
        text.display()
    ))
}

impl Args {
    /// The settings, if their numbers make sense.
    fn config(&self) -> Result<Word2VecConfig> {
        numbers::in_range(&[
            ("--epochs", self.epochs, 100_000),
            ("--dimension", self.dimension, 10_000),
            ("--window", self.window, 1_000),
            ("--negative", self.negative, 1_000),
            ("--minimum-count", self.minimum_count, usize::MAX),
            ("--threads", self.threads.unwrap_or(1), 1_000),
        ])?;
        let (algorithm, rate) = self.mode.algorithm();
        let learning_rate = self.learning_rate.unwrap_or(rate);
        numbers::positive("--learning-rate", learning_rate)?;
        if !(0.0..=1.0).contains(&self.subsample) {
            bail!(
                "--subsample: expected a share from 0 to 1, such as 0.001, found {}",
                self.subsample
            );
        }
        Ok(Word2VecConfig {
            features: self.dimension,
            window: self.window,
            negatives: self.negative,
            subsample: self.subsample,
            epochs: self.epochs,
            learning_rate,
            minimum_count: self.minimum_count,
            algorithm,
            threads: self.threads.unwrap_or(0),
            seed: self.seed,
        })
    }
}
