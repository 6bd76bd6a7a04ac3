//! The sentences that word vectors are learned from, and the analogies that they are judged by.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use course_program::output;
use kindling::{
    data::{Analogies, Corpus, PlantedText, Source, parse_text, read_file},
    text::words,
};

use crate::licence::{BUILTIN, OWN_TEXT};

/// How many sentences the generator writes: as many words as WikiText-2's smaller parts have.
const PLANTED: usize = 40_000;

/// What stands in WikiText-2 for every rare word, and so means nothing.
const RARE: &str = "<unk>";

/// From this share of a text on, a word stands everywhere and has no neighbours worth looking at.
const EVERYWHERE: f64 = 0.002;

/// Where the text comes from.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub struct Args {
    /// A text file in UTF-8 to learn from, instead of WikiText-2; a line is a sentence
    #[arg(long, value_name = "FILE", conflicts_with = "builtin")]
    pub data: Option<PathBuf>,

    /// Sentences that a program writes around analogies, which need no download
    #[arg(long)]
    pub builtin: bool,
}

/// Sentences, each a list of words.
#[derive(Debug)]
pub struct Words {
    pub sentences: Vec<Vec<String>>,
    /// Questions about them, where they are to be had.
    pub analogies: Option<Analogies>,
    /// What the text is called in weights.
    pub name: String,
    /// Under what vectors learned from it may be used.
    pub licence: &'static str,
}

impl Words {
    /// Finds the text.
    pub fn load(args: &Args) -> Result<Self> {
        if args.builtin {
            return Ok(Self::planted());
        }
        let Some(file) = &args.data else {
            return Self::wikitext();
        };
        let own = Self::own(file)?;
        Ok(Self {
            analogies: public_questions(),
            ..own
        })
    }

    /// The sentences of somebody's own text, without questions.
    fn own(file: &Path) -> Result<Self> {
        let name = file.display().to_string();
        let bytes = read_file(file).context("--data: expected a text file in UTF-8")?;
        let text = parse_text(&name, &bytes).context("--data")?;
        let sentences = sentences(&text, words);
        if sentences.is_empty() {
            bail!("--data {name}: expected some words, found none");
        }
        Ok(Self {
            sentences,
            analogies: None,
            name,
            licence: OWN_TEXT,
        })
    }

    /// Both parts of WikiText-2 without its large one; planted text where it is not to be had.
    fn wikitext() -> Result<Self> {
        let corpus = Corpus::wikitext2_small()?;
        if corpus.source == Source::Builtin {
            return Ok(Self::planted());
        }
        let text = corpus.train + "\n" + &corpus.validation;
        let parts = |line| {
            str::split_whitespace(line)
                .filter(|word| *word != RARE)
                .collect()
        };
        Ok(Self {
            sentences: sentences(&text, parts),
            analogies: public_questions(),
            name: "WikiText-2, validation and test part".to_owned(),
            licence: "CC BY-SA 3.0, as WikiText-2",
        })
    }

    fn planted() -> Self {
        let text = PlantedText::new(PLANTED, 0);
        Self {
            sentences: text.sentences,
            analogies: Some(text.analogies),
            name: "built-in sentences".to_owned(),
            licence: BUILTIN,
        }
    }

    /// How many words the text has.
    pub fn count(&self) -> usize {
        self.sentences.iter().map(Vec::len).sum()
    }

    /// The most frequent words of letters, without those that stand everywhere.
    pub fn frequent(&self, count: usize) -> Vec<&str> {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for word in self.sentences.iter().flatten() {
            *counts.entry(word).or_default() += 1;
        }
        let most = (EVERYWHERE * self.count() as f64) as usize;
        let letters = |word: &str| word.chars().all(char::is_alphabetic);
        let mut found: Vec<(&str, usize)> = counts
            .into_iter()
            .filter(|(word, count)| *count <= most && letters(word))
            .collect();
        found.sort_unstable_by_key(|(word, count)| (std::cmp::Reverse(*count), *word));
        found.truncate(count);
        found.into_iter().map(|(word, _)| word).collect()
    }
}

/// The lines that have words.
fn sentences<'a>(text: &'a str, words: impl Fn(&'a str) -> Vec<&'a str>) -> Vec<Vec<String>> {
    let owned = |line| words(line).into_iter().map(str::to_owned).collect();
    let lines = text.lines().map(owned);
    lines
        .filter(|line: &Vec<String>| !line.is_empty())
        .collect()
}

/// The public test set; without it, vectors are simply not judged.
fn public_questions() -> Option<Analogies> {
    Analogies::load()
        .inspect_err(|error| {
            output::note(&format!(
                "{error}\nThe vectors are not judged by analogies."
            ))
        })
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without the public questions: a test does not look for them on the network.
    fn load(bytes: &[u8]) -> Result<Words> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("own.txt");
        std::fs::write(&file, bytes)?;
        Words::own(&file)
    }

    #[test]
    fn lines_become_words_without_punctuation() {
        let words = load("\u{feff}The cat sat.\r\n\n…\n我爱 Rust。\n".as_bytes()).unwrap();
        let expected = [vec!["The", "cat", "sat"], vec!["我", "爱", "Rust"]];
        assert_eq!(words.sentences, expected);
        assert_eq!(words.count(), 6);
    }

    #[test]
    fn what_is_no_text_is_named() {
        let problem = |bytes: &[u8]| format!("{:#}", load(bytes).unwrap_err());
        for bytes in [&b""[..], b" \n\n", "… — !".as_bytes()] {
            let message = problem(bytes);
            assert!(
                message.contains("own.txt: expected some words, found none"),
                "{message}"
            );
        }
        assert!(problem(b"a\ncaf\xe9\n").contains("own.txt: line 2: expected text in UTF-8"));
    }

    #[test]
    fn frequent_words_are_those_of_letters_that_do_not_stand_everywhere() {
        let words = Words::load(&Args {
            data: None,
            builtin: true,
        });
        let words = words.unwrap();
        let frequent = words.frequent(5);
        assert_eq!(frequent.len(), 5);
        assert!(!frequent.contains(&"the"), "{frequent:?}");
    }
}
