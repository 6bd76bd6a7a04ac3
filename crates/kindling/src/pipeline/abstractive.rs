//! Summaries in words of its own and of the text: the model that `cargo course train summarizer` makes.

use std::{ops::Range, path::Path};

use super::{Summarize, Unit, check_request, guarded::Guarded, letter_case::with_capitals};
use crate::{
    Error, Result,
    data::{SpecialTokens, pad_sequences},
    decode::{BeamConfig, Limits, beam},
    models::{CopyTransformer, CopyTransformerConfig},
    text::{Bpe, words},
    train::{load_weights, places, read_details},
};

/// What the weights call the model's sizes.
const SIZES: &str = "sizes";

/// By how much longer summaries are favoured (Wu et al., 2016); with less, a subject says one word too few.
const LENGTH_PENALTY: f64 = 1.0;

/// Writes short summaries, such as an e-mail's subject line, with a [`CopyTransformer`] and beam search.
///
/// Of a text that is longer than the model can read it reads the beginning, where an e-mail says what it is about. White space is all the
/// same to it, and it knows no capitals: the summary has those of the text.
///
/// ```
/// use kindling::{models::{CopyTransformer, CopyTransformerConfig}, pipeline::{Abstractive, Summarize}, text::Bpe};
/// let tokenizer = Bpe::train_with_special(["The river rose."], 300, &Abstractive::SPECIAL)?;
/// let config = CopyTransformerConfig { vocabulary_size: tokenizer.len(), ..CopyTransformerConfig::default() };
/// // Random weights; trained ones are opened with `Abstractive::find()`, or `Abstractive::open(file)`.
/// let summarizer = Abstractive::new(CopyTransformer::new(&config, 0)?, tokenizer)?;
/// let summary = summarizer.summarize("The river rose during the night.", 2..5)?;
/// assert!(!summary.is_empty());
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Abstractive {
    model: CopyTransformer,
    tokenizer: Bpe,
    /// Tokens of white space alone.
    blank: Vec<u32>,
    beams: usize,
}

impl Abstractive {
    /// The name of the recipe and of the weights.
    pub const NAME: &'static str = "summarizer";

    /// The special tokens that its tokenizer begins with: those of all sequences, and [`Abstractive::WRITER`].
    pub const SPECIAL: [&'static str; 4] = {
        let [padding, start, end] = SpecialTokens::TEXTS;
        [padding, start, end, "<writer>"]
    };

    /// Stands before a text in training where the summary is its writer's, who may say what the text does not. No summary has it.
    pub const WRITER: u32 = 3;

    /// A model with its tokenizer; fails when they do not belong together.
    pub fn new(model: CopyTransformer, tokenizer: Bpe) -> Result<Self> {
        let (expected, found) = (model.config.vocabulary_size, tokenizer.len());
        if expected != found {
            return Err(Error::Argument(format!(
                "tokenizer: expected {expected} tokens, as the model has, found {found}; they do not belong together"
            )));
        }
        for (text, id) in Self::SPECIAL.into_iter().zip(0..) {
            if tokenizer.id(text) != Some(id) {
                return Err(Error::Argument(format!(
                    "tokenizer: expected {text} as token {id}, found {:?}; it was not trained for a summariser",
                    tokenizer.id(text)
                )));
            }
        }
        let mut blank = Vec::new();
        for id in 0..tokenizer.len() as u32 {
            if tokenizer.token(id)?.iter().all(u8::is_ascii_whitespace) {
                blank.push(id);
            }
        }
        Ok(Self {
            model,
            tokenizer,
            blank,
            beams: 4,
        })
    }

