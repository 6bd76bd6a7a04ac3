//! The commands that compute: `cargo course train`, `eval` and `predict` run this program, compiled with optimisation.

// Lines go through `course_program::output`, which outlives their reader.
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

mod classification;
mod detection;
mod embeddings;
mod eval;
mod licence;
mod numbers;
mod options;
mod predict;
mod recipe;
mod registry;
mod run;
mod sequences;
mod summary;
mod train;
mod translation;
mod weights;

use std::process::ExitCode;

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
    Train(Box<options::Options>),
    /// Measure a trained model on the test set
    Eval(Box<eval::Options>),
    /// Use a trained model
    Predict(predict::Args),
    /// Translate a text, one sentence a line
    Translate(translation::Args),
    /// Time a training step beside stock Candle, PyTorch and Keras
    #[command(name = "bench-train")]
    BenchTrain(classification::BenchArgs),
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

fn main() -> ExitCode {
    course_program::run(|cli: Cli| match cli.command {
        Command::Train(options) => train::run(&options),
        Command::Eval(options) => eval::run(&options),
        Command::Predict(args) => predict::run(args),
        Command::Translate(args) => translation::run(args),
        Command::BenchTrain(args) => classification::bench(args),
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
