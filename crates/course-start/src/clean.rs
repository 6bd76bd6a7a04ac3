//! Takes cargo's two closing words from the terminal.
//!
//! `cargo run` could be told to be quiet. But then it would also be quiet about the first thing that it does on a new machine:
//! it reads which versions of which crates there are, seconds long, before this program even exists.

use std::io::{IsTerminal, Write, stderr};

/// Erases `Finished …` and `Running …` where they are surely the last two lines of a terminal.
pub fn up() {
    let terminal =
        stderr().is_terminal() && std::env::var_os("TERM").is_some_and(|name| name != "dumb");
    let arguments = std::env::args_os().map(|word| word.to_string_lossy().chars().count() + 1);
    if terminal
        && !is_quiet()
        && fits(arguments.sum())
        && std::env::var_os("CARGO_PKG_NAME").is_some()
    {
        let _ = write!(stderr(), "\u{1b}[2A\u{1b}[J");
    }
}

/// Whether `Running …` with so many letters of arguments takes one line of a small terminal.
fn fits(letters: usize) -> bool {
    letters + 16 < 80
}

/// Whether the reader told cargo to be quiet, or to say more: then other lines than these two are above.
fn is_quiet() -> bool {
    let told = ["CARGO_TERM_QUIET", "CARGO_TERM_VERBOSE"];
    let home = std::env::var_os("CARGO_HOME").map(std::path::PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let settings = home.map(|home| std::fs::read_to_string(home.join("config.toml")));
    let settings = settings.and_then(Result::ok).unwrap_or_default();
    told.iter().any(|name| std::env::var_os(name).is_some())
        || settings.lines().any(|line| {
            line.trim_start().starts_with("quiet") || line.trim_start().starts_with("verbose")
        })
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_line_that_may_go_on_below_is_left() {
        assert!(super::fits("target/tool/course-start up".len()));
        assert!(!super::fits(80));
    }
}
