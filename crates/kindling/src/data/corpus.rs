//! Running text for language models: Tiny Shakespeare, WikiText-2, or your own.

use std::path::Path;

use kindling_fetch::Store;

use super::{Source, read_file, text_file::parse_text, toy_sentences, translations::read};
use crate::{Error, Result};

/// How many lines the built-in generator writes when real text is not to be had.
const BUILTIN: usize = 20_000;

/// The share of a text without parts of its own that is trained on.
const TRAINED: f64 = 0.9;

/// A text in two parts.
///
/// ```
/// use kindling::data::Corpus;
/// let corpus = Corpus::builtin(100, 1)?;
/// assert_eq!(corpus.train.lines().count(), 90);
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Corpus {
    /// What the model learns from.
    pub train: String,
    /// What it is judged by: it comes after the other part, so that nothing of it was seen.
    pub validation: String,
    /// Where the text came from.
    pub source: Source,
}

impl Corpus {
    /// Tiny Shakespeare (Karpathy, 2015): a megabyte of plays, of which the last tenth is for validation.
    ///
    /// Where it is not to be had, says so and writes toy sentences.
    pub fn tiny_shakespeare() -> Result<Self> {
        Self::or_builtin(Self::find_tiny_shakespeare(&Store::from_env()))
    }

    /// WikiText-2 (Merity et al., 2016) without its large part: the official validation part to train on, two megabytes
    /// with the official test part to validate on.
    ///
    /// It comes as words with spaces between, rare ones as `<unk>`: `split_whitespace` gives its words.
    /// Where it is not to be had, says so and writes toy sentences.
    pub fn wikitext2_small() -> Result<Self> {
        Self::or_builtin(Self::find_wikitext2_small(&Store::from_env()))
    }

    fn or_builtin(outcome: Result<Self>) -> Result<Self> {
        match outcome {
            Err(Error::Fetch(missing @ kindling_fetch::Error::Unavailable { .. })) => {
                eprintln!(
                    "{missing}\nUsing built-in text instead: {BUILTIN} sentences made by a program, easier than real text."
                );
                Self::builtin(BUILTIN, 0)
            }
            outcome => outcome,
        }
    }

    /// The real Tiny Shakespeare from this store.
    pub fn find_tiny_shakespeare(store: &Store) -> Result<Self> {
        let mut source = Source::Cache;
        let bytes = read(store, "tinyshakespeare", "input.txt", &mut source)?;
        Self::from_text(&parse_text("tinyshakespeare/input.txt", &bytes)?, source)
    }

    /// The real parts of WikiText-2 from this store.
    pub fn find_wikitext2_small(store: &Store) -> Result<Self> {
        let mut source = Source::Cache;
        let mut part = |name: &str| {
            let bytes = read(store, "wikitext-2-small", name, &mut source)?;
            parse_text(&format!("wikitext-2-small/{name}"), &bytes)
        };
        let (train, validation) = (part("valid.txt.gz")?, part("test.txt.gz")?);
        Ok(Self {
            train,
            validation,
            source,
        })
    }

    /// Your own text file in UTF-8, compressed by gzip or not, of which the last tenth is for validation.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let text = parse_text(&name, &read_file(path)?)?;
        let corpus = Self::from_text(&text, Source::Cache)?;
        if [&corpus.train, &corpus.validation]
            .iter()
            .any(|part| part.trim().is_empty())
        {
            return Err(Error::Format {
                file: name,
                problem: format!(
                    "expected text in two parts, one to learn from and one to validate on, found {} bytes",
                    text.len()
                ),
            });
        }
        Ok(corpus)
    }

    /// Sentences of a toy grammar, one a line, made by a program from a seed: much easier than real text.
    pub fn builtin(lines: usize, seed: u64) -> Result<Self> {
        let sentences = toy_sentences::pairs(lines, seed).into_iter();
        let text: String = sentences.map(|pair| pair.source + "\n").collect();
        Self::from_text(&text, Source::Builtin)
    }

    /// Parts a text between two lines, or within one where it has but one.
    fn from_text(text: &str, source: Source) -> Result<Self> {
        let mut wanted = (text.len() as f64 * TRAINED) as usize;
        while !text.is_char_boundary(wanted) {
            wanted -= 1; // 0 is a boundary
        }
        let rest = &text.as_bytes()[wanted.saturating_sub(1)..];
        let line = rest.iter().position(|&byte| byte == b'\n');
        let cut = line.map_or(wanted, |line| wanted.max(1) + line);
        let (train, validation) = text.split_at(if cut == text.len() { wanted } else { cut });
        Ok(Self {
            train: train.to_owned(),
            validation: validation.to_owned(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn real_texts_are_whole_and_parted_between_lines() {
        let Some(mirror) = kindling_skip::mirror("tinyshakespeare/ and wikitext-2-small/") else {
            return;
        };
        let cache = tempfile::tempdir().unwrap();
        let store = Store::at(cache.path())
            .with_mirror(mirror)
            .without_download();
        let plays = Corpus::find_tiny_shakespeare(&store).unwrap();
        assert_eq!(plays.train.len() + plays.validation.len(), 1_115_394);
        assert!(plays.train.starts_with("First Citizen:\n") && plays.train.ends_with('\n'));
        assert_eq!(plays.source, Source::Mirror);
        let share = plays.validation.len() as f64 / 1_115_394.0;
        assert!((0.099..0.1).contains(&share), "{share}");
        let articles = Corpus::find_wikitext2_small(&store).unwrap();
        // The number of words that Merity et al. (2016), table 1, state, without their ends of lines.
        let words = |text: &str| text.split_whitespace().count() + text.lines().count();
        assert_eq!(words(&articles.train), 217_646);
        assert_eq!(words(&articles.validation), 245_569);
    }

    #[test]
    fn your_own_text_is_opened_or_its_fault_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.txt");
        let open = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            Corpus::open(&path)
        };
        let corpus = open("一二三四\n五六七八九十\nend\n".as_bytes()).unwrap();
        assert_eq!(corpus.train, "一二三四\n五六七八九十\n");
        assert_eq!(corpus.validation, "end\n");
        assert_eq!(
            open("一二三四五六七八九十".as_bytes()).unwrap().validation,
            "十"
        );
        assert_eq!(open(b"0123456789\n").unwrap().validation, "9\n");
        let packed = crate::data::compressed::gzip(b"0123456789\n");
        assert_eq!(open(&packed).unwrap().validation, "9\n");
        let problem = |bytes: &[u8]| open(bytes).unwrap_err().to_string();
        assert!(problem(b"a\n\xffb").contains("own.txt: line 2: expected text in UTF-8"));
        for bytes in [&b""[..], b" \n \n", b"x"] {
            assert!(problem(bytes).contains("expected text in two parts"));
        }
        assert!(Corpus::open(folder.path().join("none.txt")).is_err());
    }
}
