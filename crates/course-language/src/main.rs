//! The commands for text: `cargo course summarize`, `embed`, `eval summarizer` and `bench embedder` run this program, compiled with optimisation.

mod bench;
mod embed;
mod eval;
mod input;
mod output;
mod sides;
mod summarize;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A model allocates and frees large tensors at each layer; this allocator keeps their memory instead of giving it back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
    // The thread that waits for the answer is one of those that compute: it would otherwise be put to sleep and woken at each operation.
    // Without such a pool everything still works, a little slower.
    let _ = rayon::ThreadPoolBuilder::new()
        .use_current_thread()
        .build_global();
    let done = match Cli::parse().command {
        Command::Summarize(args) => summarize::run(&args),
        Command::Embed(args) => embed::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::BenchEmbedder(args) => bench::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads has seen enough, as `head` has: that is no failure.
        Err(error) if output::is_closed(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::note(&format!("error: {error:#}"));
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
