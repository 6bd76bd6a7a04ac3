//! A list of known words (or characters), each with a number.

use std::{cmp::Reverse, collections::HashMap, path::Path};

use serde::{Deserialize, Serialize};

use crate::{
    Error, Result,
    tensor_file::{read_text, write_whole},
    text::SpecialTokens,
};

/// The id of `<pad>`, which fills sequences up to the longest of a batch.
pub const PAD: u32 = 0;
/// The id of `<unk>`, which stands for every token that is not in the vocabulary.
pub const UNKNOWN: u32 = 1;
/// The id of `<s>`, with which a sequence begins.
pub const BEGIN: u32 = 2;
/// The id of `</s>`, with which a sequence ends.
pub const END: u32 = 3;

const SPECIAL: [&str; 4] = {
    let [padding, start, end] = SpecialTokens::TEXTS;
    [padding, "<unk>", start, end]
};

/// What they were called in files of the course's first months.
const FIRST_SPECIAL: [&str; 4] = ["<pad>", "<unk>", "<bos>", "<eos>"];

/// Which tokens get into a [`Vocabulary`]. By default all do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VocabularyConfig {
    /// How often a token must occur.
    pub min_frequency: u64,
    /// How many tokens there may be, the four special ones included; the most frequent stay.
    pub max_size: Option<usize>,
}

impl Default for VocabularyConfig {
    fn default() -> Self {
        Self {
            min_frequency: 1,
            max_size: None,
        }
    }
}

/// Known tokens by number: `<pad>`, `<unk>`, `<s>`, `</s>`, then the most frequent first, equals by their text.
///
/// ```
/// use kindling::text::{Vocabulary, VocabularyConfig, words};
/// let vocabulary = Vocabulary::new(words("the cat and the dog"), VocabularyConfig::default())?;
/// assert_eq!(vocabulary.encode(["the", "bird"]), [4, 1]);
/// assert_eq!(vocabulary.encode_sequence(["the", "cat"]), [2, 4, 6, 3]);
/// assert_eq!(vocabulary.decode(&[4, 6])?, ["the", "cat"]);
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vocabulary {
    tokens: Vec<String>,
    /// How often each token occurred where it was counted.
    counts: Vec<u64>,
    ids: HashMap<String, u32>,
}

/// What the file holds.
#[derive(Serialize, Deserialize)]
struct Saved {
    tokens: Vec<String>,
    counts: Vec<u64>,
}

impl Vocabulary {
    /// The ids of its special tokens: [`PAD`], [`BEGIN`] and [`END`].
    pub const SPECIAL_TOKENS: SpecialTokens = SpecialTokens {
        padding: PAD,
        start: BEGIN,
        end: END,
    };

    /// Counts these tokens. Where a text has special tokens written out, such as `<unk>`, they count as themselves.
    pub fn new<T: AsRef<str>>(
        tokens: impl IntoIterator<Item = T>,
        config: VocabularyConfig,
    ) -> Result<Self> {
        let room = config.max_size.unwrap_or(u32::MAX as usize);
        let Some(room) = room.checked_sub(SPECIAL.len()) else {
            return Err(Error::Argument(format!(
                "max_size: expected at least {}, for the special tokens, found {room}",
                SPECIAL.len()
            )));
        };
        let mut counted: HashMap<String, u64> = HashMap::new();
        for token in tokens {
            match counted.get_mut(token.as_ref()) {
                Some(count) => *count += 1,
                None => _ = counted.insert(token.as_ref().to_owned(), 1),
            }
        }
        let special = SPECIAL.map(|token| (token.to_owned(), counted.remove(token).unwrap_or(0)));
        let mut others: Vec<(String, u64)> = counted.into_iter().collect();
        others.sort_unstable_by(|(a, most), (b, more)| (Reverse(most), a).cmp(&(Reverse(more), b)));
        let known = others.partition_point(|(_, count)| *count >= config.min_frequency);
        let unknown = others.split_off(known.min(room));
        let (tokens, mut counts): (Vec<_>, Vec<_>) = special.into_iter().chain(others).unzip();
        counts[UNKNOWN as usize] += unknown.iter().map(|(_, count)| count).sum::<u64>();
        Self::from_saved(Saved { tokens, counts }).map_err(Error::Argument)
    }

    fn from_saved(saved: Saved) -> std::result::Result<Self, String> {
        let Saved { mut tokens, counts } = saved;
        if tokens.iter().take(SPECIAL.len()).eq(FIRST_SPECIAL.iter()) {
            tokens.splice(..SPECIAL.len(), SPECIAL.map(str::to_owned));
        }
        if tokens.iter().take(SPECIAL.len()).ne(SPECIAL.iter()) {
            return Err(format!("expected a list that begins with {SPECIAL:?}"));
        }
        if tokens.len() != counts.len() {
            let (tokens, counts) = (tokens.len(), counts.len());
            return Err(format!(
                "expected as many counts as tokens, found {counts} and {tokens}"
            ));
        }
        let mut ids = HashMap::with_capacity(tokens.len());
        for (id, token) in (0..).zip(&tokens) {
            if ids.insert(token.clone(), id).is_some() {
                return Err(format!("expected each token once, found {token:?} twice"));
            }
        }
        Ok(Self {
            tokens,
            counts,
            ids,
        })
    }

