//! This program's own file, under the name that it had when it started.
//!
//! It starts itself again: as the front of a kernel, as a helper, as the runner of tests. Cargo may meanwhile have linked
//! another build into its place (a test of the tools compiles it again, or a reader updates the course while the book is
//! open), and the system would then name the file that is gone.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

static OWN: OnceLock<PathBuf> = OnceLock::new();

/// Notes the file; called before anything else can replace it.
pub fn remember() {
    if let Ok(file) = std::env::current_exe() {
        let _ = OWN.set(file);
    }
}

/// The file.
pub fn file() -> Result<&'static Path> {
    if OWN.get().is_none() {
        remember();
    }
    let file = OWN.get().context("cannot find this program's own file")?;
    Ok(file)
}
