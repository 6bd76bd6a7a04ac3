//! Summaries in a model's own words.

use std::{collections::HashMap, ops::Range, path::Path};

use kindling::{
    Error, Result,
    decode::{BeamConfig, Limits, StepModel, beam, greedy},
    pipeline::{Summarize, Unit, check_request, summarize_in_parts},
};
use serde::Deserialize;
use tokenizers::Tokenizer;

use crate::{
    folder::{CONFIG, Folder, TOKENIZER},
    t5::{Answer, T5},
};

/// How many tokens a T5 was trained to read, where its settings do not say.
const TOKENS: usize = 512;

/// A pretrained T5 that writes summaries.
///
/// Texts that are too long for the model are read in parts, as [`summarize_in_parts`] does.
///
/// ```no_run
/// use kindling::pipeline::Summarize;
/// use kindling_pretrained::{Pretrained, hub};
/// let summarizer = Pretrained::open(hub::find("t5-small")?)?;
/// println!("{}", summarizer.summarize("The river rose during the night. …", 30..130)?);
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Pretrained {
    t5: T5,
    tokenizer: Tokenizer,
    /// What the model was taught to read before a text that it shall summarise.
    prefix: String,
    /// The most tokens of a text, without the prefix.
    limit: usize,
    beams: usize,
    name: String,
}

/// What is said beside the shapes.
#[derive(Deserialize)]
struct Settings {
    n_positions: Option<usize>,
    #[serde(default)]
    task_specific_params: Option<HashMap<String, Task>>,
}

#[derive(Deserialize)]
struct Task {
    prefix: Option<String>,
}

impl Pretrained {
    /// Opens a model's folder; fails when a file is missing or damaged, and when it is no T5.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self> {
        let path = folder.as_ref();
        let folder = Folder::open(path)?;
        let t5 = T5::open(&folder)?;
        let tokenizer = folder.tokenizer(t5.vocab_size, None)?;
        let settings: Settings = folder.json(CONFIG)?;
        let tasks = settings.task_specific_params.unwrap_or_default();
        let task = tasks.into_iter().find(|(name, _)| name == "summarization");
        let prefix = task.and_then(|(_, task)| task.prefix);
        let prefix = prefix.unwrap_or_else(|| "summarize: ".to_owned());
        let all = settings.n_positions.unwrap_or(TOKENS);
        // The prefix and the token at the end take their places.
        let taken = encode(&tokenizer, &prefix, true)?.len();
        let Some(limit) = all.checked_sub(taken).filter(|limit| *limit > 0) else {
            let problem = format!("expected room for a text behind {taken} tokens, found {all}");
            return Err(folder.problem(TOKENIZER, problem));
        };
        let name = path.file_name().unwrap_or(path.as_os_str());
        Ok(Self {
            t5,
            tokenizer,
            prefix,
            limit,
            beams: 1,
            name: name.to_string_lossy().into_owned(),
        })
    }

    /// Follows so many beginnings at once instead of the likeliest alone: slower, and mostly better.
    #[must_use]
    pub fn beams(mut self, beams: usize) -> Self {
        self.beams = beams;
        self
    }

    /// Calls it something else than its folder is called, which on the hub is a number.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// The model itself.
    #[must_use]
    pub fn t5(&self) -> &T5 {
        &self.t5
    }

    /// The tokens of a text as the model reads it, with what ends it.
    pub fn tokens(&self, text: &str) -> Result<Vec<u32>> {
        encode(&self.tokenizer, text, true)
    }

    /// The likeliest answer of at least `length.start` and fewer than `length.end` tokens to a text of at least one token.
    pub fn answer(&self, ids: &[u32], length: &Range<usize>) -> Result<Vec<u32>> {
        let model = AtLeast {
            t5: &self.t5,
            least: length.start,
        };
        let limits = Limits {
            end: self.t5.end,
            max_length: length.end.saturating_sub(1),
        };
        let (start, first) = ((self.t5.read(ids)?, 0), self.t5.start);
        if self.beams == 1 {
            return Ok(greedy(&model, start, first, &limits)?.tokens);
        }
        let config = BeamConfig {
            width: self.beams,
            length_penalty: 1.0,
            limits,
        };
        let found = beam(&model, start, first, &config)?;
        let best = found.into_iter().next();
        Ok(best.map_or_else(Vec::new, |decoded| decoded.tokens))
    }

    /// The summary of a text that can be read at once: no longer than the text, whatever is asked for.
    fn brief(&self, text: &str, length: &Range<usize>) -> Result<String> {
        let own = encode(&self.tokenizer, text, false)?.len().max(1);
        let length = length.start.min(own)..length.end.min(own + 1);
        let ids = self.tokens(&format!("{}{text}", self.prefix))?;
        let answer = self.answer(&ids, &length)?;
        let text = self.tokenizer.decode(&answer, true);
        let text = text.map_err(|error| Error::Argument(format!("{}: {error}", self.name)))?;
        Ok(text.trim().to_owned())
    }
}

impl Summarize for Pretrained {
    fn engine(&self) -> String {
        format!("pretrained ({})", self.name)
    }

    fn unit(&self) -> Unit {
        Unit::Tokens
    }

    fn summarize(&self, text: &str, length: Range<usize>) -> Result<String> {
        check_request(text, &length)?;
        let count =
            |text: &str| -> Result<usize> { Ok(encode(&self.tokenizer, text, false)?.len()) };
        summarize_in_parts(text, self.limit, length, count, |part, length| {
            self.brief(part, &length)
        })
    }
}

fn encode(tokenizer: &Tokenizer, text: &str, special: bool) -> Result<Vec<u32>> {
    let encoding = tokenizer.encode_fast(text, special);
    let encoding = encoding.map_err(|error| Error::Argument(format!("text: {error}")))?;
    Ok(encoding.get_ids().to_vec())
}

/// A T5 that does not end before its answer has so many tokens.
struct AtLeast<'a> {
    t5: &'a T5,
    least: usize,
}

impl StepModel for AtLeast<'_> {
    /// The answer so far, and how many tokens of it were read, the first one that all begin with included.
    type State = (Answer, usize);

    fn next_logits(
        &self,
        states: &[Self::State],
        tokens: &[u32],
    ) -> Result<Vec<(Self::State, Vec<f32>)>> {
        let answers: Vec<Answer> = states.iter().map(|(answer, _)| answer.clone()).collect();
        let next = self.t5.next_logits(&answers, tokens)?;
        let next = next.into_iter().zip(states);
        let next = next.map(|((answer, mut logits), (_, read))| {
            let end = logits.get_mut(self.t5.end as usize);
            if let Some(end) = end.filter(|_| *read < self.least) {
                *end = f32::NEG_INFINITY;
            }
            ((answer, read + 1), logits)
        });
        Ok(next.collect())
    }
}
