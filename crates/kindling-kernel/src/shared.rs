//! The one library through which all cells of a kernel reach the crates.

use crate::{Crates, Home};
use anyhow::{Context, Result};
use std::path::Path;

/// The name of the library, and of the crate that every cell names.
pub(crate) const NAME: &str = "kindling-shared";

/// evcxr makes a library of each cell. Linked statically, each would hold the crates once more, with every static value
/// they have: Candle's counter of tensor ids would start anew in each cell, tensors of two cells would have one id, and
/// `backward` would add the gradient of one to the other. So the crates are in one dynamic library, loaded once.
///
/// On Windows a library exports too few symbols for that; there the crates stay static.
const KIND: &str = if cfg!(windows) { "lib" } else { "dylib" };

/// Run first in each kernel, and repeated by evcxr in each cell: a library that no cell names is not linked.
pub(crate) const NAMED: &str = "use kindling_shared as _;";

/// Writes the library's source; `requirements` are the lines of its `[dependencies]`.
pub(crate) fn write(home: &Home, crates: Crates, requirements: &str) -> Result<()> {
    let folder = home.shared(crates);
    std::fs::create_dir_all(folder.join("src"))
        .with_context(|| format!("cannot create {}", folder.display()))?;
    // A workspace of its own: the home may lie in the repository's.
    let manifest = format!(
        "[package]\nname = \"{NAME}\"\nversion = \"1.0.0\"\nedition = \"2024\"\n\n[lib]\ncrate-type = [\"{KIND}\"]\n\n[dependencies]\n{requirements}\n[workspace]\n"
    );
    let source: String = crates
        .names()
        .map(|name| format!("pub extern crate {};\n", name.replace('-', "_")))
        .collect();
    write_if_changed(&folder.join("Cargo.toml"), &manifest)?;
    write_if_changed(&folder.join("src/lib.rs"), &source)
}

/// Writes a file only when its text is new: cargo takes a file that was written again for one that was changed.
pub(crate) fn write_if_changed(file: &Path, text: &str) -> Result<()> {
    if std::fs::read_to_string(file).is_ok_and(|old| old == text) {
        return Ok(());
    }
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}
