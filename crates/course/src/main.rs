//! The command `cargo course`.

// First, for its macros stand in for those of the standard library in all that follows.
#[macro_use]
mod output;

mod bench;
mod book;
mod cargo;
mod check;
mod data;
mod jupyter;
mod kernel;
mod models;
mod notebooks;
mod own;
mod repository;
mod search;
mod server;
mod sync;
mod test;
mod up;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

pub use repository::root as repository;

/// Large AI models from first principles, in Rust: read the book, run its cells, check everything.
#[derive(Debug, Parser)]
#[command(name = "cargo course", bin_name = "cargo course", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Open the book with Run buttons, on this machine only
    Up(up::Args),
    /// Run everything that continuous integration runs
    Test(test::Args),
    /// Check that pages, notebooks and translations agree
    Check(check::Args),
    /// Bring notebooks and translations in step with the pages, then check: the one command after editing a lesson
    Sync(sync::Args),
    /// Write, run or compare the notebooks of the lessons
    Notebooks(notebooks::Args),
    /// Build the book in both languages, or check it
    Book(book::Args),
    /// Prepare the notebook kernel, or say what is ready
    Kernel(kernel::Args),
    /// Open JupyterLab on the notebooks of the course
    Jupyter(jupyter::Args),
    /// List, download and check the data sets
    Data(data::Args),
    /// Train a model, or word vectors
    Train(models::Args),
    /// Measure a trained model on its test set, or the summarisers on theirs (`eval summarizer`)
    Eval(models::Args),
    /// Use a trained model, such as `predict digits photo.png`
    Predict(models::Args),
    /// Translate a text with a trained model, one sentence a line
    Translate(models::Args),
    /// Say in fewer words what a text says
    Summarize(models::Args),
    /// Turn sentences into vectors, or find the nearest ones
    Embed(models::Args),
    /// Measure
    Bench(bench::Args),
    /// What cargo starts in place of a test program, when `test` runs
    #[command(hide = true)]
    RunTest(test::wrapper::Args),
}

fn main() -> ExitCode {
    own::remember();
    if let Some(code) = test::wrapper::rustdoc() {
        return code;
    }
    let command = Cli::parse().command;
    // Minutes of work whose only result is what they print.
    if matches!(command, Command::Test(_) | Command::Bench(_)) {
        output::end_with_reader();
    }
    let done = match command {
        Command::Up(args) => up::run(args),
        Command::Test(args) => test::run(args),
        Command::Check(args) => check::run(args),
        Command::Sync(args) => sync::run(args),
        Command::Notebooks(args) => notebooks::run(args),
        Command::Book(args) => book::run(args),
        Command::Kernel(args) => kernel::run(args),
        Command::Jupyter(args) => jupyter::run(args),
        Command::Data(args) => data::run(args),
        Command::Train(args) => models::run("train", &args),
        Command::Eval(args) => models::run("eval", &args),
        Command::Predict(args) => models::run("predict", &args),
        Command::Translate(args) => models::run("translate", &args),
        Command::Summarize(args) => models::run("summarize", &args),
        Command::Embed(args) => models::run("embed", &args),
        Command::Bench(args) => bench::run(args),
        Command::RunTest(args) => test::wrapper::run(args),
    };
    match (done, output::problem()) {
        (Ok(()), None) => ExitCode::SUCCESS,
        (Ok(()), Some(problem)) => {
            eprintln!("error: standard output: {problem}");
            ExitCode::FAILURE
        }
        (Err(error), _) => {
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
