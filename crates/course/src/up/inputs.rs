//! What the finished book is made of, so that an unchanged one is not built again.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::time::SystemTime;

/// One number for the state of all inputs: pages, catalogue, theme, notebooks, included code and this program.
pub fn fingerprint(root: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    for folder in [
        "book/src",
        "book/po",
        "book/theme",
        "notebooks",
        "crates/kindling/src",
        "crates/kindling-ops/src",
    ] {
        add(&root.join(folder), &mut hasher);
    }
    add(&root.join("book/book.toml"), &mut hasher);
    if let Ok(program) = crate::own::file() {
        add(program, &mut hasher);
    }
    hasher.finish()
}

fn add(path: &Path, hasher: &mut DefaultHasher) {
    let Ok(found) = std::fs::metadata(path) else {
        return;
    };
    if found.is_dir() {
        let mut entries: Vec<_> = std::fs::read_dir(path)
            .into_iter()
            .flatten()
            .flatten()
            .collect();
        entries.sort_by_key(std::fs::DirEntry::file_name);
        entries.iter().for_each(|entry| add(&entry.path(), hasher));
    } else if path.extension().is_none_or(|end| end != "part") {
        let modified = found
            .modified()
            .ok()
            .and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        (path, found.len(), modified.map(|time| time.as_nanos())).hash(hasher);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_page_changes_the_fingerprint() {
        let root = tempfile::tempdir().unwrap();
        let pages = root.path().join("book/src/a");
        std::fs::create_dir_all(&pages).unwrap();
        std::fs::write(pages.join("b.md"), "one").unwrap();
        let before = fingerprint(root.path());
        assert_eq!(before, fingerprint(root.path()));
        std::fs::write(pages.join("b.md"), "three").unwrap();
        assert_ne!(before, fingerprint(root.path()));
    }
}
