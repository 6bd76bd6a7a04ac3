//! What the command line says beside a model's name: one set of options for all models, and which of them a model has.

use std::{collections::BTreeSet, path::PathBuf};

use anyhow::{Result, bail};
use clap::{ArgMatches, Args, Command, parser::ValueSource};

use crate::{
    detection::AnnotationOptions,
    embeddings::VectorOptions,
    numbers,
    registry::{self, Trainable},
    translation::Languages,
};

/// More epochs, examples a step or seeds than this nobody means.
const MOST: usize = 1_000_000;

/// Train a model, with checkpoints, a log and weights at the end.
#[derive(Debug, Clone, Args)]
#[command(after_help = format!("MODEL is one of: {}", registry::names(|_| true)))]
pub struct Options {
    #[command(flatten)]
    pub given: Given,

    /// What is trained
    pub model: String,

    /// How often to go through the training set, instead of the recipe's number
    #[arg(long, value_name = "NUMBER")]
    pub epochs: Option<usize>,

    /// The learning rate, instead of the recipe's
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub learning_rate: Option<f64>,

    /// Decides the first weights, the order of the examples and everything else that is left to chance
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub seed: u64,

    /// The folder for checkpoints, logs and weights; by default .kindling/runs/<MODEL>
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,

    #[command(flatten)]
    pub data: DataOptions,

    #[command(flatten, next_help_heading = "Models that are trained in mini-batches")]
    pub batches: BatchOptions,

    #[command(flatten, next_help_heading = "Detectors")]
    pub annotations: AnnotationOptions,

    #[command(flatten, next_help_heading = "Translators")]
    pub languages: Languages,

    #[command(flatten, next_help_heading = "Word vectors")]
    pub vectors: VectorOptions,
}

impl Options {
    /// Whether the numbers that several models have make sense.
    pub fn check(&self) -> Result<()> {
        let BatchOptions {
            batch_size,
            seeds,
            checkpoint_seconds,
            ..
        } = self.batches;
        numbers::in_range(&[
            ("--epochs", self.epochs.unwrap_or(1), MOST),
            ("--batch-size", batch_size.unwrap_or(1), MOST),
            (
                "--seeds",
                usize::try_from(seeds).unwrap_or(usize::MAX),
                MOST,
            ),
        ])?;
        numbers::positive("--learning-rate", self.learning_rate.unwrap_or(1.0))?;
        if checkpoint_seconds.is_nan() || checkpoint_seconds < 0.0 {
            bail!("--checkpoint-seconds: expected a number of seconds, found {checkpoint_seconds}");
        }
        Ok(())
    }
}

/// Where the data come from, and how many.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
pub struct DataOptions {
    /// The data instead of the course's own: for digits a folder with the four IDX files of MNIST, for photographs a
    /// folder with the official binary files of CIFAR-10, or ten classes as train/<class>/<picture> and test/<class>/<picture>,
    /// or a tar of either, which gzip may have compressed; for a detector a Pascal VOC folder or its tar, a COCO file that ends
    /// in .json, or a folder with one of these in each of train, valid and test; for a translator a file of sentence pairs, a pair a line with a tab between, for a summariser
    /// one of texts and their summaries, and for word vectors a text file in UTF-8, of which a line is a sentence
    #[arg(long, value_name = "PATH", conflicts_with = "builtin")]
    pub data: Option<PathBuf>,

    /// Pictures, scenes, sentences or e-mails made by a program, which need no download: 6,000 + 1,000 pictures
    #[arg(long)]
    pub builtin: bool,

    /// Use only so many training examples, and at most as many for each measurement
    #[arg(long, value_name = "NUMBER")]
    pub limit: Option<usize>,
}

impl DataOptions {
    /// Whether the numbers make sense.
    pub fn check(&self) -> Result<()> {
        if self.limit == Some(0) {
            bail!("--limit: expected at least 1, found 0");
        }
        Ok(())
    }

    /// How many examples of each set are used, at most.
    pub fn most(&self) -> usize {
        self.limit.unwrap_or(usize::MAX)
    }
}

/// What only models have that are trained in mini-batches, by the training loop.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct BatchOptions {
    /// How many examples each step looks at, instead of the recipe's number
    #[arg(long, value_name = "NUMBER")]
    pub batch_size: Option<usize>,

    /// Train so many times, with the seed and those after it
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seeds: u64,

    /// Go on where an interrupted run was, bit for bit as if it had not been interrupted
    #[arg(long)]
    pub resume: bool,

    /// The time between two checkpoints
    #[arg(long, value_name = "SECONDS", default_value_t = 15.0)]
    pub checkpoint_seconds: f64,
}

