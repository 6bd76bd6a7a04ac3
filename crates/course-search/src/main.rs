//! `course-search FOLDER`: writes the search index of the book in a folder, and prints how many pages are in it.

mod index;

use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(pages) => {
            println!("{pages}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<usize> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.context("name the folder of the finished book, such as book/build")?;
    if !folder.join("index.html").is_file() {
        bail!(
            "{} holds no book: there is no index.html; build it with `cargo course book`",
            folder.display()
        );
    }
    index::index(&folder)
}
