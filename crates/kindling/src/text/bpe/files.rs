//! The files of a tokenizer: Hugging Face's `vocab.json` with `merges.txt`.
//!
//! `vocab.json` gives each token its id; `merges.txt` has one pair a line, first learned first; both in GPT-2's alphabet.
//! `added_tokens.json` names the special tokens.

use std::{collections::HashMap, fmt::Write, fs, path::Path};

use serde::Deserialize;
use serde_json::Value;

use super::{Bpe, alphabet, merge::Merges, special::Special, tokenizer_json::whole};
use crate::{
    Error, Result,
    tensor_file::{failed, write_whole},
};

const VOCABULARY: &str = "vocab.json";
const MERGES: &str = "merges.txt";
const ADDED: &str = "added_tokens.json";
const WHOLE: &str = "tokenizer.json";

/// A tokenizer as files describe it, not yet checked.
pub(super) struct Parts {
    /// Named in errors.
    pub(super) file: String,
    pub(super) vocabulary: HashMap<String, u32>,
    pub(super) merges: Vec<(String, String)>,
    pub(super) special: Vec<(String, u32)>,
}

impl Bpe {
    /// Writes `vocab.json`, `merges.txt` and `added_tokens.json` into this folder, each whole or not at all.
    pub fn save(&self, folder: impl AsRef<Path>) -> Result<()> {
        let folder = folder.as_ref();
        let name = |id: u32| match self.is_special(id) {
            true => String::from_utf8_lossy(&self.tokens[id as usize]).into_owned(),
            false => alphabet::visible(&self.tokens[id as usize]),
        };
        let vocabulary = (0..self.tokens.len() as u32).map(|id| (name(id), id));
        let mut merges = "#version: 0.2\n".to_owned();
        for &(left, right) in self.merges() {
            let _ = writeln!(merges, "{} {}", name(left), name(right)); // a String takes all
        }
        let special = self.special.in_order().into_iter();
        let special = special.map(|(text, id)| (text.to_owned(), id));
        write_whole(&folder.join(VOCABULARY), json(vocabulary).as_bytes())?;
        write_whole(&folder.join(MERGES), merges.as_bytes())?;
        write_whole(&folder.join(ADDED), json(special).as_bytes())
    }

    /// Reads a folder with `vocab.json` and `merges.txt`, and `added_tokens.json` if it is there, or else with `tokenizer.json`;
    /// or a `tokenizer.json` itself.
    ///
    /// A file of a tokenizer that would encode differently, and merges that do not fit the vocabulary, are errors.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        if path.is_file() {
            return Self::from_parts(&whole(path)?);
        }
        if path.join(WHOLE).is_file() && !path.join(VOCABULARY).is_file() {
            return Self::from_parts(&whole(&path.join(WHOLE))?);
        }
        let added = path.join(ADDED);
        let special: HashMap<String, u32> = match added.is_file() {
            true => parse(&added, &read(&added)?)?,
            false => HashMap::new(),
        };
        Self::from_parts(&Parts {
            file: path.join(MERGES).display().to_string(),
            vocabulary: parse(&path.join(VOCABULARY), &read(&path.join(VOCABULARY))?)?,
            merges: merges(&path.join(MERGES))?,
            special: special.into_iter().collect(),
        })
    }

    fn from_parts(parts: &Parts) -> Result<Self> {
        let wrong = |problem: String| Error::Format {
            file: parts.file.clone(),
            problem,
        };
        let mut special = Special::default();
        for (text, id) in &parts.special {
            special.add(text, *id)?;
        }
        let added = parts.special.iter().map(|(text, id)| (text, id));
        let all: HashMap<&String, &u32> = parts.vocabulary.iter().chain(added).collect();
        let mut tokens = vec![None; all.len()];
        for (&text, &&id) in &all {
            let bytes = match special.id(text) {
                Some(_) => Some(text.as_bytes().to_vec()),
                None => alphabet::bytes(text),
            };
            let bytes = bytes.ok_or_else(|| {
                wrong(format!(
                    "expected tokens in GPT-2's alphabet, found {text:?}"
                ))
            })?;
            match tokens.get_mut(id as usize) {
                Some(place @ None) => *place = Some(bytes),
                _ => {
                    return Err(wrong(format!(
                        "expected the ids 0 to {} once each, found {id} for {text:?}",
                        all.len() - 1
                    )));
                }
            }
        }
        let id = |text: &str| parts.vocabulary.get(text).copied();
        let mut byte_ids = [0; 256];
        for (byte, place) in (0..=u8::MAX).zip(&mut byte_ids) {
            let character = alphabet::character(byte);
            *place = id(&character.to_string()).ok_or_else(|| {
                wrong(format!(
                    "expected a token for each byte; {character:?}, for byte {byte}, is missing"
                ))
            })?;
        }
        let mut merges = Merges::default();
        for (number, (left, right)) in parts.merges.iter().enumerate() {
            let joined = format!("{left}{right}");
            let known = |text: &str| {
                id(text).ok_or_else(|| {
                    wrong(format!(
                        "merge {} is {left:?} and {right:?}, but {text:?} is not in the vocabulary; do the files belong together?",
                        number + 1
                    ))
                })
            };
            if !merges.push((known(left)?, known(right)?), known(&joined)?) {
                let number = number + 1;
                return Err(wrong(format!(
                    "merge {number}, {left:?} and {right:?}, is there twice"
                )));
            }
        }
        Ok(Self {
            tokens: tokens.into_iter().flatten().collect(),
            merges,
            byte_ids,
            special,
        })
    }
}