/// Options that some models have and others do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// [`BatchOptions`].
    Batches,
    /// [`AnnotationOptions`].
    Annotations,
    /// [`Languages`].
    Languages,
    /// [`VectorOptions`].
    Vectors,
}

impl Group {
    const ALL: [Self; 4] = [
        Self::Batches,
        Self::Annotations,
        Self::Languages,
        Self::Vectors,
    ];

    /// A command with these options and no others.
    fn command(self) -> Command {
        let empty = Command::new("");
        match self {
            Self::Batches => BatchOptions::augment_args(empty),
            Self::Annotations => AnnotationOptions::augment_args(empty),
            Self::Languages => Languages::augment_args(empty),
            Self::Vectors => VectorOptions::augment_args(empty),
        }
    }
}

/// The options that stand on the command line, in contrast to those that have their default.
#[derive(Debug, Clone, Default)]
pub struct Given(BTreeSet<String>);

impl Given {
    /// Fails when one of them is for other models than this one.
    pub fn fit(&self, model: &dyn Trainable) -> Result<()> {
        for group in Group::ALL {
            if model.groups().contains(&group) {
                continue;
            }
            let options = group.command();
            let given = |option: &&clap::Arg| self.0.contains(option.get_id().as_str());
            if let Some(option) = options.get_arguments().find(given) {
                bail!(
                    "--{}: {} does not have this option; it is for: {}",
                    option.get_long().unwrap_or_default(),
                    model.name(),
                    registry::names(|model| model.groups().contains(&group))
                );
            }
        }
        Ok(())
    }
}

/// It has no options itself and sees which of its neighbours were given.
impl Args for Given {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}

impl clap::FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let names = matches.ids().map(clap::Id::as_str);
        let given = |name: &&str| matches.value_source(name) == Some(ValueSource::CommandLine);
        Ok(Self(names.filter(given).map(str::to_owned).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
pub mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    /// The options that these words say.
    pub fn options(words: &str) -> Options {
        let words = ["train"].into_iter().chain(words.split_whitespace());
        Cli::try_parse_from(words).unwrap().options
    }

    #[test]
    fn what_a_model_does_not_have_is_refused_in_one_way() {
        for (words, expected) in [
            (
                "mnist-mlp --images x --data y",
                Some(
                    "--images: mnist-mlp does not have this option; it is for: detect-one-stage, detect-two-stage",
                ),
            ),
            (
                "mnist-mlp --to en",
                Some(
                    "--to: mnist-mlp does not have this option; it is for: transformer-translate, gru-translate",
                ),
            ),
            (
                "word2vec --batch-size 3",
                Some("--batch-size: word2vec does not have this option; it is for: mnist-mlp, "),
            ),
            (
                "summarizer --vector-size 3",
                Some("--dimension: summarizer does not have this option; it is for: word2vec"),
            ),
            ("gru-translate --from de --to en --resume --limit 3", None),
            ("word2vec --window 3 --limit 3 --seed 1", None),
        ] {
            let options = options(words);
            let model = registry::find(&options.model).unwrap();
            match (options.given.fit(model), expected) {
                (Ok(()), None) => {}
                (Err(problem), Some(expected)) => {
                    assert!(problem.to_string().starts_with(expected), "{problem}");
                }
                (found, _) => panic!("{words}: {found:?}"),
            }
        }
    }

    #[test]
    fn numbers_that_make_no_sense_are_named() {
        for (words, expected) in [
            ("--epochs 0", "--epochs: expected at least 1, found 0"),
            (
                "--seeds 1000001",
                "--seeds: expected at most 1000000, found 1000001",
            ),
            (
                "--learning-rate -1",
                "--learning-rate: expected a positive number, found -1",
            ),
            (
                "--checkpoint-seconds=-1",
                "--checkpoint-seconds: expected a number of seconds, found -1",
            ),
        ] {
            let problem = options(&format!("mnist-mlp {words}")).check().unwrap_err();
            assert_eq!(problem.to_string(), expected);
        }
        options("mnist-mlp --epochs 3").check().unwrap();
    }
}
