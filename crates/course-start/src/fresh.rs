//! Whether the program `course` is up to date: asked of files, because asking cargo takes as long as starting it twice.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Whether `course` was made after everything that it is made of was last changed.
pub fn is_fresh(course: &Path, launcher: &Path, root: &Path) -> bool {
    let Some(made) = modified(&stamp(course)) else {
        return false;
    };
    // Cargo lists the sources beside the program.
    let Ok(list) = std::fs::read_to_string(course.with_extension("d")) else {
        return false;
    };
    let mut inputs = sources(&list);
    // Another compiler or another version of a crate makes the launcher anew, too, or is in these.
    inputs.push(launcher.to_owned());
    inputs.push(root.join("Cargo.toml"));
    inputs.push(root.join("Cargo.lock"));
    inputs.push(root.join(".cargo/config.toml"));
    let packages = std::fs::read_dir(root.join("crates"));
    let packages = packages.into_iter().flatten().flatten();
    inputs.extend(
        packages
            .map(|folder| folder.path().join("Cargo.toml"))
            .filter(|file| file.is_file()),
    );
    course.is_file()
        && inputs
            .iter()
            .all(|file| modified(file).is_some_and(|changed| changed < made))
}

/// Remembers that `course` was made of what there was at the time `began`: what was saved meanwhile counts as newer.
pub fn mark(course: &Path, began: SystemTime) {
    let file = std::fs::File::create(stamp(course));
    // Without the mark, cargo is asked again the next time.
    let _ = file.and_then(|file| file.set_modified(began));
}

fn stamp(course: &Path) -> PathBuf {
    course.with_file_name(".course-made")
}

fn modified(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file).ok()?.modified().ok()
}

/// The files behind the colon of a line that make reads; a space in a name follows a backslash.
fn sources(list: &str) -> Vec<PathBuf> {
    let Some((_, files)) = list.lines().next().and_then(|line| line.split_once(": ")) else {
        return Vec::new();
    };
    let mut sources = vec![String::new()];
    let mut letters = files.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if letters.peek() == Some(&' ') => {
                letters.next();
                push(&mut sources, ' ');
            }
            ' ' => sources.push(String::new()),
            letter => push(&mut sources, letter),
        }
    }
    let named = sources.into_iter().filter(|source| !source.is_empty());
    named.map(PathBuf::from).collect()
}

fn push(sources: &mut [String], letter: char) {
    if let Some(last) = sources.last_mut() {
        last.push(letter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_saved_source_a_new_manifest_or_a_missing_program_asks_cargo() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("a folder");
        std::fs::create_dir_all(root.join("crates/course")).unwrap();
        std::fs::create_dir_all(root.join(".cargo")).unwrap();
        let old = SystemTime::now() - Duration::from_secs(60);
        let file = |name: &str, text: &str, when: SystemTime| {
            std::fs::write(root.join(name), text).unwrap();
            let file = std::fs::File::options()
                .write(true)
                .open(root.join(name))
                .unwrap();
            file.set_modified(when).unwrap();
        };
        let shown = root.display().to_string().replace(' ', "\\ ");
        for (name, text) in [
            ("course", String::new()),
            ("start", String::new()),
            ("main.rs", String::new()),
            (
                "course.d",
                format!("{shown}/course: {shown}/main.rs {shown}/start\n"),
            ),
            ("Cargo.toml", String::new()),
            ("Cargo.lock", String::new()),
            (".cargo/config.toml", String::new()),
            ("crates/course/Cargo.toml", String::new()),
        ] {
            file(name, &text, old);
        }
        let is_fresh = || is_fresh(&root.join("course"), &root.join("start"), &root);
        assert!(!is_fresh(), "never marked");
        mark(&root.join("course"), SystemTime::now());
        assert!(is_fresh());
        for changed in ["main.rs", "crates/course/Cargo.toml", "Cargo.lock", "start"] {
            file(changed, "", SystemTime::now() + Duration::from_secs(60));
            assert!(!is_fresh(), "{changed}");
            file(changed, "", old);
        }
        std::fs::remove_file(root.join("main.rs")).unwrap();
        assert!(!is_fresh(), "a source is gone");
    }
}