/// An object in the order given, one entry a line: differences between two files are then easy to see.
fn json(entries: impl Iterator<Item = (String, u32)>) -> String {
    let lines: Vec<String> = entries
        .map(|(text, id)| format!("  {}: {id}", Value::from(text)))
        .collect();
    format!("{{\n{}\n}}\n", lines.join(",\n"))
}

pub(super) fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| failed(path, error))
}

pub(super) fn parse<'a, T: Deserialize<'a>>(path: &Path, text: &'a str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::Format {
        file: path.display().to_string(),
        problem: format!("not the JSON it should be: {error}"),
    })
}

fn merges(path: &Path) -> Result<Vec<(String, String)>> {
    let text = read(path)?;
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.starts_with("#version") && !line.is_empty());
    lines
        .map(|(number, line)| match line.split_once(' ') {
            Some((left, right)) if !right.contains(' ') => Ok((left.to_owned(), right.to_owned())),
            _ => Err(Error::Format {
                file: path.display().to_string(),
                problem: format!(
                    "line {}: expected two tokens with a space between, found {line:?}",
                    number + 1
                ),
            }),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Changes one of a small tokenizer's files and loads it: the error, without the folder.
    fn problem(name: &str, change: impl Fn(&str) -> String) -> String {
        let folder = tempfile::tempdir().unwrap();
        let bpe = Bpe::train_with_special(["aaab aaab aaab"], 300, &["<end>"]).unwrap();
        bpe.save(folder.path()).unwrap();
        assert_eq!(Bpe::load(folder.path()).unwrap(), bpe);
        let path = folder.path().join(name);
        fs::write(&path, change(&fs::read_to_string(&path).unwrap())).unwrap();
        Bpe::load(folder.path()).unwrap_err().to_string()
    }

    #[test]
    fn merges_that_do_not_fit_the_vocabulary_are_named() {
        let merges = |change: fn(&str) -> String| problem(MERGES, change);
        let error = merges(|text| text.to_owned() + "a z\n");
        assert!(
            error.contains("\"az\" is not in the vocabulary; do the files belong together?"),
            "{error}"
        );
        assert!(error.contains("merges.txt: merge "), "{error}");
        assert!(
            merges(|text| text.to_owned() + "a 好\n").contains("\"好\" is not in the vocabulary")
        );
        assert!(merges(|text| text.to_owned() + "a a\n").contains("is there twice"));
        assert!(merges(|text| text.to_owned() + "lonely\n").contains("expected two tokens"));
        assert!(merges(|text| text.to_owned() + "a b c\n").contains("expected two tokens"));
    }

    #[test]
    fn vocabularies_that_are_not_whole_are_named() {
        let vocabulary =
            |from: &str, to: &str| problem(VOCABULARY, |text| text.replacen(from, to, 1));
        assert!(vocabulary("{", "[").contains("vocab.json: not the JSON it should be"));
        assert!(vocabulary("\"!\": 1,", "").contains("once each"));
        assert!(vocabulary("\"!\": 1,", "\"!\": 2,").contains("once each"));
        assert!(vocabulary("\"!\": 1,", "\"!!\": 1,").contains("'!', for byte 33, is missing"));
        assert!(vocabulary("\"!\": 1,", "\"a b\": 1,").contains("GPT-2's alphabet, found \"a b\""));
        assert!(vocabulary("\"!\": 1,", "\"!\": -1,").contains("not the JSON"));
        assert!(problem(ADDED, |_| "{\"\": 0}".to_owned()).contains("empty"));
        assert!(
            Bpe::load("nowhere")
                .unwrap_err()
                .to_string()
                .contains("vocab.json")
        );
    }
}
