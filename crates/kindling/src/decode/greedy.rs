//! The likeliest token, again and again.

use super::{Decoded, Limits, StepModel, check_length, log_probabilities, next_of_one};
use crate::Result;

/// Takes the likeliest next token at each step, the smaller number of equals.
///
/// Quick, and not always the likeliest sequence: a good beginning can lead nowhere.
pub fn greedy<M: StepModel + ?Sized>(
    model: &M,
    start: M::State,
    first: u32,
    limits: &Limits,
) -> Result<Decoded> {
    check_length(limits)?;
    let (mut state, mut token) = (start, first);
    let mut decoded = Decoded {
        tokens: Vec::new(),
        log_probability: 0.0,
        finished: false,
    };
    for _ in 0..limits.max_length {
        let (next, logits) = next_of_one(model, state, token)?;
        let (best, log_probability) = likeliest(&log_probabilities(&logits)?);
        decoded.log_probability += log_probability;
        if best == limits.end {
            decoded.finished = true;
            break;
        }
        decoded.tokens.push(best);
        (state, token) = (next, best);
    }
    Ok(decoded)
}

fn likeliest(log_probabilities: &[f64]) -> (u32, f64) {
    let start = (0, f64::NEG_INFINITY);
    let tokens = (0..).zip(log_probabilities.iter().copied());
    tokens.fold(
        start,
        |best, token| if token.1 > best.1 { token } else { best },
    )
}
