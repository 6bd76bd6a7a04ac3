//! Byte-level byte-pair encoding: any text becomes numbers and comes back, with a vocabulary that is learned from text.

mod alphabet;
mod encoder;
mod files;
mod merge;
mod special;
mod split;
mod tokenizer_json;
mod train;

use std::collections::HashMap;

use self::{
    encoder::Encoder,
    merge::{Merges, Pair},
    special::{Part, Special},
    train::{Pairs, count_pieces},
};
pub use self::{files::BpeParts, split::gpt2_pieces};
use crate::{Error, Result};

/// How often a pair must occur to become a token: what occurs once is learned by heart and never used again.
const MIN_COUNT: u64 = 2;

/// Byte-pair encoding (Sennrich et al., 2016) over bytes, as in GPT-2 (Radford et al., 2019).
///
/// The vocabulary holds the special tokens, then the 256 bytes, then one token for each learned merge. Because every byte
/// is there, no text is ever unknown. Given the same files, it encodes exactly as Hugging Face's `tokenizers` does with the
/// `ByteLevel` steps and no space put before the text, or with the step `Digits` before them, which cuts each digit out. What it leaves out:
/// other ways to split, dropout, normalising.
///
/// ```
/// use kindling::text::Bpe;
/// let bpe = Bpe::train(["low lower lowest, new newer newest"], 270)?;
/// let ids = bpe.encode("newest lowest");
/// assert_eq!(bpe.decode(&ids)?, "newest lowest");
/// assert!(ids.len() < "newest lowest".len());
/// assert_eq!(bpe.decode(&bpe.encode("小さい 🐟"))?, "小さい 🐟");
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Bpe {
    /// The bytes of each token, in the order of the ids.
    tokens: Vec<Vec<u8>>,
    merges: Merges,
    byte_ids: [u32; 256],
    special: Special,
    /// Whether each digit is a token of its own.
    digits_alone: bool,
    /// What stands for a byte that the vocabulary lacks.
    unknown: Option<u32>,
}

impl Bpe {
    /// Learns merges from these texts until there are `vocabulary_size` tokens, or no pair occurs twice.
    pub fn train<T: AsRef<str>>(
        texts: impl IntoIterator<Item = T>,
        vocabulary_size: usize,
    ) -> Result<Self> {
        Self::train_with_special(texts, vocabulary_size, &[])
    }

    /// The same, with special tokens such as `<|endoftext|>`, which get the first ids.
    ///
    /// Texts are taken as they are: a special token in them is learned from like any other text.
    pub fn train_with_special<T: AsRef<str>>(
        texts: impl IntoIterator<Item = T>,
        vocabulary_size: usize,
        special: &[&str],
    ) -> Result<Self> {
        let least = 256 + special.len();
        if vocabulary_size < least || u32::try_from(vocabulary_size).is_err() {
            return Err(Error::Argument(format!(
                "vocabulary_size: expected at least {least}, for 256 bytes and {} special tokens, found {vocabulary_size}",
                special.len()
            )));
        }
        let mut bpe = Self::untrained(special)?;
        let mut known: HashMap<Vec<u8>, u32> = HashMap::new();
        known.extend(
            (0..)
                .zip(&bpe.tokens)
                .map(|(id, token)| (token.clone(), id)),
        );
        let mut pairs = Pairs::new(&count_pieces(texts), &bpe.byte_ids);
        while bpe.tokens.len() < vocabulary_size
            && let Some(pair) = pairs.most_frequent(MIN_COUNT)
        {
            let joined = bpe.joined(pair);
            let next = bpe.tokens.len() as u32;
            // Two pairs can make the same token; a special token is never made of others.
            let id = *known.entry(joined.clone()).or_insert(next);
            if bpe.is_special(id) {
                pairs.forget(pair);
                continue;
            }
            if id == next {
                bpe.tokens.push(joined);
            }
            bpe.merges.push(pair, id);
            pairs.merge(pair, id);
        }
        Ok(bpe)
    }

    /// Special tokens and bytes alone.
    fn untrained(special: &[&str]) -> Result<Self> {
        let mut bpe = Self {
            tokens: Vec::new(),
            merges: Merges::default(),
            byte_ids: [0; 256],
            special: Special::default(),
            digits_alone: false,
            unknown: None,
        };
        for text in special {
            bpe.special.add(text, bpe.tokens.len() as u32)?;
            bpe.tokens.push(text.as_bytes().to_vec());
        }
        for byte in alphabet::in_order() {
            bpe.byte_ids[usize::from(byte)] = bpe.tokens.len() as u32;
            bpe.tokens.push(vec![byte]);
        }
        Ok(bpe)
    }

    fn joined(&self, (left, right): Pair) -> Vec<u8> {
        [
            self.tokens[left as usize].as_slice(),
            &self.tokens[right as usize],
        ]
        .concat()
    }

    /// Adds special tokens behind the vocabulary; one that is in the vocabulary keeps its id and becomes special.
    pub fn with_special_tokens(mut self, special: &[&str]) -> Result<Self> {
        for text in special {
            let known = self.id(text);
            self.special
                .add(text, known.unwrap_or(self.tokens.len() as u32))?;
            if known.is_none() {
                self.tokens.push(text.as_bytes().to_vec());
            }
        }
        Ok(self)
    }

