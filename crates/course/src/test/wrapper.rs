//! What cargo starts instead of a test program, or instead of rustdoc: it says whose tests follow, and leaves out those that are proven.
//!
//! All packages of a stage are chosen at each call, so that cargo compiles their dependencies with the same features each
//! time; leaving some out of the call would compile Candle a second time.

use crate::models::become_it;
use anyhow::{Result, bail};
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};

/// Starts the line that says whose tests follow.
pub const UNIT: &str = "kindling-unit: ";

/// Starts the line that says whose tests are left out.
pub const REUSED: &str = "kindling-reused: ";

/// The variable that lists what is proven: packages, or `package/program`, with commas between.
pub const PROVEN: &str = "KINDLING_PROVEN";

/// The variable that makes this program stand for rustdoc, and names the real one.
pub const RUSTDOC: &str = "KINDLING_RUSTDOC";

/// The command that runs a test program.
pub const COMMAND: &str = "run-test";

/// A test program and its arguments, as cargo gives them.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    command: Vec<OsString>,
}

/// Runs a test program in this one's place, unless it is proven.
pub fn run(args: Args) -> Result<()> {
    let [program, rest @ ..] = args.command.as_slice() else {
        bail!("expected a test program");
    };
    let name = Path::new(program).file_stem().unwrap_or_default();
    let name = name.to_string_lossy();
    // cargo adds `-` and sixteen digits.
    let name = name.rsplit_once('-').map_or(&*name, |(name, _)| name);
    if announced(name) {
        return Ok(());
    }
    let mut command = Command::new(program);
    // A test may start this very program, which must then be itself.
    command.args(rest).env_remove(RUSTDOC).env_remove("RUSTDOC");
    become_it(command)
}

/// Stands for rustdoc where [`RUSTDOC`] asks for it.
pub fn rustdoc() -> Option<ExitCode> {
    let real = std::env::var_os(RUSTDOC)?;
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    // Cargo starts test programs through this program in the same environment.
    if arguments.first().is_some_and(|first| first == COMMAND) {
        return None;
    }
    let tests = arguments.iter().any(|argument| argument == "--test");
    if tests && announced("doctests") {
        return Some(ExitCode::SUCCESS);
    }
    let mut command = Command::new(real);
    command
        .args(untooled(arguments))
        .env_remove(RUSTDOC)
        .env_remove("RUSTDOC");
    match become_it(command) {
        Ok(()) => Some(ExitCode::SUCCESS),
        Err(error) => {
            eprintln!("error: {error:#}");
            Some(ExitCode::FAILURE)
        }
    }
}

/// Without what makes rustdoc start each doctest through [`run`], which cargo asks for wherever tests are started through it.
fn untooled(arguments: Vec<OsString>) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        if argument == "--test-runtool" || argument == "--test-runtool-arg" {
            arguments.next();
        } else {
            kept.push(argument);
        }
    }
    kept
}

/// Says whose tests follow; true where they need not run.
fn announced(program: &str) -> bool {
    let package = std::env::var("CARGO_PKG_NAME").unwrap_or_else(|_| "unknown".to_owned());
    let proven = std::env::var(PROVEN).unwrap_or_default();
    let reused = is_proven(&proven, &package, program);
    println!("{}{package} {program}", if reused { REUSED } else { UNIT });
    reused
}

fn is_proven(proven: &str, package: &str, program: &str) -> bool {
    let own = format!("{package}/{program}");
    proven.split(',').any(|word| word == package || word == own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doctest_is_started_by_rustdoc_itself() {
        let given = "--test --test-runtool /a/course --test-runtool-arg run-test src/lib.rs";
        let given = given.split(' ').map(OsString::from).collect();
        assert_eq!(untooled(given), ["--test", "src/lib.rs"]);
    }

    #[test]
    fn a_package_or_one_of_its_programs_is_proven() {
        assert!(is_proven("a,b", "b", "fit"));
        assert!(is_proven("a,b/fit", "b", "fit"));
        assert!(!is_proven("a,b/fit", "b", "other"));
        assert!(!is_proven("", "b", "fit"));
        assert!(!is_proven("bb", "b", "fit"));
    }
}