    /// The id of each token, [`UNKNOWN`] where it is not known.
    pub fn encode<T: AsRef<str>>(&self, tokens: impl IntoIterator<Item = T>) -> Vec<u32> {
        let tokens = tokens.into_iter();
        tokens
            .map(|token| self.id(token.as_ref()).unwrap_or(UNKNOWN))
            .collect()
    }

    /// The same with [`BEGIN`] before and [`END`] behind.
    pub fn encode_sequence<T: AsRef<str>>(&self, tokens: impl IntoIterator<Item = T>) -> Vec<u32> {
        let mut ids = vec![BEGIN];
        ids.extend(self.encode(tokens));
        ids.push(END);
        ids
    }

    /// The tokens of these ids; an id that the vocabulary does not have is an error.
    pub fn decode(&self, ids: &[u32]) -> Result<Vec<&str>> {
        ids.iter().map(|&id| self.token(id)).collect()
    }

    /// The id of a token, if it is known.
    #[must_use]
    pub fn id(&self, token: &str) -> Option<u32> {
        self.ids.get(token).copied()
    }

    /// The token of an id.
    pub fn token(&self, id: u32) -> Result<&str> {
        let token = self.tokens.get(id as usize).map(String::as_str);
        token.ok_or_else(|| {
            Error::Argument(format!(
                "token: expected an id below {}, found {id}",
                self.tokens.len()
            ))
        })
    }

    /// All tokens in the order of their ids.
    #[must_use]
    pub fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// How often each token occurred, in the order of the ids; all that is not known counts for `<unk>`.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// How many tokens there are, the special ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether nothing but special tokens is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tokens.len() == SPECIAL.len()
    }

    /// Writes tokens and counts as JSON, whole or not at all.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let saved = Saved {
            tokens: self.tokens.clone(),
            counts: self.counts.clone(),
        };
        let json = serde_json::to_vec_pretty(&saved).map_err(|error| wrong(path, &error))?;
        write_whole(path, &json)
    }

    /// Reads what [`Vocabulary::save`] wrote.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = read_text(path)?;
        let saved: Saved = serde_json::from_str(&text).map_err(|error| wrong(path, &error))?;
        Self::from_saved(saved).map_err(|problem| wrong(path, &problem))
    }
}

fn wrong(path: &Path, problem: &dyn std::fmt::Display) -> Error {
    Error::Format {
        file: path.display().to_string(),
        problem: format!("not a vocabulary: {problem}"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const TEXT: [&str; 9] = ["b", "a", "c", "b", "a", "<unk>", "d", "c", "a"];

    fn vocabulary(min_frequency: u64, max_size: Option<usize>) -> Vocabulary {
        let config = VocabularyConfig {
            min_frequency,
            max_size,
        };
        Vocabulary::new(TEXT, config).unwrap()
    }

    #[test]
    fn the_most_frequent_come_first_and_equals_by_text() {
        let all = vocabulary(1, None);
        assert_eq!(all.tokens()[4..], ["a", "b", "c", "d"]);
        assert_eq!(all.counts(), [0, 1, 0, 0, 3, 2, 2, 1]);
        let frequent = vocabulary(2, Some(6));
        assert_eq!(frequent.tokens()[4..], ["a", "b"]);
        assert_eq!(frequent.counts()[UNKNOWN as usize], 1 + 2 + 1);
        assert_eq!(frequent.encode(["c", "b", ""]), [UNKNOWN, 5, UNKNOWN]);
    }

    #[test]
    fn nothing_to_count_leaves_the_special_tokens() {
        let empty = Vocabulary::new([""; 0], VocabularyConfig::default()).unwrap();
        assert!(empty.is_empty());
        assert_eq!(empty.encode_sequence(["x"]), [BEGIN, UNKNOWN, END]);
    }

    #[test]
    fn comes_back_from_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/words.json");
        vocabulary(1, None).save(&path).unwrap();
        assert_eq!(Vocabulary::load(&path).unwrap(), vocabulary(1, None));
        let marked = "\u{feff}".to_owned() + &fs::read_to_string(&path).unwrap();
        fs::write(&path, marked).unwrap();
        assert_eq!(Vocabulary::load(&path).unwrap(), vocabulary(1, None));
        let problem = |text: &str| {
            fs::write(&path, text).unwrap();
            Vocabulary::load(&path).unwrap_err().to_string()
        };
        assert!(problem("{").contains("words.json: not a vocabulary"));
        assert!(problem(r#"{"tokens":["a"],"counts":[1]}"#).contains("begins with"));
        let twice =
            r#"{"tokens":["<pad>","<unk>","<bos>","<eos>","a","a"],"counts":[0,0,0,0,1,1]}"#;
        // A file of the first months, when two special tokens had other names.
        fs::write(&path, twice.replace(r#""a"]"#, r#""b"]"#)).unwrap();
        let old = Vocabulary::load(&path).unwrap();
        assert_eq!(old.token(END).unwrap(), "</s>");
        assert!(problem(twice).contains("\"a\" twice"));
        assert!(problem(&twice.replace(",1]", "]")).contains("found 5 and 6"));
    }

    #[test]
    fn bad_arguments_are_named() {
        let config = VocabularyConfig {
            max_size: Some(3),
            ..VocabularyConfig::default()
        };
        assert!(
            Vocabulary::new(["a"], config)
                .unwrap_err()
                .to_string()
                .contains("max_size")
        );
        let error = vocabulary(1, None).decode(&[4, 8]).unwrap_err().to_string();
        assert!(error.contains("below 8, found 8"), "{error}");
    }
}
