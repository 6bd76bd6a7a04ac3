//! How much of people's subject lines a summariser finds.

use std::ops::Range;

use super::Summarizer;
use crate::{
    Error, Result,
    data::Email,
    metrics::{Rouge, RougeConfig},
    text::words,
};

/// How long a subject may be unless told otherwise, in the engine's units.
pub const SUBJECT_LENGTH: Range<usize> = 1..13;

/// The mean ROUGE of an engine's subjects for these e-mails, each of the given length; of several subjects that people wrote the best one counts.
///
/// An e-mail without words, or in a script that the engine does not know, gets no subject. Fails when there is no e-mail, or the engine cannot write such a length.
///
/// ```
/// use kindling::{data::Emails, pipeline::{SUBJECT_LENGTH, rouge_of_subjects, summarizer}};
/// let emails = Emails::builtin(0, 0, 20, 0)?;
/// let rouge = rouge_of_subjects(&summarizer("lead")?, &emails.test, SUBJECT_LENGTH)?;
/// assert!(rouge.rouge1.f1 > 0.0 && rouge.rouge1.f1 < 1.0);
/// # Ok::<(), kindling::Error>(())
/// ```
pub fn rouge_of_subjects(
    engine: &Summarizer,
    emails: &[Email],
    length: Range<usize>,
) -> Result<Rouge> {
    let subjects = emails.iter().map(|email| {
        // Some bodies are only a line of dashes: no words have no summary.
        if words(&email.body).is_empty() {
            return Ok(String::new());
        }
        match engine.summarize(&email.body, length.clone()) {
            Err(Error::Text(_)) => Ok(String::new()),
            summary => summary,
        }
    });
    let subjects: Vec<String> = subjects.collect::<Result<_>>()?;
    let references: Vec<Vec<&str>> = emails.iter().map(Email::subjects).collect();
    RougeConfig::default().mean(&subjects, &references)
}
