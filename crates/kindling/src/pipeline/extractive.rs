//! Summaries that pick whole sentences of the text: those that resemble many others (Mihalcea and Tarau, 2004).

use std::{fmt::Debug, ops::Range};

use candle_core::{Device, Tensor};

use super::{
    Summarize, TfIdf, Unit, check_request,
    chosen_sentences::ChosenSentences,
    many_sentences::{few_enough, rank_nearest, rank_sparse},
    text_rank,
};
use crate::{
    Result,
    text::{sentences, words},
};

/// Something that turns sentences into vectors whose cosines say how alike they are.
pub trait SentenceVectors: Debug {
    /// What it is, such as `TF-IDF`.
    fn name(&self) -> String;

    /// Vectors `(sentences, features)` of length 1.
    fn vectors(&self, sentences: &[&str]) -> Result<Tensor>;

    /// How central each of so many sentences is that a matrix of all their similarities would take gigabytes: each is compared with those
    /// that resemble it most. Fails when there are too many for that, too.
    fn centrality_of_many(&self, sentences: &[&str]) -> Result<Vec<f64>> {
        few_enough(sentences.len())?;
        rank_nearest(&self.vectors(sentences)?)
    }
}

/// From this many sentences on, not all similarities are kept at the same time.
const MANY: usize = 2_000;

/// Sentences as their words, without regard to upper and lower case, weighed by [`TfIdf`] over the text itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct WordVectors;

impl SentenceVectors for WordVectors {
    fn name(&self) -> String {
        "TF-IDF".to_owned()
    }

    fn vectors(&self, sentences: &[&str]) -> Result<Tensor> {
        let lower: Vec<String> = sentences.iter().map(|text| text.to_lowercase()).collect();
        let tokens: Vec<Vec<&str>> = lower.iter().map(|text| words(text)).collect();
        TfIdf::fit(&tokens)?.transform(&tokens, &Device::Cpu)
    }

    /// All similarities count, as with few sentences, and there can be any number of them.
    fn centrality_of_many(&self, sentences: &[&str]) -> Result<Vec<f64>> {
        let lower: Vec<String> = sentences.iter().map(|text| text.to_lowercase()).collect();
        let tokens: Vec<Vec<&str>> = lower.iter().map(|text| words(text)).collect();
        Ok(rank_sparse(&TfIdf::fit(&tokens)?.sparse(&tokens)))
    }
}

/// Picks the sentences that [`text_rank`](fn@text_rank) finds most central, and gives them in the order of the text.
///
/// It takes them one by one, best first, until there are enough words; a sentence that would be too much is passed over. Only where whole
/// sentences cannot meet the limits is one cut.
///
/// ```
/// use kindling::pipeline::{Extractive, Summarize};
/// let text = "小明喜欢读书。小明每天晚上读书。天气很好。";
/// assert_eq!(Extractive::new().summarize(text, 5..10)?, "小明每天晚上读书。");
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug)]
pub struct Extractive {
    vectors: Box<dyn SentenceVectors>,
}

impl Extractive {
    /// Compares sentences by their words.
    #[must_use]
    pub fn new() -> Self {
        Self::with(WordVectors)
    }

    /// Compares sentences by vectors of your choice, such as a pretrained model's.
    #[must_use]
    pub fn with(vectors: impl SentenceVectors + 'static) -> Self {
        Self {
            vectors: Box::new(vectors),
        }
    }

    // ANCHOR: order
    /// The places of the sentences, the most central first; of equals the first.
    fn order(&self, sentences: &[&str]) -> Result<Vec<usize>> {
        let vectors = self.vectors.vectors(sentences)?; // (sentences, features)
        // Opposed sentences have nothing to say about each other.
        let similarities = vectors.matmul(&vectors.t()?)?.relu()?; // (sentences, sentences)
        let weights = text_rank(&similarities)?;
        let mut order: Vec<usize> = (0..sentences.len()).collect();
        order.sort_by(|a, b| weights[*b].total_cmp(&weights[*a]));
        Ok(order)
    }
    // ANCHOR_END: order

    /// The same for a text of very many sentences.
    fn order_of_many(&self, sentences: &[&str]) -> Result<Vec<usize>> {
        let weights = self.vectors.centrality_of_many(sentences)?;
        let mut order: Vec<usize> = (0..sentences.len()).collect();
        order.sort_by(|a, b| weights[*b].total_cmp(&weights[*a]));
        Ok(order)
    }
}

impl Default for Extractive {
    fn default() -> Self {
        Self::new()
    }
}

impl Summarize for Extractive {
    fn engine(&self) -> String {
        format!("extractive ({})", self.vectors.name())
    }

    fn unit(&self) -> Unit {
        Unit::Words
    }

    fn summarize(&self, text: &str, length: Range<usize>) -> Result<String> {
        check_request(text, &length)?;
        let sentences = spoken(text);
        let order = match sentences.len() {
            MANY.. => self.order_of_many(&sentences)?,
            _ => self.order(&sentences)?,
        };
        Ok(ChosenSentences::choose(&sentences, &order, &length).text(&sentences))
    }
}

/// Takes the first sentences, as many as needed: what every other summary is compared with.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lead;

impl Summarize for Lead {
    fn engine(&self) -> String {
        "lead".to_owned()
    }

    fn unit(&self) -> Unit {
        Unit::Words
    }

    fn summarize(&self, text: &str, length: Range<usize>) -> Result<String> {
        check_request(text, &length)?;
        let sentences = spoken(text);
        let mut total = 0;
        // Up to the first that is too much: a later one that fits would not be the beginning.
        let too_much = sentences.iter().position(|sentence| {
            total += words(sentence).len();
            total >= length.end
        });
        let count = too_much.map_or(sentences.len(), |place| place + 1);
        let order: Vec<usize> = (0..count).collect();
        Ok(ChosenSentences::choose(&sentences, &order, &length).text(&sentences))
    }
}

/// The sentences that have a word.
fn spoken(text: &str) -> Vec<&str> {
    let all = sentences(text).into_iter();
    all.filter(|sentence| !words(sentence).is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::data::Random;

    /// A random book, with one sentence that has what most others have.
    fn book(number: usize) -> String {
        let mut random = Random::new(3);
        let mut sentence = || {
            let words = (0..9 + random.below(12)).map(|_| format!("word{}", random.below(5_000)));
            let words: Vec<String> = words.collect();
            format!("The river and {}. ", words.join(" "))
        };
        (0..number).map(|_| sentence()).collect()
    }

    #[test]
    fn a_book_of_thirty_thousand_sentences_is_summarised_in_bounded_memory() {
        let text = book(30_000);
        assert!(text.len() > 3_000_000);
        let start = Instant::now();
        let summary = Extractive::new().summarize(&text, 30..60).unwrap();
        assert!((30..60).contains(&words(&summary).len()), "{summary}");
        println!("{:.1} s", start.elapsed().as_secs_f64());
    }

    #[test]
    fn very_many_sentences_are_ordered_as_few_are() {
        let text = book(300);
        let sentences = spoken(&text);
        let extractive = Extractive::new();
        let few = extractive.order(&sentences).unwrap();
        let many = extractive.order_of_many(&sentences).unwrap();
        assert_eq!(few[..20], many[..20]);
    }
}
