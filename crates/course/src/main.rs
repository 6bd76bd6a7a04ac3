//! The command `cargo course`: serve, test, check and prepare the course.

mod book;
mod kernel;
mod notebooks;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Kindling: large AI models from first principles, in Rust.
#[derive(Debug, Parser)]
#[command(name = "cargo course", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build the book in both languages, or check it
    Book(book::Args),
    /// Prepare the notebook kernel, or say what is ready
    Kernel(kernel::Args),
    /// Write, run or compare the notebooks of the lessons
    Notebooks(notebooks::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Book(args) => book::run(args),
        Command::Kernel(args) => kernel::run(args),
        Command::Notebooks(args) => notebooks::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The repository: the nearest folder upwards that holds `book/book.toml`.
fn repository() -> Result<PathBuf> {
    let start = std::env::current_dir()?;
    match start
        .ancestors()
        .find(|folder| folder.join("book/book.toml").is_file())
    {
        Some(root) => Ok(root.to_owned()),
        None => bail!(
            "{} is not inside the course: no folder upwards holds book/book.toml; change to your clone of it",
            start.display()
        ),
    }
}