    /// The weights in this file, with the tokenizer in the folder beside it that has the same name and ends in `.tokenizer`.
    ///
    /// Fails when one of them is missing or damaged, and when they do not belong together.
    pub fn open(weights: impl AsRef<Path>) -> Result<Self> {
        let file = weights.as_ref();
        let wrong = |problem: String| Error::Format {
            file: file.display().to_string(),
            problem,
        };
        let details = read_details(file)?;
        let sizes = details.get(SIZES).ok_or_else(|| {
            let problem =
                "expected weights that `cargo course train summarizer` made, found others";
            wrong(problem.to_owned())
        })?;
        let config: CopyTransformerConfig = serde_json::from_str(sizes)
            .map_err(|error| wrong(format!("its sizes cannot be read: {error}")))?;
        let folder = places::tokenizer_beside(file);
        let beside = |problem: String| Error::Format {
            file: folder.display().to_string(),
            problem,
        };
        let tokenizer = Bpe::load(&folder).map_err(|error| {
            beside(format!(
                "expected the tokenizer that belongs to the weights: {error}"
            ))
        })?;
        let model = CopyTransformer::new(&config, 0)?;
        load_weights(&model, file)?;
        Self::new(model, tokenizer).map_err(|error| beside(error.to_string()))
    }

    /// The weights that were trained on this machine, else those that ship with the course.
    pub fn find() -> Result<Self> {
        Self::open(places::find_weights(Self::NAME, None)?)
    }

    /// Follows so many beginnings at once, 4 unless told otherwise; 1 takes the likeliest token each time.
    #[must_use]
    pub fn beams(mut self, beams: usize) -> Self {
        self.beams = beams;
        self
    }

    /// The model itself.
    #[must_use]
    pub fn model(&self) -> &CopyTransformer {
        &self.model
    }

    /// Its tokenizer.
    #[must_use]
    pub fn tokenizer(&self) -> &Bpe {
        &self.tokenizer
    }

    /// What must stand beside the weights so that [`Abstractive::open`] can read them: a name and its words.
    pub fn sizes(config: &CopyTransformerConfig) -> Result<(&'static str, String)> {
        let sizes = serde_json::to_string(config);
        let sizes = sizes.map_err(|error| Error::Argument(format!("sizes: {error}")))?;
        Ok((SIZES, sizes))
    }

    /// A text as the model reads and writes it: without capitals, so that the first word of a summary is a word of the text, and with one
    /// space before each word, so that a word is the same tokens wherever it stands.
    #[must_use]
    pub fn plain(text: &str) -> String {
        let words = text.split_whitespace();
        let spaced: String = words.flat_map(|word| [" ", word]).collect();
        spaced.to_lowercase()
    }

    /// The tokens of a text as the model reads it: of a long text those of the beginning.
    #[must_use]
    pub fn tokens(&self, text: &str) -> Vec<u32> {
        Self::beginning(&self.tokenizer, text, self.model.config.source_length)
    }

    /// The first tokens of a text, at most so many.
    #[must_use]
    pub fn beginning(tokenizer: &Bpe, text: &str, most: usize) -> Vec<u32> {
        // A word has at least one token: what stands behind so many words is never read.
        let words: Vec<&str> = text.split_whitespace().take(most).collect();
        let mut tokens = tokenizer.encode_plain(&Self::plain(&words.join(" ")));
        tokens.truncate(most);
        tokens
    }

    /// The summary in lower case.
    fn brief(&self, text: &str, length: &Range<usize>) -> Result<String> {
        let source = pad_sequences(&[self.tokens(text)], SpecialTokens::FIRST.padding)?; // (1, source_time)
        // No text has a summary that is longer than itself.
        let own = self.tokens(text).len();
        let most = (length.end - 1)
            .min(self.model.config.target_length)
            .min(own);
        let guarded = Guarded {
            model: &self.model,
            tokens: SpecialTokens::FIRST,
            never: &[
                SpecialTokens::FIRST.padding,
                SpecialTokens::FIRST.start,
                Self::WRITER,
            ],
            least: length.start.clamp(1, most.max(1)),
            most,
            blank: &self.blank,
        };
        let config = BeamConfig {
            width: self.beams,
            length_penalty: LENGTH_PENALTY,
            limits: Limits {
                end: SpecialTokens::FIRST.end,
                max_length: most + 1,
            },
        };
        let start = (self.model.read(&source, None)?, Vec::new());
        let found = beam(&guarded, start, SpecialTokens::FIRST.start, &config)?;
        let best = found.into_iter().next();
        let said = best.map_or_else(Vec::new, |best| best.tokens);
        // A token may be a part of a character, and a part alone is nothing to read.
        let said = self.tokenizer.decode(&said)?.replace('\u{fffd}', "");
        Ok(said.trim().to_owned())
    }

