//! Word analogies, *Athens is to Greece as Oslo is to Norway*, in the format of the public test set `questions-words.txt`
//! (Mikolov et al., 2013a).
//!
//! ```text
//! : capital-common-countries
//! Athens Greece Oslo Norway
//! ```
//!
//! A line with a colon begins a section; each other line is a question of four words, of which the last is the answer.

use std::path::Path;

use kindling_fetch::Store;

use super::{Source, read_file, text_file::parse_text, translations::read};
use crate::{Error, Result};

/// Questions about pairs of words, in sections.
///
/// ```
/// use kindling::data::Analogies;
/// let analogies = Analogies::parse("here", ": plural\ncat cats dog dogs\n")?;
/// assert_eq!(analogies.sections[0].name, "plural");
/// assert_eq!(analogies.sections[0].questions[0][3], "dogs");
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Analogies {
    /// The sections in their order.
    pub sections: Vec<AnalogySection>,
}

/// The questions about one relation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnalogySection {
    /// What the relation is called.
    pub name: String,
    /// Four words each: the first is to the second as the third is to the fourth.
    pub questions: Vec<[String; 4]>,
}

impl Analogies {
    /// The public test set of 19,544 questions in English (2013a), from the cache, a mirror folder or a download; an error
    /// where it is not to be had.
    pub fn load() -> Result<Self> {
        Self::find(&Store::from_env())
    }

    /// The public test set from this store.
    pub fn find(store: &Store) -> Result<Self> {
        let name = "questions-words.txt.gz";
        let bytes = read(store, "analogies", name, &mut Source::Cache)?;
        let file = format!("analogies/{name}");
        Self::parse(&file, &parse_text(&file, &bytes)?)
    }

    /// Reads a file of questions; it may be compressed by gzip.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = path.display().to_string();
        Self::parse(&file, &parse_text(&file, &read_file(path)?)?)
    }

    /// Reads questions from a text; `file` is only named in errors, with the line.
    pub fn parse(file: &str, text: &str) -> Result<Self> {
        let mut sections: Vec<AnalogySection> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let wrong = |problem: String| Error::Format {
                file: format!("{file}:{}", number + 1),
                problem,
            };
            if let Some(name) = line.trim_start().strip_prefix(':') {
                let name = name.trim();
                if name.is_empty() {
                    return Err(wrong(
                        "expected the name of a section after the colon".to_owned(),
                    ));
                }
                sections.push(AnalogySection {
                    name: name.to_owned(),
                    questions: Vec::new(),
                });
                continue;
            }
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            if words.is_empty() {
                continue;
            }
            let count = words.len();
            let question: [String; 4] = words
                .try_into()
                .map_err(|_| wrong(format!("expected four words, found {count} in {line:?}")))?;
            let section = sections.last_mut().ok_or_else(|| {
                wrong(
                    "expected a section, such as `: capitals`, before the first question"
                        .to_owned(),
                )
            })?;
            section.questions.push(question);
        }
        if sections.is_empty() {
            return Err(Error::Format {
                file: file.to_owned(),
                problem: "expected sections of questions, found an empty file".to_owned(),
            });
        }
        Ok(Self { sections })
    }

    /// Every question that pairs of one relation give: each pair with each other one, as the public test set has them.
    #[must_use]
    pub fn from_pairs(name: &str, pairs: &[(&str, &str)]) -> AnalogySection {
        let mut questions = Vec::new();
        for one in pairs {
            for other in pairs.iter().filter(|other| *other != one) {
                questions.push([one.0, one.1, other.0, other.1].map(str::to_owned));
            }
        }
        AnalogySection {
            name: name.to_owned(),
            questions,
        }
    }

    /// How many questions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sections
            .iter()
            .map(|section| section.questions.len())
            .sum()
    }

    /// Whether there is no question.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::data::compressed::gzip;

    #[test]
    fn the_public_test_set_is_whole() {
        let Some(mirror) = kindling_skip::mirror("analogies/") else {
            return;
        };
        let cache = tempfile::tempdir().unwrap();
        let store = Store::at(cache.path())
            .with_mirror(mirror)
            .without_download();
        let analogies = Analogies::find(&store).unwrap();
        assert_eq!((analogies.sections.len(), analogies.len()), (14, 19_544));
    }

    fn problem(text: &str) -> String {
        Analogies::parse("questions", text).unwrap_err().to_string()
    }

    #[test]
    fn reads_sections_and_questions_also_compressed() {
        let text = ": one\na b c d\n\n a  b\te f \n: two\n";
        let analogies = Analogies::parse("questions", text).unwrap();
        assert_eq!(analogies.len(), 2);
        assert_eq!(analogies.sections[0].questions[1], ["a", "b", "e", "f"]);
        assert!(analogies.sections[1].questions.is_empty());

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("questions.txt.gz");
        let (first, second) = text.as_bytes().split_at(9);
        let packed = [gzip(first), gzip(second)].concat();
        for bytes in [
            &packed,
            text.as_bytes(),
            text.replace('\n', "\r").as_bytes(),
        ] {
            fs::write(&path, bytes).unwrap();
            assert_eq!(Analogies::read(&path).unwrap(), analogies);
        }
        fs::write(&path, &packed[..packed.len() - 9]).unwrap();
        let error = Analogies::read(&path).unwrap_err().to_string();
        assert!(error.contains("questions.txt.gz: "), "{error}");
        fs::write(&path, b": one\na b c \xff\n").unwrap();
        assert!(
            Analogies::read(&path)
                .unwrap_err()
                .to_string()
                .contains("UTF-8")
        );
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        assert_eq!(
            problem(": one\na b c d\na b c\n"),
            "questions:3: expected four words, found 3 in \"a b c\""
        );
        assert!(problem("a b c d").starts_with("questions:1: expected a section, such as"));
        assert!(problem(": one\n:\n").starts_with("questions:2: expected the name"));
        assert!(problem("\n\n").contains("found an empty file"));
    }

    #[test]
    fn each_pair_is_compared_with_each_other_one() {
        let section = Analogies::from_pairs("plural", &[("a", "as"), ("b", "bs"), ("c", "cs")]);
        assert_eq!(section.questions.len(), 6);
        assert_eq!(section.questions[3], ["b", "bs", "c", "cs"]);
    }
}
