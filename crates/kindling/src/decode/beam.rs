//! Beam search: several beginnings are kept, so that the best one may turn out later.

use std::cmp::Ordering;

use super::{Decoded, Limits, StepModel, check_length, counted, log_probabilities};
use crate::{Error, Result};

/// How [`beam`] searches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BeamConfig {
    /// How many sequences are kept; 1 is [`greedy`](super::greedy).
    pub width: usize,
    /// How much longer sequences are favoured, α; 0 compares plain probabilities, which favour short ones.
    pub length_penalty: f64,
    /// When a sequence ends.
    pub limits: Limits,
}

impl BeamConfig {
    /// The number that sequences are compared by: `log P / ((5 + length) / 6)^α`, the end counted in `length`
    /// (Wu et al., 2016, equation 14).
    #[must_use]
    pub fn score(&self, decoded: &Decoded) -> f64 {
        let length = decoded.tokens.len() + usize::from(decoded.finished);
        decoded.log_probability / ((5.0 + length as f64) / 6.0).powf(self.length_penalty)
    }

    fn check(&self) -> Result<()> {
        check_length(&self.limits)?;
        if self.width == 0 {
            return Err(Error::Argument(
                "width: expected at least 1, found 0".to_owned(),
            ));
        }
        if !(self.length_penalty.is_finite() && self.length_penalty >= 0.0) {
            return Err(Error::Argument(format!(
                "length_penalty: expected zero or a positive number, found {}",
                self.length_penalty
            )));
        }
        Ok(())
    }
}

/// The sequences that a search of this width ends with, each once, the best first; those that came to their end before all others.
///
/// At each step every open sequence is continued by every token, and the likeliest of all these are kept. One that ends
/// keeps its place in the beam and waits there; the search is over when no place is left.
pub fn beam<M: StepModel + ?Sized>(
    model: &M,
    start: M::State,
    first: u32,
    config: &BeamConfig,
) -> Result<Vec<Decoded>> {
    config.check()?;
    let mut done: Vec<Decoded> = Vec::new();
    let mut open = vec![Open {
        state: start,
        last: first,
        tokens: Vec::new(),
        log_probability: 0.0,
    }];
    for _ in 0..config.limits.max_length {
        let places = config.width - done.len();
        if places == 0 || open.is_empty() {
            break;
        }
        let (states, choices) = expand(model, &open)?;
        let mut next = Vec::new();
        for choice in choices.into_iter().take(places) {
            let parent = &open[choice.parent];
            let mut tokens = parent.tokens.clone();
            if choice.token == config.limits.end {
                done.push(Decoded {
                    tokens,
                    log_probability: choice.log_probability,
                    finished: true,
                });
                continue;
            }
            tokens.push(choice.token);
            next.push(Open {
                state: states[choice.parent].clone(),
                last: choice.token,
                tokens,
                log_probability: choice.log_probability,
            });
        }
        open = next;
    }
    let places = config.width - done.len();
    let cut = open.into_iter().take(places).map(|open| Decoded {
        tokens: open.tokens,
        log_probability: open.log_probability,
        finished: false,
    });
    done.extend(cut);
    done.sort_by(|a, b| {
        let ended = b.finished.cmp(&a.finished);
        ended.then_with(|| higher_first(config.score(a), config.score(b)))
    });
    Ok(done)
}

/// A sequence that may go on.
struct Open<State> {
    state: State,
    last: u32,
    tokens: Vec<u32>,
    log_probability: f64,
}

/// A sequence and a token that could be its next.
struct Choice {
    parent: usize,
    token: u32,
    log_probability: f64,
}

/// The states after the last tokens, and every possible continuation, the likeliest first.
fn expand<M: StepModel + ?Sized>(
    model: &M,
    open: &[Open<M::State>],
) -> Result<(Vec<M::State>, Vec<Choice>)> {
    let states: Vec<M::State> = open.iter().map(|open| open.state.clone()).collect();
    let tokens: Vec<u32> = open.iter().map(|open| open.last).collect();
    let answers = model.next_logits(&states, &tokens)?;
    if answers.len() != open.len() {
        return Err(counted(open.len(), answers.len()));
    }
    let (mut states, mut choices) = (Vec::new(), Vec::new());
    for (parent, (open, (state, logits))) in open.iter().zip(answers).enumerate() {
        states.push(state);
        for (token, log_probability) in (0..).zip(log_probabilities(&logits)?) {
            if log_probability > f64::NEG_INFINITY {
                choices.push(Choice {
                    parent,
                    token,
                    log_probability: open.log_probability + log_probability,
                });
            }
        }
    }
    // Stable: equals stay in the order of their parents and then of their tokens.
    choices.sort_by(|a, b| higher_first(a.log_probability, b.log_probability));
    Ok((states, choices))
}

fn higher_first(a: f64, b: f64) -> Ordering {
    b.total_cmp(&a)
}
