//! What a summariser must not say next.

use crate::{Result, data::SpecialTokens, decode::StepModel};

/// A model that is kept from ending too early or too late, from saying nothing, and from saying the same three tokens twice
/// (Paulus, Xiong and Socher, 2018, section 2.5).
pub(super) struct Guarded<'a, M> {
    pub(super) model: &'a M,
    pub(super) tokens: SpecialTokens,
    /// Tokens that are no text.
    pub(super) never: &'a [u32],
    /// The fewest tokens before the end, at least 1.
    pub(super) least: usize,
    /// The most.
    pub(super) most: usize,
    /// Tokens of white space alone, with which nothing may begin.
    pub(super) blank: &'a [u32],
}

impl<M: StepModel> Guarded<'_, M> {
    /// Makes impossible what must not follow these tokens.
    fn forbid(&self, said: &[u32], logits: &mut [f32]) {
        let end = self.tokens.end;
        if said.len() >= self.most {
            // It may go no further, whatever it wanted to say.
            for (token, logit) in (0..).zip(&mut *logits) {
                *logit = if token == end { 0.0 } else { f32::NEG_INFINITY };
            }
            return;
        }
        let mut forbid = |token: u32| {
            if let Some(logit) = logits.get_mut(token as usize) {
                *logit = f32::NEG_INFINITY;
            }
        };
        self.never.iter().copied().for_each(&mut forbid);
        if said.len() < self.least {
            forbid(end);
        }
        if said.is_empty() {
            self.blank.iter().copied().for_each(&mut forbid);
        }
        if let [.., a, b] = said {
            let before = said.windows(3).filter(|three| three[..2] == [*a, *b]);
            before.for_each(|three| forbid(three[2]));
        }
    }
}

impl<M: StepModel> StepModel for Guarded<'_, M> {
    /// The model's own, and what was said so far.
    type State = (M::State, Vec<u32>);

    fn next_logits(
        &self,
        states: &[Self::State],
        tokens: &[u32],
    ) -> Result<Vec<(Self::State, Vec<f32>)>> {
        let own: Vec<M::State> = states.iter().map(|(state, _)| state.clone()).collect();
        let next = self.model.next_logits(&own, tokens)?;
        let before = states.iter().zip(tokens);
        let next = next.into_iter().zip(before);
        let next = next.map(|((state, mut logits), ((_, said), token))| {
            let mut said = said.clone();
            if *token != self.tokens.start {
                said.push(*token);
            }
            self.forbid(&said, &mut logits);
            ((state, said), logits)
        });
        Ok(next.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{BeamConfig, Limits, beam, greedy};

    /// Wants to begin with a space, then says 5 6 7 again and again, and never ends by itself.
    struct Parrot;

    impl StepModel for Parrot {
        type State = ();

        fn next_logits(&self, states: &[()], tokens: &[u32]) -> Result<Vec<((), Vec<f32>)>> {
            let answers = states.iter().zip(tokens).map(|((), token)| {
                let wanted = match token {
                    1 => 3,
                    5 => 6,
                    6 => 7,
                    _ => 5,
                };
                let mut logits = vec![0.0; 9];
                logits[2] = -9.0;
                logits[5] = 1.0;
                logits[wanted] = 5.0;
                ((), logits)
            });
            Ok(answers.collect())
        }
    }

    fn guarded(least: usize, most: usize) -> Guarded<'static, Parrot> {
        Guarded {
            model: &Parrot,
            tokens: SpecialTokens::FIRST,
            never: &[0, 1],
            least,
            most,
            blank: &[3],
        }
    }

    #[test]
    fn nothing_is_said_three_tokens_long_twice_and_no_answer_is_too_long() {
        let limits = Limits {
            end: 2,
            max_length: 13,
        };
        let start = ((), Vec::new());
        let found = greedy(&guarded(1, 12), start.clone(), 1, &limits).unwrap();
        assert!(found.finished && found.tokens.len() == 12, "{found:?}");
        assert_eq!(found.tokens[..4], [5, 6, 7, 5]);
        let config = BeamConfig {
            width: 3,
            length_penalty: 0.6,
            limits,
        };
        let beams = beam(&guarded(1, 12), start, 1, &config).unwrap();
        for found in beams.iter().chain([&found]) {
            assert!(found.tokens.iter().all(|token| *token > 2), "{found:?}");
            assert_ne!(found.tokens[0], 3);
            let threes: Vec<&[u32]> = found.tokens.windows(3).collect();
            for (place, three) in threes.iter().enumerate() {
                assert!(!threes[..place].contains(three), "{found:?}");
            }
        }
    }

    #[test]
    fn it_does_not_end_before_it_may() {
        let mut logits = vec![0.0; 9];
        guarded(3, 5).forbid(&[5, 6], &mut logits);
        assert_eq!(logits[2], f32::NEG_INFINITY);
        logits = vec![0.0; 9];
        guarded(3, 5).forbid(&[5, 6, 7], &mut logits);
        assert_eq!(logits[2], 0.0);
    }
}
