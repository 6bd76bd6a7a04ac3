//! The words of a text: counted, numbered from the most frequent to the rarest, and the text written in these numbers.

use std::{cmp::Reverse, collections::HashMap, ops::Range};

use rayon::prelude::*;

use crate::{Error, Result};

/// Longer sentences are cut, as `word2vec.c` does, so that a text without line breaks is no single piece of work.
const LONGEST: usize = 1_000;

/// Which words are known, and how often each occurs.
#[derive(Debug, Clone)]
pub(super) struct Vocabulary {
    pub(super) words: Vec<String>,
    pub(super) counts: Vec<u64>,
    index: HashMap<String, u32>,
}

impl Vocabulary {
    /// Counts the words; those that occur less than `minimum` times are left out.
    pub(super) fn count(sentences: &[Vec<String>], minimum: usize) -> Result<Self> {
        let parts = sentences.par_iter().fold(HashMap::new, |counts, sentence| {
            sum(counts, sentence.iter().map(|word| (word.as_str(), 1)))
        });
        let counts = parts.reduce(HashMap::new, sum);
        let different = counts.len();
        let mut kept: Vec<(&str, u64)> = counts.into_iter().collect();
        kept.retain(|(_, count)| *count >= minimum as u64);
        // Words as frequent as each other go by the alphabet: a hash map's own order differs from run to run.
        kept.sort_unstable_by_key(|(word, count)| (Reverse(*count), *word));
        if kept.len() < 2 {
            return Err(Error::Argument(format!(
                "word2vec: expected at least two different words that occur {minimum} times or more, found {} among {different} different words; give more text or a smaller minimum_count",
                kept.len()
            )));
        }
        let words: Vec<String> = kept.iter().map(|(word, _)| (*word).to_owned()).collect();
        Ok(Self {
            index: index(&words),
            words,
            counts: kept.iter().map(|(_, count)| *count).collect(),
        })
    }

    /// How likely an occurrence of each word is kept when frequent words are thinned out (2013b, equation 5).
    ///
    /// With the frequency `f` and the threshold `t` this is `√(t/f) + t/f`, at most 1: the equation as `word2vec.c` computes it.
    pub(super) fn keep(&self, threshold: f64) -> Vec<f64> {
        let total: u64 = self.counts.iter().sum();
        let keep = |count: &u64| {
            let ratio = threshold * total as f64 / *count as f64;
            (ratio.sqrt() + ratio).min(1.0)
        };
        match threshold {
            0.0 => vec![1.0; self.counts.len()],
            _ => self.counts.iter().map(keep).collect(),
        }
    }
}

/// Adds more counts.
fn sum<'a>(
    mut counts: HashMap<&'a str, u64>,
    others: impl IntoIterator<Item = (&'a str, u64)>,
) -> HashMap<&'a str, u64> {
    for (word, count) in others {
        *counts.entry(word).or_default() += count;
    }
    counts
}

/// From each word to its place in the list.
pub(super) fn index(words: &[String]) -> HashMap<String, u32> {
    let numbered = words.iter().zip(0..);
    numbered
        .map(|(word, number)| (word.clone(), number))
        .collect()
}

/// A text in the numbers of its words, cut into chunks of whole sentences.
#[derive(Debug, Clone, Default)]
pub(super) struct Text {
    words: Vec<u32>,
    /// Where each sentence lies in `words`.
    sentences: Vec<Range<usize>>,
    /// Where each chunk lies in `sentences`.
    chunks: Vec<Range<usize>>,
}

