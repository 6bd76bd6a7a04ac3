//! The search index, made by a program of its own: what reads a page of the book need not wait until that is compiled.

use anyhow::{Context, Result, bail};
use kindling_cargo::{Count, Line};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The program; cargo puts those of one profile side by side.
fn program() -> Result<PathBuf> {
    let name = format!("course-search{}", std::env::consts::EXE_SUFFIX);
    Ok(crate::own::file()?.with_file_name(name))
}

/// Whether it was compiled before.
pub fn is_compiled() -> bool {
    program().is_ok_and(|program| program.is_file())
}

/// Keeps the program up to date, and tells how far that is.
pub fn compile(root: &Path, tell: &mut dyn FnMut(&Count)) -> Result<()> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    kindling_cargo::without_package(&mut command);
    command
        .args(["build", "--package", "course-search", "--profile", "tool"])
        .arg("--manifest-path")
        .arg(root.join("Cargo.toml"));
    let ended = kindling_cargo::run(command, 0, |count, _| {
        if count.total > 0 {
            tell(count);
        }
    })
    .context("cannot run cargo")?;
    if !ended.status.success() {
        bail!(
            "course-search cannot be compiled; the rest works without it:\n{}",
            ended.tail(12)
        );
    }
    Ok(())
}

/// Keeps the program up to date, with a line that says how far that is, and indexes the finished book in `folder`.
pub fn compile_and_index(folder: &Path) -> Result<usize> {
    let mut line = Line::new();
    compile(&crate::repository()?, &mut |count| {
        let text = format!("Compiling the search, {} of {}", count.done, count.total);
        line.show(&text, count.share());
    })?;
    drop(line);
    index(folder)
}

/// Indexes the finished book in `folder` by the program as it is; returns the number of pages.
pub fn index(folder: &Path) -> Result<usize> {
    let program = program()?;
    let output = Command::new(&program)
        .arg(folder)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", program.display()))?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let answer = String::from_utf8_lossy(&output.stdout);
    let pages = answer.trim().parse();
    pages.with_context(|| {
        format!(
            "{} must say how many pages it found, and said {answer:?}",
            program.display()
        )
    })
}
