//! The commands that compute: `cargo course train`, `eval` and `predict` run this program, compiled with optimisation.

// Lines go through `course_program::output`, which outlives their reader.
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

mod bench;
mod data;
mod detection;
mod embeddings;
mod eval;
mod limit;
mod numbers;
mod photo;
mod predict;
mod recipes;
mod sequences;
mod sides;
mod summary;
mod train;
mod translation;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Train, evaluate and use the models of the course.
#[derive(Debug, Parser)]
#[command(
    name = "cargo course",
    bin_name = "cargo course",
    version,
    args_override_self = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train a model, with checkpoints, a log and weights at the end
    Train(Box<Train>),
    /// Measure a trained model on the test set
    Eval(eval::Args),
    /// Use a trained model
    Predict(predict::Args),
    /// Translate a text, one sentence a line
    Translate(translation::Args),
    /// Time a training step beside stock Candle, PyTorch and Keras
    #[command(name = "bench-train")]
    BenchTrain(bench::Args),
    /// Time the training of a translator beside PyTorch
    #[command(name = "bench-seq2seq")]
    BenchSeq2seq(translation::BenchArgs),
    /// Time a detector, training and use, beside PyTorch
    #[command(name = "bench-detect")]
    BenchDetect(detection::BenchArgs),
    /// Time the training of word vectors beside gensim
    #[command(name = "bench-embeddings")]
    BenchEmbeddings(embeddings::BenchArgs),
}

/// What can be trained: a recipe by its name, or word vectors, which have options of their own.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    disable_help_subcommand = true
)]
struct Train {
    #[command(subcommand)]
    vectors: Option<Vectors>,

    #[command(flatten)]
    recipe: train::Args,
}

#[derive(Debug, Subcommand)]
enum Vectors {
    /// Learn a vector for each word of a text, by skip-gram or CBOW
    Word2vec(embeddings::TrainArgs),
}

impl Train {
    fn run(self) -> Result<ExitCode> {
        match self.vectors {
            Some(Vectors::Word2vec(args)) => embeddings::train(&args),
            None => train::run(self.recipe),
        }
    }
}

fn main() -> ExitCode {
    course_program::run(|cli: Cli| match cli.command {
        Command::Train(args) => args.run(),
        Command::Eval(args) => eval::run(args),
        Command::Predict(args) => predict::run(args),
        Command::Translate(args) => translation::run(args),
        Command::BenchTrain(args) => bench::run(args),
        Command::BenchSeq2seq(args) => translation::bench(&args),
        Command::BenchDetect(args) => detection::bench(&args),
        Command::BenchEmbeddings(args) => embeddings::bench(&args),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
