//! Finds the course's own folder, from wherever the command is run.

use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

/// The nearest folder upwards that holds the book: from the current folder, else from the folder that cargo or
/// Jupyter names.
pub fn root() -> Result<PathBuf> {
    let here = std::env::current_dir()?;
    let named = ["KINDLING_REPOSITORY", "CARGO_MANIFEST_DIR"];
    let places = std::iter::once(here.clone()).chain(
        named
            .iter()
            .filter_map(|name| std::env::var_os(name).map(PathBuf::from)),
    );
    for place in places {
        if let Some(root) = above(&place) {
            return Ok(root);
        }
    }
    bail!(
        "no book/book.toml in {} or in a folder above it; run the command inside the course's folder",
        here.display()
    );
}

fn above(place: &Path) -> Option<PathBuf> {
    let found = place
        .ancestors()
        .find(|folder| folder.join("book/book.toml").is_file());
    found.map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_found_from_a_folder_inside() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("book/src/algorithms");
        std::fs::create_dir_all(&deep).unwrap();
        assert_eq!(above(&deep), None);
        std::fs::write(folder.path().join("book/book.toml"), "").unwrap();
        assert_eq!(above(&deep).as_deref(), Some(folder.path()));
    }
}
