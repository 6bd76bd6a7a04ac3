//! The commands for text: `cargo course summarize`, `embed`, `eval summarizer` and `bench embedder` run this program, compiled with optimisation.

// Lines go through `course_program::output`, which outlives their reader.
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

mod bench;
mod contenders;
mod embed;
mod eval;
mod summarize;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Use pretrained language models.
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
    /// Say in fewer words what a text says
    Summarize(summarize::Args),
    /// Turn sentences into vectors, or find the nearest ones
    Embed(embed::Args),
    /// Measure the summarisers
    Eval(eval::Args),
    /// Time sentence vectors beside sentence-transformers and ONNX Runtime
    #[command(name = "bench-embedder")]
    BenchEmbedder(bench::Args),
}

fn main() -> ExitCode {
    course_program::run(|cli: Cli| {
        match cli.command {
            Command::Summarize(args) => summarize::run(&args),
            Command::Embed(args) => embed::run(&args),
            Command::Eval(args) => eval::run(&args),
            Command::BenchEmbedder(args) => bench::run(&args),
        }?;
        Ok(ExitCode::SUCCESS)
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
