//! ROUGE: how much of a reference a summary brings back (Lin, 2004), computed as Google's package `rouge-score` does.

use std::{collections::HashMap, ops::AddAssign};

use super::{
    common_subsequence::{length, positions},
    ngrams::{count, matches},
    references::pairs,
    rouge_tokenizer::{tokenize, tokenize_unicode},
};
use crate::Result;

/// How texts are prepared for ROUGE; the defaults are those of `rouge-score`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RougeConfig {
    /// Whether English words of four letters and more lose their endings first (Porter, 1980), as papers on summaries mostly do.
    pub stemmed: bool,
    /// Whether each Han character is a token.
    ///
    /// Without it, as in `rouge-score`, everything but ASCII letters and digits is dropped: a Chinese summary has no tokens, and scores 0.
    pub chinese: bool,
    /// Whether the words of every script are tokens, by Unicode's word boundaries (Unicode Standard Annex 29), and emoji, too.
    ///
    /// This is the setting for all languages but English and Chinese, whose scores others can repeat with `rouge-score`: in it any text
    /// with a word scores 1 against itself, and `über` is not `ber`. Characters of scripts without spaces, such as Han and kana, are
    /// tokens mostly by themselves; `chinese` adds nothing to it. Endings are lost only by words of ASCII letters.
    pub unicode: bool,
}

/// Precision, recall and their harmonic mean, each from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RougeScore {
    /// The share of the prediction that is in the reference.
    pub precision: f64,
    /// The share of the reference that is in the prediction.
    pub recall: f64,
    /// `2 · precision · recall / (precision + recall)`, or 0 where nothing matches.
    pub f1: f64,
}

/// The four ROUGE measures that papers on summaries give.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rouge {
    /// By single tokens.
    pub rouge1: RougeScore,
    /// By pairs of neighbours.
    pub rouge2: RougeScore,
    /// By the longest common subsequence of the whole texts.
    pub rouge_l: RougeScore,
    /// By the longest common subsequences of each sentence of the reference with each of the prediction; sentences end in a line break.
    pub rouge_lsum: RougeScore,
}

/// The mean ROUGE of a set with the default settings of `rouge-score`: predictions `(texts)`, and for each a list of references.
///
/// Of several references the one with the highest F1 counts, for each measure by itself. Fails when there is no text, when the two lists have
/// different lengths, and when a text has no reference. (Lin, 2004.)
///
/// ```
/// use kindling::metrics::rouge;
/// let rouge = rouge(&["The cat sat down."], &[["Yesterday the cat sat on the mat."]])?;
/// assert_eq!((rouge.rouge1.precision, rouge.rouge1.recall), (3.0 / 4.0, 3.0 / 7.0)); // the, cat, sat
/// assert_eq!((rouge.rouge2.precision, rouge.rouge2.recall), (2.0 / 3.0, 2.0 / 6.0)); // the cat, cat sat
/// # Ok::<(), kindling::Error>(())
/// ```
pub fn rouge<P, R, S>(predictions: &[P], references: &[R]) -> Result<Rouge>
where
    P: AsRef<str>,
    R: AsRef<[S]>,
    S: AsRef<str>,
{
    RougeConfig::default().mean(predictions, references)
}

impl RougeConfig {
    /// The mean over a set; see [`rouge`].
    pub fn mean<P, R, S>(&self, predictions: &[P], references: &[R]) -> Result<Rouge>
    where
        P: AsRef<str>,
        R: AsRef<[S]>,
        S: AsRef<str>,
    {
        let mut sum = Rouge::default();
        for (prediction, references) in pairs(predictions, references)? {
            let mut best = Rouge::default();
            for (number, reference) in references.iter().enumerate() {
                let mut rouge = self.score(prediction, reference);
                for (best, score) in best.measures().into_iter().zip(rouge.measures()) {
                    // The first counts in any case, and of equal ones.
                    if number == 0 || score.f1 > best.f1 {
                        *best = *score;
                    }
                }
            }
            for (sum, score) in sum.measures().into_iter().zip(best.measures()) {
                *sum += *score;
            }
        }
        for measure in sum.measures() {
            measure.divide(predictions.len());
        }
        Ok(sum)
    }

