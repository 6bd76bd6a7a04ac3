//! chrF: the n-grams of characters that a translation shares with its reference (Popović, 2015), computed as sacrebleu does.

use super::{
    bleu_tokenizer::{is_space, words},
    ngrams::{Counts, count, matches},
    references::{Pair, pairs},
};
use crate::Result;

/// What chrF counts; the defaults are sacrebleu's, and give chrF2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChrfConfig {
    /// The longest n-grams of characters that are counted; spaces are no characters here.
    pub character_order: usize,
    /// The longest n-grams of words that are counted too; 2 gives chrF++ (Popović, 2017).
    pub word_order: usize,
    /// How many times as much recall counts as precision, β.
    pub beta: u32,
    /// Whether capitals count as small letters.
    pub lowercase: bool,
}

impl Default for ChrfConfig {
    fn default() -> Self {
        Self {
            character_order: 6,
            word_order: 0,
            beta: 2,
            lowercase: false,
        }
    }
}

/// chrF2 of a corpus, from 0 to 100: hypotheses `(sentences)`, and for each a list of references, of which the best one counts.
///
/// It needs no tokenizer, so it works for every language. Fails when there is no sentence, when the two lists have different lengths, and when a
/// sentence has no reference. (Popović, 2015, equation 1.)
///
/// ```
/// use kindling::metrics::chrf;
/// let score = chrf(&["The cat sat on the mat."], &[["The cats sat on the mat."]])?;
/// assert!((score - 83.7).abs() < 0.05, "{score}");
/// # Ok::<(), kindling::Error>(())
/// ```
pub fn chrf<H, R, S>(hypotheses: &[H], references: &[R]) -> Result<f64>
where
    H: AsRef<str>,
    R: AsRef<[S]>,
    S: AsRef<str>,
{
    ChrfConfig::default().corpus(hypotheses, references)
}

impl ChrfConfig {
    /// chrF of a corpus; see [`chrf`].
    pub fn corpus<H, R, S>(&self, hypotheses: &[H], references: &[R]) -> Result<f64>
    where
        H: AsRef<str>,
        R: AsRef<[S]>,
        S: AsRef<str>,
    {
        let mut sums = vec![Order::default(); self.character_order + self.word_order];
        for pair in pairs(hypotheses, references)? {
            for (sum, order) in sums.iter_mut().zip(self.best(&pair)) {
                sum.hypothesis += order.hypothesis;
                sum.reference += order.reference;
                sum.matches += order.matches;
            }
        }
        Ok(self.score(&sums))
    }

    /// chrF of one sentence, from 0 to 100. Fails when there is no reference.
    pub fn sentence<S: AsRef<str>>(&self, hypothesis: &str, references: &[S]) -> Result<f64> {
        self.corpus(&[hypothesis], &[references])
    }

    /// The counts against the reference with the highest score, of equal ones the first.
    fn best(&self, (hypothesis, references): &Pair<'_>) -> Vec<Order> {
        let hypothesis = self.units(hypothesis);
        let mut best = (-1.0, Vec::new());
        for reference in references {
            let orders = self.compare(&hypothesis, &self.units(reference));
            let score = self.score(&orders);
            if score > best.0 {
                best = (score, orders);
            }
        }
        best.1
    }

    /// The characters and, where they are counted, the words of a sentence.
    fn units(&self, sentence: &str) -> (Vec<char>, Vec<String>) {
        let lowered = self.lowercase.then(|| sentence.to_lowercase());
        let sentence = lowered.as_deref().unwrap_or(sentence);
        let characters = sentence.chars().filter(|&character| !is_space(character));
        let words = words(sentence);
        (
            characters.collect(),
            words.iter().flat_map(|word| apart(word)).collect(),
        )
    }

    fn compare(
        &self,
        hypothesis: &(Vec<char>, Vec<String>),
        reference: &(Vec<char>, Vec<String>),
    ) -> Vec<Order> {
        let characters = (1..=self.character_order)
            .map(|order| Order::new(&count(&hypothesis.0, order), &count(&reference.0, order)));
        let words = (1..=self.word_order)
            .map(|order| Order::new(&count(&hypothesis.1, order), &count(&reference.1, order)));
        characters.chain(words).collect()
    }

    /// The F-measure of mean precision and mean recall, over the orders that both sides are long enough for.
    fn score(&self, orders: &[Order]) -> f64 {
        let counted = orders
            .iter()
            .filter(|order| order.hypothesis > 0 && order.reference > 0);
        let (mut precision, mut recall, mut number) = (0.0, 0.0, 0.0);
        for order in counted {
            precision += order.matches as f64 / order.hypothesis as f64;
            recall += order.matches as f64 / order.reference as f64;
            number += 1.0;
        }
        if precision + recall == 0.0 {
            return 0.0;
        }
        let (precision, recall) = (precision / number, recall / number);
        let factor = f64::from(self.beta) * f64::from(self.beta);
        100.0 * ((1.0 + factor) * precision * recall / (factor * precision + recall))
    }
}

/// The n-grams of one order: how many either side has, and how many both share.
#[derive(Clone, Copy, Default)]
struct Order {
    hypothesis: usize,
    reference: usize,
    matches: usize,
}

impl Order {
    fn new<T: Eq + std::hash::Hash>(hypothesis: &Counts<'_, T>, reference: &Counts<'_, T>) -> Self {
        let reference_total = reference.values().sum();
        Self {
            // Where the reference is too short for an n-gram, the hypothesis cannot be blamed for having some.
            hypothesis: match reference_total {
                0 => 0,
                _ => hypothesis.values().sum(),
            },
            reference: reference_total,
            matches: matches(hypothesis, reference),
        }
    }
}

/// A word without the punctuation at its end, or else at its start, and that punctuation.
fn apart(word: &str) -> Vec<String> {
    let first = word.chars().next().filter(char::is_ascii_punctuation);
    let last = word.chars().next_back().filter(char::is_ascii_punctuation);
    let (head, tail) = match (first, last) {
        (_, Some(last)) => word.split_at(word.len() - last.len_utf8()),
        (Some(first), _) => word.split_at(first.len_utf8()),
        _ => (word, ""),
    };
    let pieces = [head, tail].into_iter().filter(|piece| !piece.is_empty());
    pieces.map(str::to_owned).collect()
}
