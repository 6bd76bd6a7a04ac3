//! The one library through which all cells of a kernel reach the crates.

use crate::KernelKind;
use crate::workspace::write_if_changed;
use anyhow::Result;
use std::path::Path;

/// The name of the library, and of the crate that every cell names.
pub(crate) const NAME: &str = "kindling-shared";

/// Its folder in the template.
pub(crate) const FOLDER: &str = "shared";

/// evcxr makes a library of each cell. Linked statically, each would hold the crates once more, with every static value
/// they have: Candle's counter of tensor ids would start anew in each cell, tensors of two cells would have one id, and
/// `backward` would add the gradient of one to the other. So the crates are in one dynamic library, loaded once.
///
/// On Windows a library exports too few symbols for that; there the crates stay static.
const KIND: &str = if cfg!(windows) { "lib" } else { "dylib" };

/// Run first in each kernel, and repeated by evcxr in each cell: a library that no cell names is not linked.
pub(crate) const NAMED: &str = "use kindling_shared as _;";

/// The crates, as a manifest of the template asks for them: as the course does.
pub(crate) fn requirements(crates: KernelKind) -> String {
    let names = crates.names();
    names
        .map(|name| format!("{name} = {{ workspace = true }}\n"))
        .collect()
}

/// Writes the library's manifest and source into its folder.
pub(crate) fn write(folder: &Path, crates: KernelKind) -> Result<()> {
    let manifest = format!(
        "[package]\nname = \"{NAME}\"\nversion = \"1.0.0\"\nedition = \"2024\"\n\n[lib]\ncrate-type = [\"{KIND}\"]\n\n[dependencies]\n{}",
        requirements(crates)
    );
    let source: String = crates
        .names()
        .map(|name| format!("pub extern crate {};\n", name.replace('-', "_")))
        .collect();
    write_if_changed(&folder.join("Cargo.toml"), &manifest)?;
    write_if_changed(&folder.join("src/lib.rs"), &source)
}
