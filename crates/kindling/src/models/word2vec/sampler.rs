//! From text to training examples: thinned out, each word with the window around it.

use std::ops::Range;

use super::{
    Word2VecConfig,
    negatives::Negatives,
    vocabulary::{Text, Vocabulary},
};
use crate::data::Random;

/// All that decides which examples a chunk of the text gives.
#[derive(Debug)]
pub(super) struct Sampler {
    pub(super) text: Text,
    pub(super) config: Word2VecConfig,
    negatives: Negatives,
    keep: Vec<f64>,
}

/// One word with its surroundings.
pub(super) struct Window<'a> {
    /// The words of the sentence that were kept.
    pub(super) sentence: &'a [u32],
    /// Where the word in the middle is.
    pub(super) centre: usize,
    /// From the first to the last word of the window.
    pub(super) reach: Range<usize>,
}

impl Window<'_> {
    /// The word in the middle.
    pub(super) fn word(&self) -> u32 {
        self.sentence[self.centre]
    }

    /// The words around it.
    pub(super) fn contexts(&self) -> impl Iterator<Item = u32> {
        let places = self.reach.clone().filter(|place| *place != self.centre);
        places.map(|place| self.sentence[place])
    }
}

impl Sampler {
    pub(super) fn new(text: Text, vocabulary: &Vocabulary, config: Word2VecConfig) -> Self {
        Self {
            text,
            negatives: Negatives::new(&vocabulary.counts),
            keep: vocabulary.keep(config.subsample),
            config,
        }
    }

    /// Goes through a chunk of an epoch, word by word. Frequent words are left out at random, and each window reaches a
    /// random number of words, from 1 to the configured one, so that near words count more than distant ones.
    pub(super) fn windows(
        &self,
        epoch: usize,
        chunk: usize,
        mut visit: impl FnMut(&Window, &mut Random),
    ) {
        let mut random = Random::for_step(self.config.seed, epoch as u64, chunk as u64);
        let mut kept = Vec::new();
        for sentence in self.text.sentences(chunk) {
            kept.clear();
            for &word in sentence {
                let keep = self.keep[word as usize];
                if keep >= 1.0 || random.next_f64() < keep {
                    kept.push(word);
                }
            }
            for centre in 0..kept.len() {
                let radius = 1 + random.below(self.config.window);
                let window = Window {
                    sentence: &kept,
                    centre,
                    reach: centre.saturating_sub(radius)..kept.len().min(centre + radius + 1),
                };
                visit(&window, &mut random);
            }
        }
    }

    /// The negatives for one positive word. A draw that is this word itself counts, but gives nothing, as in `word2vec.c`.
    #[inline]
    pub(super) fn negatives(&self, positive: u32, random: &mut Random, mut visit: impl FnMut(u32)) {
        for _ in 0..self.config.negatives {
            let negative = self.negatives.draw(random);
            if negative != positive {
                visit(negative);
            }
        }
    }

    /// The learning rate for a chunk: it falls in a straight line with the words that are behind, to a ten-thousandth.
    pub(super) fn rate(&self, epoch: usize, chunk: usize) -> f32 {
        let all = self.text.len() * self.config.epochs;
        let behind = self.text.len() * (epoch - 1) + self.text.words_before(chunk);
        let left = 1.0 - behind as f64 / all as f64;
        (self.config.learning_rate * left.max(1e-4)) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampler(config: Word2VecConfig) -> Sampler {
        let sentence: Vec<String> = (0..300).map(|word| format!("w{}", word % 30)).collect();
        let sentences = vec![sentence; 4];
        let vocabulary = Vocabulary::count(&sentences, 1).unwrap();
        let text = Text::new(&sentences, &vocabulary, 300);
        Sampler::new(text, &vocabulary, config)
    }

    #[test]
    fn windows_reach_every_distance_equally_often_and_stay_inside() {
        let config = Word2VecConfig {
            window: 3,
            subsample: 0.0,
            ..Word2VecConfig::default()
        };
        let mut reached = [0_u32; 3];
        for epoch in 1..=50 {
            sampler(config).windows(epoch, 2, |window, _| {
                assert!(window.reach.contains(&window.centre) && window.reach.end <= 300);
                assert_eq!(window.contexts().count(), window.reach.len() - 1);
                if (3..297).contains(&window.centre) {
                    reached[window.centre - window.reach.start - 1] += 1;
                }
            });
        }
        let visited = 50 * 294;
        assert_eq!(reached.iter().sum::<u32>(), visited);
        for count in reached {
            assert!(count.abs_diff(visited / 3) < 300, "{reached:?}");
        }
    }

    #[test]
    fn the_rate_falls_in_a_straight_line() {
        let config = Word2VecConfig {
            epochs: 5,
            learning_rate: 0.1,
            ..Word2VecConfig::default()
        };
        let sampler = sampler(config);
        assert_eq!(sampler.rate(1, 0), 0.1);
        assert!((sampler.rate(3, 2) - 0.05).abs() < 1e-7);
        assert!((sampler.rate(5, 3) - 0.005).abs() < 1e-7);
        assert!((sampler.rate(6, 0) - 1e-5).abs() < 1e-9, "never less");
    }

    #[test]
    fn a_chunk_gives_the_same_examples_whenever_it_is_asked() {
        let sampler = sampler(Word2VecConfig::default());
        let draw = |epoch| {
            let mut all = Vec::new();
            sampler.windows(epoch, 1, |window, random| {
                all.extend(window.contexts());
                sampler.negatives(window.word(), random, |word| all.push(word));
            });
            all
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
