//! BLEU: how many n-grams of a translation stand in its references (Papineni et al., 2002), computed as sacrebleu does (Post, 2018).

use std::{collections::HashMap, fmt};

use super::{
    BleuTokenizer,
    ngrams::{count, matches},
    references::{Pair, pairs},
};
use crate::Result;

/// The longest n-grams that are counted.
const ORDERS: usize = 4;

/// How sentences are prepared for BLEU; the defaults are sacrebleu's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BleuConfig {
    /// How a sentence is cut into tokens.
    pub tokenizer: BleuTokenizer,
    /// Whether capitals count as small letters.
    pub lowercase: bool,
}

/// BLEU and the parts of which it is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BleuScore {
    /// BLEU, from 0 to 100.
    pub score: f64,
    /// The share of the n-grams of length 1 to 4 that a reference has too, smoothed, in percent.
    pub precisions: [f64; ORDERS],
    /// The factor, at most 1, by which translations shorter than their references lose.
    pub brevity_penalty: f64,
    /// The number of tokens in the hypotheses.
    pub hypothesis_length: usize,
    /// The number of tokens in the references, of each sentence's that whose length is closest.
    pub reference_length: usize,
}

/// BLEU of a corpus with sacrebleu's default settings: hypotheses `(sentences)`, and for each a list of references.
///
/// The matches of all sentences are added up before the shares are taken, so this is no mean of sentence scores. Fails when there is no
/// sentence, when the two lists have different lengths, and when a sentence has no reference. (Papineni et al., 2002, section 2.3; Post, 2018.)
///
/// ```
/// use kindling::metrics::bleu;
/// let hypotheses = ["The cat sat on the mat.", "It rains again."];
/// let references = [vec!["The cat sat on a mat.", "A cat was sitting on the mat."], vec!["It is raining again."]];
/// let bleu = bleu(&hypotheses, &references)?;
/// assert_eq!(bleu.to_string(), "BLEU = 57.89 90.9/77.8/57.1/40.0 (BP = 0.913 ratio = 0.917 hyp_len = 11 ref_len = 12)");
/// # Ok::<(), kindling::Error>(())
/// ```
pub fn bleu<H, R, S>(hypotheses: &[H], references: &[R]) -> Result<BleuScore>
where
    H: AsRef<str>,
    R: AsRef<[S]>,
    S: AsRef<str>,
{
    BleuConfig::default().corpus(hypotheses, references)
}

/// BLEU of one sentence with sacrebleu's default settings. Fails when there is no reference.
///
/// Orders that the sentence is too short for are left out (sacrebleu's *effective order*); in a corpus they count as 0.
///
/// ```
/// use kindling::metrics::sentence_bleu;
/// assert!((sentence_bleu("Good morning", &["Good morning"])?.score - 100.0).abs() < 1e-9);
/// # Ok::<(), kindling::Error>(())
/// ```
pub fn sentence_bleu<S: AsRef<str>>(hypothesis: &str, references: &[S]) -> Result<BleuScore> {
    BleuConfig::default().sentence(hypothesis, references)
}

impl BleuConfig {
    /// BLEU of a corpus; see [`bleu`].
    pub fn corpus<H, R, S>(&self, hypotheses: &[H], references: &[R]) -> Result<BleuScore>
    where
        H: AsRef<str>,
        R: AsRef<[S]>,
        S: AsRef<str>,
    {
        let mut counts = Counts::default();
        for pair in pairs(hypotheses, references)? {
            self.add(&pair, &mut counts);
        }
        Ok(counts.score(false))
    }

    /// BLEU of one sentence; see [`sentence_bleu`].
    pub fn sentence<S: AsRef<str>>(&self, hypothesis: &str, references: &[S]) -> Result<BleuScore> {
        let mut counts = Counts::default();
        for pair in pairs(&[hypothesis], &[references])? {
            self.add(&pair, &mut counts);
        }
        Ok(counts.score(true))
    }

    fn tokens(&self, sentence: &str) -> Vec<String> {
        if self.lowercase {
            self.tokenizer.tokenize(&sentence.to_lowercase())
        } else {
            self.tokenizer.tokenize(sentence)
        }
    }

    fn add(&self, (hypothesis, references): &Pair<'_>, counts: &mut Counts) {
        let hypothesis = self.tokens(hypothesis);
        let references: Vec<_> = references.iter().map(|text| self.tokens(text)).collect();
        let lengths = references.iter().map(Vec::len);
        // Of two that are equally close, the shorter one.
        let closest = lengths.min_by_key(|&length| (length.abs_diff(hypothesis.len()), length));
        counts.hypothesis_length += hypothesis.len();
        counts.reference_length += closest.unwrap_or(0);
        for order in 1..=ORDERS {
            // An n-gram may be used as often as the reference that has it most often.
            let mut allowed = HashMap::new();
            for reference in &references {
                for (ngram, times) in count(reference, order) {
                    let most = allowed.entry(ngram).or_insert(0);
                    *most = times.max(*most);
                }
            }
            counts.matches[order - 1] += matches(&count(&hypothesis, order), &allowed);
            counts.totals[order - 1] += (hypothesis.len() + 1).saturating_sub(order);
        }
    }
}

/// All that BLEU needs to know of a corpus.
#[derive(Default)]
struct Counts {
    matches: [usize; ORDERS],
    totals: [usize; ORDERS],
    hypothesis_length: usize,
    reference_length: usize,
}

impl Counts {
    fn score(&self, effective_order: bool) -> BleuScore {
        let (hypothesis, reference) = (self.hypothesis_length as f64, self.reference_length as f64);
        let mut result = BleuScore {
            score: 0.0,
            precisions: [0.0; ORDERS],
            brevity_penalty: 1.0,
            hypothesis_length: self.hypothesis_length,
            reference_length: self.reference_length,
        };
        if hypothesis < reference {
            // An empty hypothesis gives exp(-∞), which is 0.
            result.brevity_penalty = (1.0 - reference / hypothesis).exp();
        }
        if self.matches == [0; ORDERS] {
            return result; // smoothing would make something out of nothing
        }
        let mut smoothing = 1.0;
        let mut orders = ORDERS;
        for (order, (&right, &total)) in self.matches.iter().zip(&self.totals).enumerate() {
            if total == 0 {
                break;
            }
            if effective_order {
                orders = order + 1;
            }
            result.precisions[order] = if right == 0 {
                // Each further order without a match counts as half of the match before it (Chen and Cherry, 2014, method 3).
                smoothing *= 2.0;
                100.0 / (smoothing * total as f64)
            } else {
                100.0 * right as f64 / total as f64
            };
        }
        // A precision of 0 has the logarithm -∞, and makes the score 0.
        let logarithms: f64 = result.precisions[..orders].iter().map(|p| p.ln()).sum();
        result.score = result.brevity_penalty * (logarithms / orders as f64).exp();
        result
    }
}

impl fmt::Display for BleuScore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let precisions = self.precisions.map(|precision| format!("{precision:.1}"));
        let ratio = match self.reference_length {
            0 => 0.0,
            length => self.hypothesis_length as f64 / length as f64,
        };
        write!(
            f,
            "BLEU = {:.2} {} (BP = {:.3} ratio = {ratio:.3} hyp_len = {} ref_len = {})",
            self.score,
            precisions.join("/"),
            self.brevity_penalty,
            self.hypothesis_length,
            self.reference_length
        )
    }
}
