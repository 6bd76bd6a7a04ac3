//! The commands that compute: `cargo course train`, `eval` and `predict` run this program, compiled with optimisation.

mod bench;
mod data;
mod eval;
mod limit;
mod photo;
mod predict;
mod recipes;
mod sequences;
mod sides;
mod summary;
mod train;
mod translation;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Training allocates and frees large tensors at each step; this allocator keeps their memory instead of giving it back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
    Train(train::Args),
    /// Measure a trained model on the test set
    Eval(eval::Args),
    /// Use a trained model
    Predict(predict::Args),
    /// Translate a text, one sentence a line
    Translate(translation::Args),
    /// Time a training step beside stock Candle, PyTorch and Keras
    #[command(name = "bench-train")]
    BenchTrain(bench::Args),
}

fn main() -> ExitCode {
    // The thread that trains is one of those that compute: it would otherwise be put to sleep and woken at each operation.
    // Without such a pool everything still works, a little slower.
    let _ = rayon::ThreadPoolBuilder::new()
        .use_current_thread()
        .build_global();
    let done = match Cli::parse().command {
        Command::Train(args) => train::run(args),
        Command::Eval(args) => eval::run(args),
        Command::Predict(args) => predict::run(args),
        Command::Translate(args) => translation::run(args),
        Command::BenchTrain(args) => bench::run(args),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
