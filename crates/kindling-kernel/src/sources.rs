//! The standard library's sources, which evcxr's type inference reads.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Finds the folder that holds `core`, `alloc` and `std`, or says what to do.
pub fn standard_library() -> Result<PathBuf, String> {
    if let Some(found) = look() {
        return Ok(found);
    }
    // rustup knows where the sources of this very compiler are; it fails fast where there is no network.
    let added = Command::new("rustup")
        .args(["component", "add", "rust-src"])
        .output();
    match look() {
        Some(found) => Ok(found),
        None => {
            let why = match added {
                Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
                Err(error) => format!("rustup: {error}"),
            };
            Err(format!(
                "the standard library's sources are missing, without which a notebook cannot infer types; run \
                 `rustup component add rust-src`, or install your system's rust-src package and name its \
                 `library` folder in RUST_SRC_PATH ({why})"
            ))
        }
    }
}

/// What the crates of a course's page can reach: rust-analyzer then reads these few, and asks cargo nothing about them.
const CRATES: [&str; 10] = [
    "alloc",
    "backtrace",
    "core",
    "panic_abort",
    "panic_unwind",
    "proc_macro",
    "std",
    "std_detect",
    "test",
    "unwind",
];

/// Makes `folder` a view of the library without its `Cargo.toml`.
///
/// With it, rust-analyzer runs `cargo metadata` over the library's workspace at each start, with a network where it can.
pub(crate) fn slim(library: &Path, folder: &Path) -> std::io::Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    std::fs::create_dir_all(folder)?;
    #[cfg(unix)]
    for name in CRATES {
        let source = library.join(name);
        if source.is_dir() {
            std::os::unix::fs::symlink(source, folder.join(name))?;
        }
    }
    #[cfg(not(unix))]
    let _ = (library, CRATES);
    Ok(())
}

/// The toolchain's own folder.
pub(crate) fn toolchain() -> Option<PathBuf> {
    sysroot().filter(|folder| folder.join("bin").is_dir())
}

fn look() -> Option<PathBuf> {
    let named = std::env::var_os("RUST_SRC_PATH").map(PathBuf::from);
    let component = sysroot().map(|sysroot| sysroot.join("lib/rustlib/src/rust/library"));
    named
        .into_iter()
        .chain(component)
        .chain(system_packages())
        .find(|folder| is_library(folder))
}

fn is_library(folder: &Path) -> bool {
    folder.join("core/src/lib.rs").is_file() && folder.join("std/src/lib.rs").is_file()
}

fn sysroot() -> Option<PathBuf> {
    let output = Command::new("rustc")
        .args(["--print", "sysroot"])
        .output()
        .ok()?;
    Some(PathBuf::from(
        String::from_utf8_lossy(&output.stdout).trim(),
    ))
}

/// Where Debian's and Fedora's packages put them, the newest first.
fn system_packages() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/src")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("library"))
        .filter(|folder| is_library(folder))
        .collect();
    found.sort();
    found.reverse();
    found
}
