//! The tests that did not run: what `kindling_skip` noted, and what the harness ignored.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A test that did not run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skip {
    pub package: String,
    pub test: String,
    pub reason: String,
    /// The test program, where the test itself noted it; last, so that lists are in the order of the tests.
    pub program: String,
}

impl Skip {
    /// One line of the summary.
    pub fn shown(&self) -> String {
        format!("{} {}: {}", self.package, self.test, self.reason)
    }
}

/// The file in which running tests note that they are skipped.
pub struct Notes {
    file: PathBuf,
    read: usize,
}

impl Notes {
    /// An empty file.
    pub fn new(file: PathBuf) -> std::io::Result<Self> {
        std::fs::write(&file, "")?;
        Ok(Self { file, read: 0 })
    }

    /// Where it is.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// What came since the last call; a test that skips twice is one test.
    pub fn fresh(&mut self) -> BTreeSet<Skip> {
        let bytes = std::fs::read(&self.file).unwrap_or_default();
        let text = String::from_utf8_lossy(bytes.get(self.read..).unwrap_or_default()).into_owned();
        self.read = bytes.len();
        text.lines().filter_map(parse).collect()
    }
}

fn parse(line: &str) -> Option<Skip> {
    let mut parts = line.splitn(5, '\t');
    let (need, package, program) = (parts.next()?, parts.next()?, parts.next()?);
    let (test, reason) = (parts.next()?, parts.next()?);
    Some(Skip {
        package: package.to_owned(),
        program: program.to_owned(),
        test: test.to_owned(),
        reason: format!("{reason} ({need})"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_read_once_and_a_test_counts_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut notes = Notes::new(folder.path().join("skips")).unwrap();
        let one = "mirror\tkindling\tfit\tdata::mnist\tset KINDLING_MIRROR\n";
        std::fs::write(notes.file(), one.repeat(2)).unwrap();
        let fresh: Vec<Skip> = notes.fresh().into_iter().collect();
        assert_eq!(fresh.len(), 1);
        assert_eq!(
            fresh[0].shown(),
            "kindling data::mnist: set KINDLING_MIRROR (mirror)"
        );
        assert!(notes.fresh().is_empty());
    }

    /// A test that prints the word by hand is a test whose skipping nobody sees.
    #[test]
    fn no_test_says_by_hand_that_it_is_skipped() {
        let root = crate::repository().unwrap();
        let word = ["\"skip", "ped: "].concat();
        let mut found = Vec::new();
        let mut open = vec![root.join("crates"), root.join("tests")];
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else if path.extension().is_some_and(|end| end == "rs")
                    && prints(&std::fs::read_to_string(&path).unwrap(), &word)
                {
                    found.push(path);
                }
            }
        }
        assert!(found.is_empty(), "call kindling_skip::skip in {found:?}");
    }

    /// Whether a `print` of the word stands in the text, also over lines.
    fn prints(text: &str, word: &str) -> bool {
        let plain: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let calls = ["println!(", "eprintln!(", "print!(", "eprint!("];
        calls.iter().any(|call| {
            plain.contains(&format!("{call}{word}")) || plain.contains(&format!("{call} {word}"))
        })
    }

    #[test]
    fn a_printed_word_is_found_over_lines() {
        let word = ["\"skip", "ped: "].concat();
        assert!(prints(&format!("eprintln!(\n    {word}x\")"), &word));
        assert!(!prints(&format!("note(&format!({word}x\"))"), &word));
    }
}
