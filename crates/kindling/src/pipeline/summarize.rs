//! One way to ask for a summary, whatever writes it.

use std::{
    fmt::{self, Debug, Display},
    ops::Range,
};

use super::{Abstractive, Extractive, Lead};
use crate::{Error, Result, text::words};

/// Anything that says in fewer words what a text says.
pub trait Summarize: Debug {
    /// What it is, such as `extractive (TF-IDF)`.
    fn engine(&self) -> String;

    /// What its limits count.
    fn unit(&self) -> Unit;

    /// A summary of at least `length.start` and fewer than `length.end` units, where the text has so many.
    ///
    /// Nothing is left to chance: the same text has the same summary. Fails when the limits are empty or the text has no word.
    fn summarize(&self, text: &str, length: Range<usize>) -> Result<String>;
}

/// What the length of a summary is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Words, as [`words`] finds them; in Chinese, characters.
    Words,
    /// The tokens of a model, which are words or parts of words.
    Tokens,
}

impl Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Words => "words",
            Self::Tokens => "tokens",
        })
    }
}

/// An engine that can be kept in a variable, whichever it is.
///
/// ```
/// use kindling::pipeline::summarizer;
/// let text = "The river rose during the night. By morning the river stood in the cellars. The cellars were dry by noon.";
/// let summarizer = summarizer("extractive")?;
/// assert_eq!(summarizer.summarize(text, 5..9)?, "By morning the river stood in the cellars.");
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug)]
pub struct Summarizer {
    engine: Box<dyn Summarize>,
}

impl Summarizer {
    /// With an engine of your choice.
    #[must_use]
    pub fn new(engine: impl Summarize + 'static) -> Self {
        Self {
            engine: Box::new(engine),
        }
    }

    /// What writes the summaries, such as `extractive (TF-IDF)`.
    #[must_use]
    pub fn engine(&self) -> String {
        self.engine.engine()
    }

    /// What the limits count.
    #[must_use]
    pub fn unit(&self) -> Unit {
        self.engine.unit()
    }

    /// A summary of at least `length.start` and fewer than `length.end` units, where the text has so many.
    pub fn summarize(&self, text: &str, length: Range<usize>) -> Result<String> {
        self.engine.summarize(text, length)
    }
}

/// The engine of this name: `extractive`, which picks sentences that resemble many others, `lead`, which takes the first ones, or
/// `abstractive`, which writes a subject line with the course's own weights.
///
/// Pretrained ones come with the crate `kindling-pretrained`.
pub fn summarizer(engine: &str) -> Result<Summarizer> {
    match engine {
        "extractive" => Ok(Summarizer::new(Extractive::new())),
        "lead" => Ok(Summarizer::new(Lead)),
        "abstractive" => Ok(Summarizer::new(Abstractive::find()?)),
        _ => Err(Error::Argument(format!(
            "there is no summarizer `{engine}` here; there are: extractive, lead, abstractive, and more in kindling-pretrained"
        ))),
    }
}

/// Fails when no summary can have such a length, or the text says nothing.
pub fn check_request(text: &str, length: &Range<usize>) -> Result<()> {
    if length.start >= length.end || length.end < 2 {
        return Err(Error::Argument(format!(
            "length: expected limits such as 30..130, found {length:?}"
        )));
    }
    if words(text).is_empty() {
        return Err(Error::Argument(
            "text: expected at least one word, found none".to_owned(),
        ));
    }
    Ok(())
}
