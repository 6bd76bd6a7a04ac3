//! The files of a tokenizer: Hugging Face's `vocab.json` with `merges.txt`, or OpenAI's `encoder.json` with `vocab.bpe`.
//!
//! The first gives each token its id; the second has one pair a line, first learned first; both in GPT-2's alphabet.
//! `added_tokens.json`, `tokenizer.json` and `special_tokens_map.json` beside them name the special tokens.

use std::{collections::HashMap, fmt::Write, path::Path};

use serde::Deserialize;
use serde_json::Value;

use super::{
    Bpe, alphabet,
    merge::Merges,
    special::Special,
    tokenizer_json::{to_whole, whole},
};
use crate::{
    Error, Result,
    tensor_file::{read_text, write_whole},
};

const VOCABULARY: &str = "vocab.json";
const MERGES: &str = "merges.txt";
const ADDED: &str = "added_tokens.json";
const WHOLE: &str = "tokenizer.json";
const ROLES: &str = "special_tokens_map.json";

/// What OpenAI calls the vocabulary and the merges of GPT-2.
const PUBLISHED: [&str; 2] = ["encoder.json", "vocab.bpe"];

/// The special token of the published vocabulary, which no file beside it names.
const END_OF_TEXT: &str = "<|endoftext|>";

/// A tokenizer as files describe it, not yet checked.
pub(super) struct Parts {
    /// Named in errors.
    pub(super) file: String,
    pub(super) vocabulary: HashMap<String, u32>,
    pub(super) merges: Vec<(String, String)>,
    pub(super) special: Vec<(String, u32)>,
    pub(super) digits_alone: bool,
    /// What stands for a byte that the vocabulary lacks.
    pub(super) unknown: Option<String>,
}

/// A tokenizer of which another kind of file tells the parts; tokens and merges are in GPT-2's alphabet.
#[derive(Debug, Clone, Default)]
pub struct BpeParts {
    /// All tokens, in the order of their ids.
    pub tokens: Vec<String>,
    /// Pairs of tokens, first learned first.
    pub merges: Vec<(String, String)>,
    /// The ids of the special tokens.
    pub special: Vec<u32>,
    /// The id that stands for a byte which the vocabulary lacks.
    pub unknown: Option<u32>,
    /// Whether each digit is cut out before all else.
    pub digits_alone: bool,
}

impl Bpe {
    /// A tokenizer made of these parts; errors name their `source`.
    pub fn from_named_parts(source: &str, parts: &BpeParts) -> Result<Self> {
        let wrong = |problem: String| wrong(Path::new(source), problem);
        let mut vocabulary = HashMap::with_capacity(parts.tokens.len());
        for (id, token) in (0..).zip(&parts.tokens) {
            if vocabulary.insert(token.clone(), id).is_some() {
                return Err(wrong(format!(
                    "expected each token once, found {token:?} twice"
                )));
            }
        }
        let token = |id: u32| {
            let token = parts.tokens.get(id as usize).cloned();
            token.ok_or_else(|| {
                wrong(format!(
                    "expected ids below {}, found {id}",
                    parts.tokens.len()
                ))
            })
        };
        let special = parts.special.iter().map(|&id| Ok((token(id)?, id)));
        Self::from_parts(&Parts {
            file: source.to_owned(),
            special: special.collect::<Result<_>>()?,
            vocabulary,
            merges: parts.merges.clone(),
            digits_alone: parts.digits_alone,
            unknown: parts.unknown.map(token).transpose()?,
        })
    }

