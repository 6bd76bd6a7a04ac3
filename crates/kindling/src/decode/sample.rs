//! Tokens drawn at random, by the model's own probabilities or by bolder or safer ones.

use super::{Decoded, Limits, StepModel, check_length, log_probabilities, next_of_one};
use crate::{Error, Result, data::Random};

/// How [`sample`] draws.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SampleConfig {
    /// What logits are divided by: below 1 likely tokens become likelier, above 1 all become more alike.
    pub temperature: f64,
    /// Only the so many likeliest tokens may come (Fan, Lewis and Dauphin, 2018).
    pub top_k: Option<usize>,
    /// Only the fewest likeliest tokens that together have at least this probability may come (Holtzman et al., 2020).
    pub top_p: Option<f64>,
    /// When a sequence ends.
    pub limits: Limits,
}

impl SampleConfig {
    /// The model's own probabilities.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            temperature: 1.0,
            top_k: None,
            top_p: None,
            limits,
        }
    }

    /// The tokens that may come and their probabilities, the likeliest first, for these logits `(vocabulary)`.
    pub fn probabilities(&self, logits: &[f32]) -> Result<Vec<(u32, f64)>> {
        self.check()?;
        let own = log_probabilities(logits)?;
        let highest = own.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let powers = own
            .iter()
            .map(|log| ((log - highest) / self.temperature).exp());
        let mut tokens: Vec<(u32, f64)> = (0..).zip(powers).filter(|token| token.1 > 0.0).collect();
        tokens.sort_by(|a, b| b.1.total_cmp(&a.1)); // stable: of equals the smaller number comes first
        if let Some(count) = self.top_k {
            tokens.truncate(count);
        }
        normalise(&mut tokens);
        if let Some(share) = self.top_p {
            let mut before = 0.0;
            let needed = tokens.iter().take_while(|token| {
                let needed = before < share;
                before += token.1;
                needed
            });
            let count = needed.count();
            tokens.truncate(count);
            normalise(&mut tokens);
        }
        Ok(tokens)
    }

    fn check(&self) -> Result<()> {
        check_length(&self.limits)?;
        let problem = match *self {
            Self { temperature, .. } if !(temperature.is_finite() && temperature > 0.0) => {
                format!("temperature: expected a positive number, found {temperature}")
            }
            Self { top_k: Some(0), .. } => "top_k: expected at least 1, found 0".to_owned(),
            Self {
                top_p: Some(share), ..
            } if !(share > 0.0 && share <= 1.0) => {
                format!("top_p: expected a number above 0, up to 1, found {share}")
            }
            _ => return Ok(()),
        };
        Err(Error::Argument(problem))
    }
}

/// Draws one token after the other; the same `random` gives the same sequence.
///
/// The log-probability of the result is the model's own, whatever changed the chances.
pub fn sample<M: StepModel + ?Sized>(
    model: &M,
    start: M::State,
    first: u32,
    config: &SampleConfig,
    random: &mut Random,
) -> Result<Decoded> {
    config.check()?;
    let (mut state, mut token) = (start, first);
    let mut decoded = Decoded {
        tokens: Vec::new(),
        log_probability: 0.0,
        finished: false,
    };
    for _ in 0..config.limits.max_length {
        let (next, logits) = next_of_one(model, state, token)?;
        let drawn = draw(&config.probabilities(&logits)?, random);
        decoded.log_probability += log_probabilities(&logits)?[drawn as usize];
        if drawn == config.limits.end {
            decoded.finished = true;
            break;
        }
        decoded.tokens.push(drawn);
        (state, token) = (next, drawn);
    }
    Ok(decoded)
}

fn draw(tokens: &[(u32, f64)], random: &mut Random) -> u32 {
    let mut left = random.next_f64();
    let drawn = tokens.iter().find(|(_, probability)| {
        left -= probability;
        left < 0.0
    });
    // Rounding may leave a little: it belongs to the last. There is always one, as the largest power is 1.
    drawn.or(tokens.last()).map_or(0, |(token, _)| *token)
}

fn normalise(tokens: &mut [(u32, f64)]) {
    let total: f64 = tokens.iter().map(|(_, power)| power).sum();
    for (_, power) in tokens {
        *power /= total;
    }
}
