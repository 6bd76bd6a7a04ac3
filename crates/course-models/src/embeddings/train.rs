//! `cargo course train word2vec`: a vector for each word of a text.

use std::{path::Path, process::ExitCode, sync::atomic::Ordering, time::Instant};

use anyhow::{Result, bail};
use course_program::output;
use kindling::{
    metrics::analogy_accuracy,
    models::{Algorithm, Word2Vec, Word2VecConfig},
    train::Settings,
};

use super::words::{self, Words};
use crate::{
    numbers,
    options::Options,
    run::{Details, INTERRUPTED, Origin, Run, stop_on_ctrl_c},
};

/// How often it goes through the text, unless the command line says otherwise.
const EPOCHS: usize = 5;

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

/// What decides word vectors and nothing else.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub struct VectorOptions {
    /// Which of the two models
    #[arg(long, value_enum, default_value_t = Mode::SkipGram)]
    mode: Mode,

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

    /// How many words are drawn at random for each true one
    #[arg(long, value_name = "NUMBER", default_value_t = 5)]
    negative: usize,

    /// Words that occur less often are left out
    #[arg(long, value_name = "NUMBER", default_value_t = 5)]
    minimum_count: usize,

    /// The share of the text from which occurrences of a word are left out at random; 0 leaves none out
    #[arg(
        long,
        value_name = "SHARE",
        default_value_t = 0.001,
        allow_negative_numbers = true
    )]
    subsample: f64,

    /// How many threads work, instead of all that there are; the vectors are the same
    #[arg(long, value_name = "NUMBER")]
    threads: Option<usize>,
}

/// Trains with the one seed, shows what was learned, and measures it by analogies.
pub fn train(name: &'static str, options: &Options) -> Result<ExitCode> {
    let config = config(options)?;
    options.data.check()?;
    let run = Run::open(name, options)?;
    let text = words::Args {
        data: options.data.data.clone(),
        builtin: options.data.builtin,
    };
    let mut words = Words::load(&text)?;
    words.sentences.truncate(options.data.most());
    let (count, sentences) = (words.count(), words.sentences.len());
    let Word2VecConfig { seed, epochs, .. } = config;
    output::report(&format!(
        "{name}, {}, seed {seed}: {count} words in {sentences} sentences of {}",
        options.vectors.mode.name(),
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
        (count * epochs) as f64 / seconds
    ))?;
    print_nearest(&model, &words)?;
    let score = score(&model, &words)?;
    let origin = Origin {
        name: &words.name,
        licence: words.licence,
    };
    let settings = Settings::default().with("training", config)?;
    let details = run.details(score, origin, &settings);
    keep(&model, &details, &run.weights(seed))?;
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
fn keep(model: &Word2Vec, details: &Details, file: &Path) -> Result<()> {
    model.save_with(file, &details.words())?;
    let text = file.with_extension("txt");
    model.export_text(&text)?;
    output::report(&format!(
        "vectors: {}, and as text {}",
        file.display(),
        text.display()
    ))
}

/// The settings, if their numbers make sense.
fn config(options: &Options) -> Result<Word2VecConfig> {
    let own = &options.vectors;
    let epochs = options.epochs.unwrap_or(EPOCHS);
    numbers::in_range(&[
        ("--epochs", epochs, 100_000),
        ("--dimension", own.dimension, 10_000),
        ("--window", own.window, 1_000),
        ("--negative", own.negative, 1_000),
        ("--minimum-count", own.minimum_count, usize::MAX),
        ("--threads", own.threads.unwrap_or(1), 1_000),
    ])?;
    if !(0.0..=1.0).contains(&own.subsample) {
        bail!(
            "--subsample: expected a share from 0 to 1, such as 0.001, found {}",
            own.subsample
        );
    }
    let (algorithm, rate) = own.mode.algorithm();
    Ok(Word2VecConfig {
        features: own.dimension,
        window: own.window,
        negatives: own.negative,
        subsample: own.subsample,
        epochs,
        learning_rate: options.learning_rate.unwrap_or(rate),
        minimum_count: own.minimum_count,
        algorithm,
        threads: own.threads.unwrap_or(0),
        seed: options.seed,
    })
}
