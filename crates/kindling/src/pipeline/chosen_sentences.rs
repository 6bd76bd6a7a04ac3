//! Which sentences make a summary of the asked length, and how they are written down.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use super::joined::joined;
use crate::text::words;

/// Sentences by their places, and how much is used of each.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ChosenSentences {
    /// Places and numbers of words, in the order of the text; no number where the whole sentence is used.
    chosen: Vec<(usize, Option<usize>)>,
}

impl ChosenSentences {
    /// Takes sentences in this order until there are enough words, passing over what would be too much.
    pub(super) fn choose(sentences: &[&str], order: &[usize], length: &Range<usize>) -> Self {
        let (least, most) = (length.start.max(1), length.end - 1);
        let mut total = 0;
        let mut chosen = Vec::new();
        let mut passed_over = None;
        for &place in order {
            if total >= least {
                break;
            }
            let count = words(sentences[place]).len();
            if total + count <= most {
                total += count;
                chosen.push((place, None));
            } else if passed_over.is_none() {
                passed_over = Some(place);
            }
        }
        // Whole sentences were not enough: the best that did not fit gives its beginning.
        if let Some(place) = passed_over.filter(|_| total < least && total < most) {
            chosen.push((place, Some(most - total)));
        }
        chosen.sort_unstable();
        Self { chosen }
    }

    /// The summary.
    pub(super) fn text(&self, sentences: &[&str]) -> String {
        let used = self.chosen.iter().map(|(place, count)| {
            let sentence = sentences[*place];
            // White space and line ends inside a sentence become single spaces.
            match count {
                None => joined(sentence.split_whitespace()),
                Some(count) => joined(beginning(sentence, *count).split_whitespace()) + "…",
            }
        });
        joined(used.collect::<Vec<String>>().iter().map(String::as_str))
    }
}

/// The first so many words of a sentence, and what stands between them.
fn beginning(sentence: &str, count: usize) -> &str {
    let mut words = sentence.unicode_word_indices();
    let last = count.checked_sub(1).and_then(|last| words.nth(last));
    last.map_or("", |(start, word)| &sentence[..start + word.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(lengths: &[usize], order: &[usize], length: Range<usize>) -> String {
        let sentences: Vec<String> = lengths
            .iter()
            .map(|count| vec!["w"; *count].join(" "))
            .collect();
        let sentences: Vec<&str> = sentences.iter().map(String::as_str).collect();
        let found = ChosenSentences::choose(&sentences, order, &length);
        let places = found.chosen.iter().map(|(place, count)| match count {
            None => format!("{place}"),
            Some(count) => format!("{place}/{count}"),
        });
        places.collect::<Vec<String>>().join(" ")
    }

    #[test]
    fn enough_and_not_too_much() {
        let lengths = [4, 9, 3, 5];
        assert_eq!(chosen(&lengths, &[1, 0, 3, 2], 1..100), "1");
        assert_eq!(chosen(&lengths, &[1, 0, 3, 2], 10..100), "0 1");
        assert_eq!(
            chosen(&lengths, &[1, 0, 3, 2], 8..9),
            "0 1/1 2",
            "7 words fit"
        );
        assert_eq!(chosen(&lengths, &[1, 2, 0, 3], 5..9), "0 2");
        assert_eq!(
            chosen(&lengths, &[0, 1, 2, 3], 6..8),
            "0 2",
            "7 words; the second is passed over"
        );
        assert_eq!(chosen(&lengths, &[0, 1, 2, 3], 12..13), "0 2 3");
        assert_eq!(
            chosen(&lengths, &[3, 1, 2, 0], 11..12),
            "1/3 2 3",
            "8 words fit, the best that did not is cut"
        );
        assert_eq!(
            chosen(&lengths, &[0, 1, 2, 3], 50..60),
            "0 1 2 3",
            "the text is shorter"
        );
        assert_eq!(chosen(&lengths, &[1], 0..2), "1/1", "nothing is no summary");
    }

    #[test]
    fn a_cut_sentence_ends_behind_a_word() {
        assert_eq!(beginning("One, two; three.", 2), "One, two");
        assert_eq!(beginning("我爱读书。", 3), "我爱读");
        assert_eq!((beginning("One", 0), beginning("One", 5)), ("", ""));
        let one = ChosenSentences {
            chosen: vec![(0, Some(2))],
        };
        assert_eq!(one.text(&["One,\n  two three."]), "One, two…");
    }
}
