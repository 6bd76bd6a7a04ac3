//! `cargo course train`, `eval` and `predict`: run the program that computes, compiled with optimisation.
//!
//! This program is compiled to be there quickly. What trains is `course-models`, which it calls with the same words.

#[cfg(not(unix))]
use anyhow::bail;
use anyhow::{Context, Result};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Whatever follows the command: `course-models` reads it.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub struct Args {
    /// Passed on; `--help` says what there is
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

/// Runs `course-models` with this command; does not return unless it cannot be started or fails.
pub fn run(command: &str, args: &Args) -> Result<()> {
    let root = crate::repository()?;
    let mut program = program(&root);
    program
        .arg(command)
        .args(&args.words)
        .env("KINDLING_REPOSITORY", &root);
    if std::env::var_os("KINDLING_COURSE").is_none() {
        // It has no network stack of its own: this program downloads for it.
        program.env("KINDLING_COURSE", std::env::current_exe()?);
    }
    become_it(program)
}

/// The program that `KINDLING_MODELS` names, else the one that cargo keeps up to date.
fn program(root: &Path) -> Command {
    if let Some(program) = std::env::var_os("KINDLING_MODELS") {
        return Command::new(program);
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    let name = format!("release/course-models{}", std::env::consts::EXE_SUFFIX);
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.arg("run");
    if target.join(name).is_file() {
        cargo.arg("--quiet");
    } else {
        eprintln!(
            "the first time, the models are compiled with optimisation; this takes some minutes"
        );
    }
    cargo
        .args(["--release", "--package", "course-models", "--manifest-path"])
        .arg(root.join("Cargo.toml"))
        .arg("--");
    cargo
}

/// Puts the program in this one's place, so that Ctrl-C and the exit code are its own.
#[cfg(unix)]
fn become_it(mut program: Command) -> Result<()> {
    use std::os::unix::process::CommandExt;
    let error = program.exec();
    Err(error).with_context(|| format!("cannot start {}", program.get_program().display()))
}

/// Waits for the program, and ends as it ended.
#[cfg(not(unix))]
fn become_it(mut program: Command) -> Result<()> {
    let status = program
        .status()
        .with_context(|| format!("cannot start {}", program.get_program().display()))?;
    match status.code() {
        Some(code) => std::process::exit(code),
        None => bail!("it ended without an exit code"),
    }
}
