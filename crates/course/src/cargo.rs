//! How cargo is called, for each kind of package: the one place that says which profile, target and flags it gets.

use anyhow::Result;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

/// What is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Packages without Candle: compile time is what counts.
    Tool,
    /// Packages that compute.
    Computing,
    /// What is only checked, of any package.
    Lint,
}

/// `cargo <subcommand>` at the top of the repository, with all that this kind of package is compiled with.
pub fn command(kind: Kind, root: &Path, subcommand: &str) -> Result<Command> {
    let mut command = Command::new(program());
    command.arg(subcommand).current_dir(root);
    match kind {
        Kind::Tool | Kind::Lint => {
            command.args(["--profile", "tool"]);
        }
        // As the kernel's crates, so that they are compiled once.
        Kind::Computing => kindling_kernel::compile_as_cells(&mut command)?,
    }
    Ok(command)
}

/// Cargo itself: the one that started this program, if one did.
pub fn program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
