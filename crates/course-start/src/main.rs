//! What `cargo course` runs first. It is compiled in a second, keeps the program `course` up to date, shows how far that is,
//! and then becomes it.

mod clean;
mod fresh;

use kindling_cargo::{Count, Line, Phase, minutes_left, run, time_left, without_package};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant, SystemTime};

fn main() -> ExitCode {
    clean::up();
    match start() {
        Ok(code) => code,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<ExitCode, String> {
    let here = std::env::current_exe()
        .map_err(|error| format!("cannot find this program's own file: {error}"))?;
    // Cargo puts the programs of one profile side by side.
    let course = here.with_file_name(format!("course{}", std::env::consts::EXE_SUFFIX));
    let root = root();
    if !fresh::is_fresh(&course, &here, &root) {
        let began = SystemTime::now();
        build(&root, !course.is_file())?;
        fresh::mark(&course, began);
    }
    become_it(&course, std::env::args_os().skip(1).collect())
}

/// The repository that cargo runs this for, even where a clone that is gone left this program in a shared target folder.
fn root() -> PathBuf {
    let folder =
        std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or(env!("CARGO_MANIFEST_DIR").into());
    Path::new(&folder).join("../..")
}

/// Compiles `course`, and shows how far it is.
fn build(root: &Path, first: bool) -> Result<(), String> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    without_package(&mut command);
    command
        .args(["build", "--package", "course", "--profile", "tool"])
        .arg("--manifest-path")
        .arg(root.join("Cargo.toml"));
    let began = Instant::now();
    let mut line = Line::new();
    if first {
        line.show("Preparing `cargo course` …", 0.0);
    }
    let mut compiling = None;
    let ended = run(command, 0, |count, _| {
        if count.phase == Phase::Compiling {
            compiling.get_or_insert_with(Instant::now);
        }
        let (text, share) = words(
            count,
            compiling.map_or(Duration::ZERO, |when| when.elapsed()),
        );
        line.show(&text, share);
    })
    .map_err(|error| format!("cannot run cargo: {error}"))?;
    drop(line);
    let said = ended.words.join("\n");
    if !ended.status.success() {
        let network = [
            "failed to download",
            "Could not resolve",
            "Could not connect",
            "spurious",
        ];
        return Err(if network.iter().any(|sign| said.contains(sign)) {
            format!(
                "`cargo course` cannot be compiled without a network the first time; run it again when there is one, and it goes on where it stopped:\n{said}"
            )
        } else {
            format!("`cargo course` cannot be compiled:\n{said}")
        });
    }
    if !said.is_empty() {
        eprintln!("{said}");
    }
    if compiling.is_some_and(|_| began.elapsed() > Duration::from_secs(10)) {
        eprintln!(
            "Compiled `cargo course` in {:.0} s",
            began.elapsed().as_secs_f64()
        );
    }
    Ok(())
}

/// What is shown, and the part of everything that is done.
fn words(count: &Count, compiling: Duration) -> (String, f64) {
    /// The part of the time that fetching takes.
    const FETCHING: f64 = 0.1;
    let Count { done, total, .. } = *count;
    match count.phase {
        Phase::Reading => ("Preparing `cargo course` …".to_owned(), 0.0),
        Phase::Fetching => (
            format!("Preparing `cargo course`: fetched {done} of {total} crates"),
            // Their number grows at first: a share of it would fall again.
            0.0,
        ),
        Phase::Compiling if total == 0 => (
            format!("Preparing `cargo course`: compiling crate {done}"),
            FETCHING,
        ),
        Phase::Compiling => {
            let share = count.share();
            let left = time_left(compiling, share)
                .map_or(String::new(), |left| format!(", {}", minutes_left(left)));
            (
                format!("Preparing `cargo course`: compiled {done} of {total} parts{left}"),
                FETCHING + (1.0 - FETCHING) * share,
            )
        }
    }
}

/// Puts `course` in this program's place, so that Ctrl-C and the exit code are its own.
fn become_it(course: &Path, arguments: Vec<OsString>) -> Result<ExitCode, String> {
    let mut command = Command::new(course);
    command.args(arguments);
    without_package(&mut command);
    let problem = |error: std::io::Error| format!("cannot start {}: {error}", course.display());
    #[cfg(unix)]
    {
        Err(problem(std::os::unix::process::CommandExt::exec(
            &mut command,
        )))
    }
    #[cfg(not(unix))]
    {
        let status = command.status().map_err(problem)?;
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_what_happens_and_how_far_it_is() {
        let mut count = Count::new(0);
        let mut shown = |line: &str, seconds| {
            assert!(count.read(line));
            words(&count, Duration::from_secs(seconds)).0
        };
        assert_eq!(
            shown("    Updating crates.io index", 0),
            "Preparing `cargo course` …"
        );
        assert_eq!(
            shown(" Downloading 6 crates, remaining bytes: 96.6KiB", 0),
            "Preparing `cargo course`: fetched 0 of 6 crates"
        );
        assert_eq!(
            shown("    Building [=> ] 100/300: serde", 60),
            "Preparing `cargo course`: compiled 100 of 300 parts, about 2 minutes left"
        );
    }
}