    /// The ids of a text, in which special tokens are recognised.
    ///
    /// Use [`Bpe::encode_plain`] for text from strangers, who could otherwise write a special token themselves.
    #[must_use]
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let mut encoder = Encoder::new(&self.merges, &self.byte_ids, self.digits_alone);
        for part in self.special.parts(text) {
            match part {
                Part::Plain(text) => encoder.add(text),
                Part::Special(id) => encoder.push(id),
            }
        }
        encoder.into_ids()
    }

    /// The ids of a text that has no special tokens, whatever it looks like.
    #[must_use]
    pub fn encode_plain(&self, text: &str) -> Vec<u32> {
        let mut encoder = Encoder::new(&self.merges, &self.byte_ids, self.digits_alone);
        encoder.add(text);
        encoder.into_ids()
    }

    /// The bytes of these ids; an id that the vocabulary does not have is an error.
    ///
    /// A token may be a part of a character, so text that grows token by token is collected as bytes.
    pub fn decode_bytes(&self, ids: &[u32]) -> Result<Vec<u8>> {
        let tokens: Result<Vec<&[u8]>> = ids.iter().map(|&id| self.token(id)).collect();
        Ok(tokens?.concat())
    }

    /// The text of these ids, special tokens included; bytes that are no UTF-8 become `�`.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.decode_bytes(ids)?).into_owned())
    }

    /// The bytes of one token.
    pub fn token(&self, id: u32) -> Result<&[u8]> {
        let token = self.tokens.get(id as usize).map(Vec::as_slice);
        token.ok_or_else(|| {
            Error::Argument(format!(
                "token: expected an id below {}, found {id}",
                self.tokens.len()
            ))
        })
    }

    /// The id of the token that is exactly this text, special or not.
    #[must_use]
    pub fn id(&self, token: &str) -> Option<u32> {
        self.special.id(token).or_else(|| {
            let mut tokens = self.tokens.iter();
            Some(tokens.position(|bytes| bytes == token.as_bytes())? as u32)
        })
    }

    /// Whether this id is a special token's.
    #[must_use]
    pub fn is_special(&self, id: u32) -> bool {
        self.special.ids().any(|special| special == id)
    }

    /// How many tokens there are; ids are below it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Never: there are always the bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The learned merges as pairs of ids, first learned first.
    #[must_use]
    pub fn merges(&self) -> &[(u32, u32)] {
        self.merges.order()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "low low low low low lower lower newest newest newest newest newest newest widest widest widest";

    #[test]
    fn the_papers_example_learns_the_papers_merges() {
        let bpe = Bpe::train([TEXT], 260).unwrap();
        let learned: Vec<String> = bpe
            .merges()
            .iter()
            .map(|&pair| String::from_utf8(bpe.joined(pair)).unwrap())
            .collect();
        // The paper marks the end of a word, GPT-2 its beginning; "es" and "est" come first either way.
        assert_eq!(learned[..2], ["es", "est"]);
        assert_eq!(bpe.len(), 260);
    }

    #[test]
    fn special_tokens_are_found_longest_first_and_can_be_ignored() {
        let bpe = Bpe::train_with_special([TEXT], 300, &["<a>", "<a><b>"]).unwrap();
        let ids = bpe.encode("low<a><b><a>low");
        assert_eq!(
            ids.iter()
                .filter(|&&id| bpe.is_special(id))
                .collect::<Vec<_>>(),
            [&1, &0]
        );
        assert_eq!(bpe.decode(&ids).unwrap(), "low<a><b><a>low");
        assert!(!bpe.encode_plain("<a>").iter().any(|&id| bpe.is_special(id)));
        let more = bpe.clone().with_special_tokens(&["<c>", "low"]).unwrap();
        assert_eq!(more.id("<c>"), Some(bpe.len() as u32));
        assert_eq!(more.encode("low"), [bpe.id("low").unwrap()]);
        assert!(more.is_special(bpe.id("low").unwrap()));
    }

    #[test]
    fn a_special_token_is_never_learned() {
        let bpe = Bpe::train_with_special([TEXT], 300, &["est"]).unwrap();
        assert!(bpe.merges().iter().all(|&pair| bpe.joined(pair) != b"est"));
        assert!(!bpe.encode_plain("newest").contains(&0));
        assert!(bpe.encode("newest").contains(&0));
    }

    #[test]
    fn odd_texts_come_back() {
        let bpe = Bpe::train([TEXT], 270).unwrap();
        let long = "low lower 新しい\u{0}\r\n".repeat(100_000);
        for text in [
            "",
            "x",
            "\u{0}\u{7f}\u{85}\u{feff}",
            "\u{fffd}",
            "👩‍👩‍👧",
            &long,
        ] {
            assert_eq!(bpe.decode(&bpe.encode(text)).unwrap(), text);
        }
        assert_eq!(
            Bpe::train([""], 300).unwrap().len(),
            256,
            "nothing to learn from"
        );
    }

    #[test]
    fn a_part_of_a_character_is_shown_as_unknown() {
        let bpe = Bpe::train([TEXT], 256).unwrap();
        let ids = bpe.encode("é");
        assert_eq!(bpe.decode(&ids[..1]).unwrap(), "\u{fffd}");
        assert_eq!(bpe.decode_bytes(&ids[..1]).unwrap(), [0xc3]);
    }

    #[test]
    fn bad_arguments_are_named() {
        let problem = |outcome: Result<Bpe>| outcome.unwrap_err().to_string();
        assert!(problem(Bpe::train([TEXT], 255)).contains("at least 256"));
        let train = |special: &[&str]| problem(Bpe::train_with_special([TEXT], 300, special));
        assert!(train(&[""]).contains("empty"));
        assert!(train(&["<a>", "<a>"]).contains("twice"));
        let bpe = Bpe::train([TEXT], 256).unwrap();
        let error = bpe.decode(&[1, 256]).unwrap_err().to_string();
        assert!(error.contains("below 256, found 256"), "{error}");
    }
}