    /// Whether most of these tokens are more than parts of characters, as those of a script are that the tokenizer was not trained on.
    fn knows_script(&self, tokens: &[u32]) -> Result<bool> {
        let mut parts = 0;
        for token in tokens {
            parts += usize::from(str::from_utf8(self.tokenizer.token(*token)?).is_err());
        }
        Ok(2 * parts <= tokens.len())
    }
}

impl Summarize for Abstractive {
    fn engine(&self) -> String {
        "abstractive (copying Transformer)".to_owned()
    }

    fn unit(&self) -> Unit {
        Unit::Tokens
    }

    /// At most as many tokens as the model can write and the text has, however many are allowed; a single word is its own summary.
    ///
    /// Fails when the model cannot write as few as are asked for, and when the text is in a script that it was not trained on.
    fn summarize(&self, text: &str, length: Range<usize>) -> Result<String> {
        check_request(text, &length)?;
        let target_length = self.model.config.target_length;
        if length.start > target_length {
            return Err(Error::Argument(format!(
                "length: this summariser writes at most {target_length} tokens, found at least {}",
                length.start
            )));
        }
        if let [only] = words(text).as_slice() {
            return Ok((*only).to_owned());
        }
        let unknown = |problem: &str| {
            Error::Text(format!(
                "text: this summariser {problem}; take the engine `extractive`, which picks sentences of any language, or train it on such texts"
            ))
        };
        if !self.knows_script(&self.tokens(text))? {
            return Err(unknown("was not trained on this script"));
        }
        let brief = self.brief(text, &length)?;
        if brief.is_empty() {
            return Err(unknown("found no words for this text"));
        }
        Ok(with_capitals(&brief, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One with random weights, whose tokenizer knows this text.
    fn engine(known: &str) -> Abstractive {
        let tokenizer = Bpe::train_with_special([known], 400, &Abstractive::SPECIAL).unwrap();
        let config = CopyTransformerConfig {
            vocabulary_size: tokenizer.len(),
            ..CopyTransformerConfig::default()
        };
        Abstractive::new(CopyTransformer::new(&config, 0).unwrap(), tokenizer).unwrap()
    }

    #[test]
    fn no_summary_is_longer_than_its_text() {
        let english = engine("The river rose during the night.");
        for text in ["Word", " word!", "word\n"] {
            let found = english.summarize(text, 3..13).unwrap();
            assert_eq!(found.to_lowercase(), "word");
        }
        let found = english.brief("the river", &(12..13)).unwrap();
        assert!(
            words(&found).len() <= english.tokens("the river").len(),
            "{found}"
        );
    }

    #[test]
    fn a_script_that_it_was_not_trained_on_is_named() {
        let text = "河水夜里上涨。早晨地窖里都是水。";
        let english = engine("The river rose during the night.");
        for text in [text, "Река поднялась за ночь.", "नदी रात में चढ़ गई।"]
        {
            let problem = english.summarize(text, 1..13).unwrap_err().to_string();
            assert!(
                problem.starts_with("text: this summariser was not trained on this script"),
                "{problem}"
            );
        }
        // With random weights it may say anything, but nothing broken.
        let chinese = engine(&text.repeat(3));
        for (engine, text) in [
            (&english, "The café of José rose during the night 🎉"),
            (&english, "naïve naïve"),
            (&chinese, text),
        ] {
            match engine.summarize(text, 1..13) {
                Ok(found) => assert!(!found.contains('\u{fffd}'), "{text}: {found}"),
                Err(problem) => assert!(problem.to_string().contains("found no words")),
            }
        }
    }
}
