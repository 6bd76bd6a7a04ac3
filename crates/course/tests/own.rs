//! Cargo links another build of `course` into the place of the one that runs: what it starts next is the new one.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// Writes a script that can be run.
fn script(path: &Path, lines: &str) {
    std::fs::write(path, format!("#!/bin/sh\n{lines}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_program_that_was_replaced_while_it_ran_still_starts_itself() {
    let folder = tempfile::tempdir().unwrap();
    let course = folder.path().join("course");
    std::fs::copy(env!("CARGO_BIN_EXE_course"), &course).unwrap();
    let new = folder.path().join("new");
    script(&new, "echo the new one is asked for: \"$@\"");
    // The stage `format` runs cargo, which puts the new one into its place; the stage `check` runs `course`.
    let cargo = folder.path().join("cargo");
    script(
        &cargo,
        &format!(
            "[ \"$1\" = fmt ] || exec {real:?} \"$@\"\nrm {course:?} && mv {new:?} {course:?}",
            real = env!("CARGO"),
        ),
    );
    let output = Command::new(&course)
        .args(["test", "--only", "format", "--only", "check"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .env("CARGO", &cargo)
        .env("CARGO_TARGET_DIR", folder.path().join("target"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("the new one is asked for: check"),
        "{said}\n{complained}"
    );
    assert!(output.status.success(), "{said}\n{complained}");
}
