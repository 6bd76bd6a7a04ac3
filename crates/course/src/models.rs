//! `cargo course train`, `eval`, `predict`, `summarize` and `embed`: run the program that computes, compiled with optimisation.
//!
//! This program is compiled to be there quickly. What trains is `course-models`, and what uses pretrained language models is
//! `course-language`; they are called with the same words.

#[cfg(not(unix))]
use anyhow::bail;
use anyhow::{Context, Result};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program that computes.
struct Program {
    package: &'static str,
    /// The variable that names it where it is compiled already.
    variable: &'static str,
    /// What is compiled the first time.
    what: &'static str,
}

/// Trains, measures and uses the course's own models.
const MODELS: Program = Program {
    package: "course-models",
    variable: "KINDLING_MODELS",
    what: "the models are",
};

/// Uses pretrained language models.
const LANGUAGE: Program = Program {
    package: "course-language",
    variable: "KINDLING_LANGUAGE",
    what: "what uses pretrained language models is",
};

/// The options of `eval` that have no value: what follows any other is its value, and no subject.
const ALONE: [&str; 4] = ["--builtin", "--json", "--help", "-h"];

/// Whatever follows the command: the program that computes reads it.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub struct Args {
    /// Passed on; `--help` says what there is
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

/// Runs the program that has this command; does not return unless it cannot be started or fails.
pub fn run(command: &str, args: &Args) -> Result<()> {
    let root = crate::repository()?;
    let mut program = program(&root, chosen(command, subject(&args.words)));
    program
        .arg(command)
        .args(&args.words)
        .env("KINDLING_REPOSITORY", &root);
    if std::env::var_os("KINDLING_COURSE").is_none() {
        // It has no network stack of its own: this program downloads for it.
        program.env("KINDLING_COURSE", crate::own::file()?);
    }
    become_it(program)
}

/// The first word that is neither an option nor the value of one.
fn subject(words: &[OsString]) -> Option<&str> {
    let mut words = words.iter().map(|word| word.to_str().unwrap_or_default());
    while let Some(word) = words.next() {
        match word {
            "--" => return words.next(),
            option if option.starts_with('-') => {
                if !ALONE.contains(&option) && !option.contains('=') {
                    words.next();
                }
            }
            subject => return Some(subject),
        }
    }
    None
}

/// Which program has this command, given what it is about.
fn chosen(command: &str, subject: Option<&str>) -> &'static Program {
    match (command, subject) {
        ("summarize" | "embed" | "bench-embedder", _) | ("eval", Some("summarizer")) => &LANGUAGE,
        _ => &MODELS,
    }
}

/// The program that its variable names, else the one that cargo keeps up to date.
fn program(root: &Path, chosen: &Program) -> Command {
    if let Some(program) = std::env::var_os(chosen.variable) {
        return Command::new(program);
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    let package = chosen.package;
    let name = format!("release/{package}{}", std::env::consts::EXE_SUFFIX);
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.arg("run");
    if target.join(name).is_file() {
        cargo.arg("--quiet");
    } else {
        eprintln!(
            "the first time, {} compiled with optimisation; this takes some minutes",
            chosen.what
        );
    }
    cargo
        .args(["--release", "--package", package, "--manifest-path"])
        .arg(root.join("Cargo.toml"))
        .arg("--");
    cargo
}

/// Puts the program in this one's place, so that Ctrl-C and the exit code are its own.
#[cfg(unix)]
pub fn become_it(mut program: Command) -> Result<()> {
    use std::os::unix::process::CommandExt;
    let error = program.exec();
    Err(error).with_context(|| format!("cannot start {}", program.get_program().display()))
}

/// Waits for the program, and ends as it ended.
#[cfg(not(unix))]
pub fn become_it(mut program: Command) -> Result<()> {
    let status = program
        .status()
        .with_context(|| format!("cannot start {}", program.get_program().display()))?;
    match status.code() {
        Some(code) => std::process::exit(code),
        None => bail!("it ended without an exit code"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subject_stands_before_or_behind_options() {
        for (words, expected) in [
            ("summarizer --json", Some("summarizer")),
            ("--json summarizer", Some("summarizer")),
            ("--builtin --limit 5 summarizer", Some("summarizer")),
            ("--limit=5 --json -- summarizer", Some("summarizer")),
            ("--weights summarizer", None),
            ("--weights summarizer mnist-mlp", Some("mnist-mlp")),
            ("--help", None),
            ("", None),
        ] {
            let words: Vec<OsString> = words.split_whitespace().map(Into::into).collect();
            assert_eq!(subject(&words), expected, "{words:?}");
        }
    }

    #[test]
    fn each_command_has_its_program() {
        for (command, first, package) in [
            ("train", Some("mnist-cnn"), "course-models"),
            ("train", Some("word2vec"), "course-models"),
            ("eval", None, "course-models"),
            ("eval", Some("--weights"), "course-models"),
            ("eval", Some("summarizer"), "course-language"),
            ("summarize", Some("-"), "course-language"),
            ("embed", None, "course-language"),
            ("bench-train", None, "course-models"),
            ("bench-seq2seq", None, "course-models"),
            ("bench-detect", None, "course-models"),
            ("predict", Some("detect"), "course-models"),
            ("bench-embeddings", Some("--json"), "course-models"),
            ("bench-embedder", Some("--json"), "course-language"),
        ] {
            assert_eq!(chosen(command, first).package, package, "{command}");
        }
    }
}