impl Text {
    /// Writes the sentences in numbers, without the unknown words; a chunk is complete with `chunk` words.
    pub(super) fn new(sentences: &[Vec<String>], vocabulary: &Vocabulary, chunk: usize) -> Self {
        let known = sentences.par_iter().map(|sentence| -> Vec<u32> {
            let known = sentence.iter().map(|word| vocabulary.index.get(word));
            known.flatten().copied().collect()
        });
        let mut text = Self::default();
        for sentence in known.collect::<Vec<_>>() {
            let start = text.words.len();
            text.words.extend(sentence);
            let mut rest = start..text.words.len();
            while !rest.is_empty() {
                let end = rest.end.min(rest.start + LONGEST);
                text.sentences.push(rest.start..end);
                rest.start = end;
            }
        }
        let mut first = 0;
        for last in 0..text.sentences.len() {
            let words = text.sentences[last].end - text.sentences[first].start;
            if words >= chunk || last + 1 == text.sentences.len() {
                text.chunks.push(first..last + 1);
                first = last + 1;
            }
        }
        text
    }

    /// How many words the text has.
    pub(super) fn len(&self) -> usize {
        self.words.len()
    }

    /// How many chunks there are.
    pub(super) fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// The sentences of a chunk.
    pub(super) fn sentences(&self, chunk: usize) -> impl Iterator<Item = &[u32]> {
        let sentences = self.sentences[self.chunks[chunk].clone()].iter();
        sentences.map(|place| &self.words[place.clone()])
    }

    /// How many words lie before this chunk; for the number of chunks, all of them.
    pub(super) fn words_before(&self, chunk: usize) -> usize {
        let first = self.chunks.get(chunk);
        first.map_or(self.words.len(), |chunk| self.sentences[chunk.start].start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentences(text: &str) -> Vec<Vec<String>> {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect();
        text.lines().map(words).collect()
    }

    #[test]
    fn words_are_numbered_by_frequency_and_then_by_the_alphabet() {
        let text = sentences("b a c a\nb a d");
        let vocabulary = Vocabulary::count(&text, 1).unwrap();
        assert_eq!(vocabulary.words, ["a", "b", "c", "d"]);
        assert_eq!(vocabulary.counts, [3, 2, 1, 1]);
        let frequent = Vocabulary::count(&text, 2).unwrap();
        let text = Text::new(&text, &frequent, 2);
        assert_eq!(text.words, [1, 0, 0, 1, 0]);
        assert_eq!(text.chunks, [0..1, 1..2]);
        assert_eq!(text.sentences(1).collect::<Vec<_>>(), [&[1, 0]]);
        assert_eq!([0, 1, 2].map(|chunk| text.words_before(chunk)), [0, 3, 5]);
        let error = Vocabulary::count(&sentences("a a b"), 2).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("2 times or more, found 1 among 2"),
            "{error}"
        );
    }

    #[test]
    fn long_sentences_are_cut() {
        let text = vec![vec!["a".to_owned(); 2_500], vec!["b".to_owned()], vec![]];
        let vocabulary = Vocabulary::count(&text, 1).unwrap();
        let text = Text::new(&text, &vocabulary, 1_000);
        let lengths: Vec<usize> = text.sentences.iter().map(Range::len).collect();
        assert_eq!(lengths, [1_000, 1_000, 500, 1]);
        assert_eq!((text.len(), text.chunks()), (2_501, 3));
    }

    #[test]
    fn frequent_words_are_thinned_out_as_word2vec_c_does() {
        let text = vec![[vec!["the"; 90], vec!["cat"; 10]].concat()];
        let text: Vec<Vec<String>> = text
            .into_iter()
            .map(|words| words.into_iter().map(str::to_owned).collect())
            .collect();
        let vocabulary = Vocabulary::count(&text, 1).unwrap();
        let keep = vocabulary.keep(0.01);
        // (sqrt(count / (sample * total)) + 1) * (sample * total) / count, with the C program's own brackets.
        let (sample, total) = (0.01_f64, 100.0);
        let expected =
            |count: f64| ((count / (sample * total)).sqrt() + 1.0) * (sample * total) / count;
        assert!((keep[0] - expected(90.0)).abs() < 1e-12);
        assert!((keep[1] - expected(10.0)).abs() < 1e-12);
        assert_eq!(vocabulary.keep(1.0), [1.0; 2]);
        assert_eq!(vocabulary.keep(0.0), [1.0; 2], "0 keeps everything");
    }
}
