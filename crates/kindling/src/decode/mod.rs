//! From a model that knows the next token to a whole sequence: the likeliest at each step ([`greedy`]), the likeliest of many
//! ([`beam`]), or one drawn at random ([`sample`]).

mod beam;
mod greedy;
mod sample;

pub use beam::{BeamConfig, beam};
pub use greedy::greedy;
pub use sample::{SampleConfig, sample};

use crate::{Error, Result};

/// A model that can say what may come next.
pub trait StepModel {
    /// What it remembers of a sequence so far: a recurrent state, a cache, or the tokens themselves.
    type State: Clone;

    /// Reads one more token of each of some sequences: their states after it, and the logits `(vocabulary)` of what comes next.
    ///
    /// There are as many states as tokens, and all of them can be read at once.
    fn next_logits(
        &self,
        states: &[Self::State],
        tokens: &[u32],
    ) -> Result<Vec<(Self::State, Vec<f32>)>>;
}

/// When a sequence ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The token that ends a sequence.
    pub end: u32,
    /// The most tokens a sequence may have, the one that ends it included.
    pub max_length: usize,
}

/// A sequence that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// Its tokens, without the one that it began with and without the one that ends it.
    pub tokens: Vec<u32>,
    /// The natural logarithm of its probability, the end included where it came.
    pub log_probability: f64,
    /// Whether it came to its end, or was cut at the greatest length.
    pub finished: bool,
}

/// The state and logits of one sequence.
fn next_of_one<M: StepModel + ?Sized>(
    model: &M,
    state: M::State,
    token: u32,
) -> Result<(M::State, Vec<f32>)> {
    let next = model.next_logits(&[state], &[token])?.pop();
    next.ok_or_else(|| counted(1, 0))
}

/// The error of a model that does not answer for each sequence.
fn counted(expected: usize, found: usize) -> Error {
    Error::Argument(format!(
        "next_logits: expected an answer for each of {expected} sequences, found {found}"
    ))
}

/// The natural logarithms of the probabilities that these logits stand for, −∞ where one is zero.
///
/// Fails where no token is possible or a logit is not a number.
fn log_probabilities(logits: &[f32]) -> Result<Vec<f64>> {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if !highest.is_finite() || logits.iter().any(|logit| logit.is_nan()) {
        let problem = format!("expected a possible next token, found the logits {logits:?}");
        return Err(Error::Argument(problem));
    }
    let (logits, highest) = (logits.iter().copied().map(f64::from), f64::from(highest));
    let total: f64 = logits.clone().map(|logit| (logit - highest).exp()).sum();
    let log_total = highest + total.ln();
    Ok(logits.map(|logit| logit - log_total).collect())
}

/// Fails when a sequence could not have a single token.
fn check_length(limits: &Limits) -> Result<()> {
    match limits.max_length {
        0 => Err(Error::Argument(
            "max_length: expected at least 1, found 0".to_owned(),
        )),
        _ => Ok(()),
    }
}
