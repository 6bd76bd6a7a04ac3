//! What the programs behind `cargo course` share: how they start, write and end, and how they measure side by side.

pub mod bench;
pub mod input;
pub mod output;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

/// A model allocates and frees large tensors at each step; this allocator keeps their memory instead of giving it back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Reads the command line, carries it out, and says in one line what went wrong.
pub fn run<C: Parser>(command: impl FnOnce(C) -> Result<ExitCode>) -> ExitCode {
    // The thread that waits for the result is one of those that compute: it would otherwise be put to sleep and woken at each
    // operation. Without such a pool everything still works, a little slower.
    let _ = rayon::ThreadPoolBuilder::new()
        .use_current_thread()
        .build_global();
    output::end_quietly();
    match command(C::parse()) {
        Ok(code) => code,
        // Whoever reads has seen enough, as `head` has: that is no failure.
        Err(error) if output::is_closed(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::note(&format!("error: {}", in_words(&error)));
            ExitCode::FAILURE
        }
    }
}

/// What went wrong and why; a cause that the words before it already end with is not said twice.
fn in_words(error: &anyhow::Error) -> String {
    let mut words = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if words.is_empty() {
            words = cause;
        } else if !words.ends_with(&cause) {
            words = format!("{words}: {cause}");
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_is_told_once() {
        let missing = || std::io::Error::other("no such file");
        let told = anyhow::Error::new(missing()).context("blood.png");
        assert_eq!(in_words(&told), "blood.png: no such file");
        let told = anyhow::Error::new(missing()).context("blood.png: no such file");
        assert_eq!(in_words(&told), "blood.png: no such file");
    }
}
