//! The launcher with a cargo that only pretends.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Says what cargo says, slowly, and makes a `course` that repeats its arguments.
const CARGO: &str = r#"#!/bin/sh
echo "$@" >> "$FAKE/asked"
test -z "$CARGO_PKG_NAME" || echo "error: a package" >&2
sleep 0.5
printf ' Downloading 6 crates, remaining bytes: 96.6KiB    \r' >&2
printf '  Downloaded fnv v1.0.7\n' >&2
printf '   Compiling fnv v1.0.7\n    Building [=> ] 3/12: fnv   \r' >&2
if test -n "$FAKE_FAILS"; then echo 'error: linker `cc` not found' >&2; exit 101; fi
printf '    Finished in 1s\n' >&2
printf '#!/bin/sh\necho "course $*"\nexit 7\n' > "$FAKE/tool/course"
chmod +x "$FAKE/tool/course"
echo "$FAKE/tool/course: $FAKE/main.rs" > "$FAKE/tool/course.d"
"#;

/// One test at a time: a program that another one starts holds, for a moment, the files that this one is writing, and a
/// program that somebody has open for writing cannot be started.
static ALONE: Mutex<()> = Mutex::new(());

fn machine() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    };
    write("cargo", CARGO);
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path().join("cargo"), executable).unwrap();
    for name in [
        "main.rs",
        "Cargo.toml",
        "Cargo.lock",
        ".cargo/config.toml",
        "crates/course-start/Cargo.toml",
        "tool/.keep",
    ] {
        write(name, "");
    }
    let launcher = folder.path().join("tool/course-start");
    std::fs::copy(env!("CARGO_BIN_EXE_course-start"), launcher).unwrap();
    folder
}

fn start(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(folder.join("tool/course-start"));
    command
        .args(arguments)
        .env("FAKE", folder)
        .env("CARGO", folder.join("cargo"))
        .env("CARGO_PKG_NAME", "course-start")
        .env("CARGO_MANIFEST_DIR", folder.join("crates/course-start"));
    command
}

fn text(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_first_time_says_how_far_it_is_and_the_second_asks_no_cargo() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let machine = machine();
    let output = start(machine.path(), &["up", "--port", "0"])
        .output()
        .unwrap();
    let (out, error) = text(&output);
    assert_eq!(out, "course up --port 0\n");
    assert_eq!(
        output.status.code(),
        Some(7),
        "the exit code is course's own"
    );
    assert!(error.contains("Preparing `cargo course`"), "{error}");
    assert!(error.contains("compiled 3 of 12 parts"), "{error}");
    assert!(!error.contains("a package"), "{error}");
    let output = start(machine.path(), &["check"]).output().unwrap();
    assert_eq!(text(&output), ("course check\n".to_owned(), String::new()));
    // A saved source is compiled again.
    std::thread::sleep(Duration::from_millis(20));
    std::fs::write(machine.path().join("main.rs"), "saved").unwrap();
    start(machine.path(), &["check"]).output().unwrap();
    let asked = std::fs::read_to_string(machine.path().join("asked")).unwrap();
    assert_eq!(asked.lines().count(), 2, "{asked}");
    assert!(
        asked.starts_with("build --package course --profile tool --manifest-path"),
        "{asked}"
    );
}

#[test]
fn a_line_comes_before_cargo_says_anything() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let machine = machine();
    let began = Instant::now();
    let mut child = start(machine.path(), &["up"])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(line.starts_with("Preparing `cargo course`"), "{line}");
    assert!(began.elapsed() < Duration::from_secs(3));
    child.wait().unwrap();
}

#[test]
fn a_failure_is_cargos_own_words() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let machine = machine();
    let output = start(machine.path(), &["up"])
        .env("FAKE_FAILS", "1")
        .output()
        .unwrap();
    let (out, error) = text(&output);
    assert_eq!((out.as_str(), output.status.code()), ("", Some(1)));
    assert!(
        error.contains("error: `cargo course` cannot be compiled:\nerror: linker `cc` not found"),
        "{error}"
    );
}