    /// ROUGE of one prediction against one reference. An empty text scores 0.
    #[must_use]
    pub fn score(&self, prediction: &str, reference: &str) -> Rouge {
        let tokens = |text: &str| match self.unicode {
            true => tokenize_unicode(text, self.stemmed),
            false => tokenize(text, self.stemmed, self.chinese),
        };
        let sentences = |text: &str| -> Vec<_> { text.split('\n').map(tokens).collect() };
        let (ours, theirs) = (tokens(prediction), tokens(reference));
        let by_ngrams = |order| {
            let shared = matches(&count(&ours, order), &count(&theirs, order));
            let total = |tokens: &[String]| (tokens.len() + 1).saturating_sub(order);
            RougeScore::new(shared, total(&ours), total(&theirs))
        };
        Rouge {
            rouge1: by_ngrams(1),
            rouge2: by_ngrams(2),
            rouge_l: RougeScore::new(length(&ours, &theirs), ours.len(), theirs.len()),
            rouge_lsum: by_sentences(&sentences(prediction), &sentences(reference)),
        }
    }
}

/// ROUGE-L of summaries (Lin, 2004, section 3.2): for each sentence of the reference, the tokens that any sentence of the prediction has in
/// the same order. No token counts more often than either summary has it, which is not in the paper but in its program.
fn by_sentences(prediction: &[Vec<String>], reference: &[Vec<String>]) -> RougeScore {
    let mut left: [HashMap<&str, usize>; 2] = Default::default();
    for (left, sentences) in left.iter_mut().zip([prediction, reference]) {
        for token in sentences.iter().flatten() {
            *left.entry(token).or_default() += 1;
        }
    }
    let [mut ours, mut theirs] = left;
    let mut hits = 0;
    for sentence in reference {
        let mut covered = vec![false; sentence.len()];
        for candidate in prediction {
            for position in positions(sentence, candidate) {
                covered[position] = true;
            }
        }
        for (token, _) in sentence.iter().zip(covered).filter(|(_, covered)| *covered) {
            let counts = (ours.get_mut(token.as_str()), theirs.get_mut(token.as_str()));
            if let (Some(ours @ 1..), Some(theirs @ 1..)) = counts {
                *ours -= 1;
                *theirs -= 1;
                hits += 1;
            }
        }
    }
    let total = |sentences: &[Vec<String>]| sentences.iter().map(Vec::len).sum();
    RougeScore::new(hits, total(prediction), total(reference))
}

impl RougeScore {
    /// From the number of matches, and how many there could be on either side.
    fn new(matches: usize, prediction: usize, reference: usize) -> Self {
        let share = |total: usize| matches as f64 / total.max(1) as f64;
        let (precision, recall) = (share(prediction), share(reference));
        let f1 = match matches {
            0 => 0.0,
            _ => 2.0 * precision * recall / (precision + recall),
        };
        Self {
            precision,
            recall,
            f1,
        }
    }

    fn divide(&mut self, number: usize) {
        for value in [&mut self.precision, &mut self.recall, &mut self.f1] {
            *value /= number as f64;
        }
    }
}

impl AddAssign for RougeScore {
    fn add_assign(&mut self, other: Self) {
        self.precision += other.precision;
        self.recall += other.recall;
        self.f1 += other.f1;
    }
}

impl Rouge {
    fn measures(&mut self) -> [&mut RougeScore; 4] {
        [
            &mut self.rouge1,
            &mut self.rouge2,
            &mut self.rouge_l,
            &mut self.rouge_lsum,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_every_script_a_text_is_equal_to_itself_and_to_no_other() {
        let unicode = RougeConfig {
            unicode: true,
            ..RougeConfig::default()
        };
        let texts = [
            "Река поднялась за ночь.",
            "नदी रात में चढ़ गई।",
            "かわがあふれた。",
            "カワガ アフレタ",
            "河水夜里上涨。",
            "강물이 밤새 불었다.",
            "ارتفع النهر ليلاً",
            "แม่น้ำขึ้นในคืน",
            "The river rose.",
            "👩‍👩‍👧 🎉",
        ];
        for (text, number) in texts.iter().zip(0..) {
            for (other, other_number) in texts.iter().zip(0..) {
                let found = unicode.score(text, other);
                let expected = f64::from(u8::from(number == other_number));
                let found = [found.rouge1, found.rouge2, found.rouge_l, found.rouge_lsum];
                assert_eq!(found.map(|score| score.f1), [expected; 4], "{text} {other}");
            }
        }
        assert_eq!(unicode.score("über", "ber").rouge1.f1, 0.0);
        assert_eq!(RougeConfig::default().score("über", "ber").rouge1.f1, 1.0);
        // One accent, written as one character or as two, in capitals or not.
        let score = unicode.score("Jose\u{301} RÍO", "JOSÉ ri\u{301}o");
        assert_eq!(score.rouge_l.f1, 1.0);
        assert_eq!(unicode.score("—, !", "—, !").rouge1.f1, 0.0, "no word");
    }
}