    /// Writes `vocab.json`, `merges.txt` and `added_tokens.json` into this folder, each whole or not at all; where these cannot say how a text
    /// is split, `tokenizer.json` beside them does.
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
        write_whole(&folder.join(ADDED), json(special).as_bytes())?;
        if self.digits_alone {
            let merges = self.merges().iter();
            let merges: Vec<[String; 2]> = merges.map(|&(a, b)| [name(a), name(b)]).collect();
            let vocabulary = (0..self.tokens.len() as u32).map(|id| (name(id), id));
            let special = self.special.in_order();
            let unknown = self.unknown.map(name);
            let text = to_whole(vocabulary.collect(), &merges, &special, unknown);
            write_whole(&folder.join(WHOLE), text.as_bytes())?;
        }
        Ok(())
    }

    /// Reads a folder with `vocab.json` and `merges.txt`, or else with `tokenizer.json`, or with OpenAI's `encoder.json` and `vocab.bpe`; or a
    /// `tokenizer.json` itself.
    ///
    /// Special tokens are those that `added_tokens.json`, `tokenizer.json` or `special_tokens_map.json` beside the vocabulary name, and the
    /// published `<|endoftext|>` in OpenAI's folder. A file of a tokenizer that would encode differently, merges that do not fit the
    /// vocabulary, and files that contradict each other are errors.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        if path.is_file() {
            return Self::from_parts(&whole(path)?);
        }
        let has = |file: &str| path.join(file).is_file();
        let [encoder, bpe] = PUBLISHED;
        if has(WHOLE) && !has(VOCABULARY) {
            return Self::from_parts(&whole(&path.join(WHOLE))?);
        }
        if has(encoder) && !has(VOCABULARY) {
            let mut parts = Parts::read(path, encoder, bpe)?;
            let end = parts.vocabulary.get(END_OF_TEXT);
            parts.special = end
                .map(|id| (END_OF_TEXT.to_owned(), *id))
                .into_iter()
                .collect();
            return Self::from_parts(&parts);
        }
        let mut parts = Parts::read(path, VOCABULARY, MERGES)?;
        if has(ADDED) {
            let file = path.join(ADDED);
            let special: HashMap<String, u32> = parse(&file, &read_text(&file)?)?;
            parts.add(&file, special)?;
        }
        if has(WHOLE) {
            let file = path.join(WHOLE);
            let whole = whole(&file)?;
            if whole.vocabulary != parts.vocabulary {
                return Err(wrong(
                    &file,
                    format!(
                        "expected the vocabulary of {VOCABULARY} beside it, found another; do the files belong together?"
                    ),
                ));
            }
            parts.digits_alone = whole.digits_alone;
            parts.unknown = whole.unknown;
            parts.add(&file, whole.special)?;
        } else if has(ROLES) {
            let file = path.join(ROLES);
            let named = roles(&parse(&file, &read_text(&file)?)?);
            let known = |text: &String| parts.vocabulary.get(text).copied();
            let special: Vec<(String, u32)> = named
                .into_iter()
                .filter_map(|text| Some((known(&text)?, text)))
                .map(|(id, text)| (text, id))
                .collect();
            parts.add(&file, special)?;
        }
        Self::from_parts(&parts)
    }

    fn from_parts(parts: &Parts) -> Result<Self> {
        let wrong = |problem: String| wrong(Path::new(&parts.file), problem);
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
            let unknown = || {
                parts
                    .unknown
                    .as_ref()
                    .and_then(|text| all.get(text).map(|id| **id))
            };
            *place = id(&character.to_string()).or_else(unknown).ok_or_else(|| {
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
            digits_alone: parts.digits_alone,
            unknown: parts
                .unknown
                .as_ref()
                .and_then(|text| all.get(text).map(|id| **id)),
        })
    }
}

impl Parts {
    /// A vocabulary and its merges, without special tokens.
    fn read(folder: &Path, vocabulary: &str, merges_of_it: &str) -> Result<Self> {
        let (vocabulary, file) = (folder.join(vocabulary), folder.join(merges_of_it));
        Ok(Self {
            vocabulary: parse(&vocabulary, &read_text(&vocabulary)?)?,
            merges: merges(&file)?,
            special: Vec::new(),
            digits_alone: false,
            unknown: None,
            file: file.display().to_string(),
        })
    }

    /// Adds the special tokens that this file names; those that are known are to have the same ids.
    fn add(&mut self, file: &Path, special: impl IntoIterator<Item = (String, u32)>) -> Result<()> {
        for (text, id) in special {
            let mut named = self.special.iter();
            let named = named.find(|(known, _)| *known == text).map(|(_, id)| *id);
            let before = named.or_else(|| self.vocabulary.get(&text).copied());
            if let Some(before) = before.filter(|before| *before != id) {
                let problem = format!(
                    "expected the id {before} for {text:?}, as in the other files, found {id}; do the files belong together?"
                );
                return Err(wrong(file, problem));
            }
            if named.is_none() {
                self.special.push((text, id));
            }
        }
        Ok(())
    }
}

/// The tokens that have a role, such as the end of a text: each is a text, an object with a text, or one of a list of these.
fn roles(map: &HashMap<String, Value>) -> Vec<String> {
    let values = map.values().flat_map(|value| match value {
        Value::Array(values) => values.as_slice(),
        value => std::slice::from_ref(value),
    });
    let texts = values.filter_map(|value| value.as_str().or(value["content"].as_str()));
    let mut texts: Vec<String> = texts.map(str::to_owned).collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

fn wrong(file: &Path, problem: String) -> Error {
    Error::Format {
        file: file.display().to_string(),
        problem,
    }
}

/// An object in the order given, one entry a line: differences between two files are then easy to see.
fn json(entries: impl Iterator<Item = (String, u32)>) -> String {
    let lines: Vec<String> = entries
        .map(|(text, id)| format!("  {}: {id}", Value::from(text)))
        .collect();
    format!("{{\n{}\n}}\n", lines.join(",\n"))
}

pub(super) fn parse<'a, T: Deserialize<'a>>(path: &Path, text: &'a str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::Format {
        file: path.display().to_string(),
        problem: format!("not the JSON it should be: {error}"),
    })
}

