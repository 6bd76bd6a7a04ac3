//! `course sync`: the one command after editing a lesson. It formats the cells, runs those of changed pages on the real
//! kernel, writes what is made from the pages, then checks all of it.

use anyhow::Result;
use kindling_pages::Book;
use std::path::PathBuf;

/// Bring notebooks and translations in step with the pages, then check everything.
#[derive(Debug, Default, clap::Args)]
pub struct Args {
    /// Do not run the cells of changed pages: their outputs stay out of date
    #[arg(long)]
    pub no_execute: bool,

    /// Run the cells of unchanged pages, too
    #[arg(long, conflicts_with = "no_execute")]
    pub force: bool,

    /// Only these pages' notebooks (such as algorithms/backpropagation); the rest is always done
    pub pages: Vec<PathBuf>,
}

/// Runs the command.
pub fn run(args: Args) -> Result<()> {
    let root = crate::repository::root()?;
    let formatted = crate::check::format::apply(&Book::open(&root)?)?;
    if formatted > 0 {
        println!("{formatted} cells formatted");
    }
    let notebooks = crate::notebooks::Args {
        execute: !args.no_execute,
        force: args.force,
        pages: args.pages,
        check: false,
        jobs: None,
    };
    crate::notebooks::run(notebooks)?;
    for language in kindling_book::Language::translated() {
        let update = kindling_book::update_catalogue(&root, language)?;
        println!(
            "{}: {} texts, {} new ({} of them with a guess to look at), {} dropped",
            language.catalogue().unwrap_or_default(),
            update.total,
            update.added,
            update.fuzzy,
            update.dropped
        );
    }
    crate::check::run(crate::check::Args::default())
}