fn merges(path: &Path) -> Result<Vec<(String, String)>> {
    let text = read_text(path)?;
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
    use std::fs;

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

    /// A small tokenizer as GPT-2's folder has it: the special token is in the vocabulary, and only other files say that it is special.
    fn gpt2(folder: &Path) -> Bpe {
        let bpe = Bpe::train(["aaab aaab aaab"], 300).unwrap();
        let bpe = bpe.with_special_tokens(&[END_OF_TEXT]).unwrap();
        bpe.save(folder).unwrap();
        fs::remove_file(folder.join(ADDED)).unwrap();
        bpe
    }

    /// The `tokenizer.json` of this folder.
    fn write_whole_beside(folder: &Path, id: u32) {
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        let merges = read(MERGES);
        let merges: Vec<&str> = merges.lines().skip(1).collect();
        // GPT-2's own file does not say the model's type.
        let whole = serde_json::json!({
            "normalizer": null, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
            "added_tokens": [{"id": id, "content": END_OF_TEXT, "special": true}],
            "model": {"vocab": serde_json::from_str::<Value>(&read(VOCABULARY)).unwrap(), "merges": merges},
        });
        fs::write(folder.join(WHOLE), whole.to_string()).unwrap();
    }

    #[test]
    fn gpt2s_own_folder_says_what_is_special() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let bpe = gpt2(folder);
        let text = "a<|endoftext|>b";
        assert!(Bpe::load(folder).unwrap().encode(text).len() > 3);
        let roles = r#"{"eos_token": "<|endoftext|>", "pad_token": {"content": "<|endoftext|>"}, "additional_special_tokens": ["none"]}"#;
        fs::write(folder.join(ROLES), roles).unwrap();
        assert_eq!(Bpe::load(folder).unwrap(), bpe);
        fs::remove_file(folder.join(ROLES)).unwrap();
        let end = bpe.len() as u32 - 1;
        write_whole_beside(folder, end);
        let loaded = Bpe::load(folder).unwrap();
        assert_eq!(loaded, bpe);
        let ids = loaded.encode(text);
        assert!(ids.len() == 3 && loaded.is_special(ids[1]), "{ids:?}");
        assert_eq!(Bpe::load(folder.join(WHOLE)).unwrap(), bpe);
        // The names that OpenAI gave the files.
        for (from, to) in [(VOCABULARY, PUBLISHED[0]), (MERGES, PUBLISHED[1])] {
            fs::rename(folder.join(from), folder.join(to)).unwrap();
        }
        fs::remove_file(folder.join(WHOLE)).unwrap();
        assert_eq!(Bpe::load(folder).unwrap(), bpe);
    }

    #[test]
    fn files_that_contradict_each_other_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let end = gpt2(folder).len() as u32 - 1;
        let problem = || Bpe::load(folder).unwrap_err().to_string();
        write_whole_beside(folder, 0);
        assert!(
            problem().contains(&format!("expected the id {end} for")),
            "{}",
            problem()
        );
        write_whole_beside(folder, end);
        fs::write(folder.join(ADDED), r#"{"<pad>": 0}"#).unwrap();
        assert!(problem().contains("once each"), "{}", problem());
        fs::write(folder.join(ADDED), r#"{"<|endoftext|>": 7}"#).unwrap();
        assert!(problem().contains("added_tokens.json: expected the id"));
        fs::remove_file(folder.join(ADDED)).unwrap();
        let other = fs::read_to_string(folder.join(WHOLE)).unwrap();
        let mut other: Value = serde_json::from_str(&other).unwrap();
        other["model"]["vocab"]["another"] = 999.into();
        fs::write(folder.join(WHOLE), other.to_string()).unwrap();
        assert!(problem().contains("tokenizer.json: expected the vocabulary of vocab.json"));
    }

    #[test]
    fn what_editors_do_to_files_is_no_part_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let bpe = gpt2(folder);
        write_whole_beside(folder, bpe.len() as u32 - 1);
        for name in [VOCABULARY, MERGES, WHOLE] {
            let text = fs::read_to_string(folder.join(name)).unwrap();
            let text = "\u{feff}".to_owned() + &text.replace('\n', "\r\n");
            fs::write(folder.join(name), text).unwrap();
        }
        assert_eq!(Bpe::load(folder).unwrap(), bpe);
        assert_eq!(Bpe::load(folder.join(WHOLE)).unwrap(), bpe);
        fs::write(folder.join(VOCABULARY), [0xff, 0xfe, b'{', 0]).unwrap();
        let error = Bpe::load(folder).unwrap_err().to_string();
        assert!(
            error.contains("vocab.json: expected text in UTF-8"),
            "{error}"
        );
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
