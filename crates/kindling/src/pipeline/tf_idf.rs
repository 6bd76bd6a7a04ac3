//! TF-IDF: a sentence as a vector of its words, in which rare words weigh more (Spärck Jones, 1972).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use candle_core::{Device, Tensor};

use crate::{Error, Result};

/// The words of a text and how much each weighs, as scikit-learn's `TfidfVectorizer` counts them by default.
///
/// ```
/// use candle_core::Device;
/// use kindling::pipeline::TfIdf;
/// let sentences = [vec!["the", "cat"], vec!["the", "dog", "the"]];
/// let tf_idf = TfIdf::fit(&sentences)?;
/// assert_eq!(tf_idf.vocabulary().collect::<Vec<_>>(), ["cat", "dog", "the"]);
/// let vectors = tf_idf.transform(&sentences, &Device::Cpu)?; // (2 sentences, 3 words)
/// let cosine = (vectors.get(0)? * vectors.get(1)?)?.sum_all()?.to_scalar::<f32>()?;
/// assert!((cosine - 0.47).abs() < 0.01);
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TfIdf {
    /// Each word and its inverse document frequency; a word's place in this order is its column.
    words: BTreeMap<String, f64>,
}

impl TfIdf {
    /// Weighs the words of tokenised sentences: with `n` sentences, of which `d` have the word, it weighs `ln((1 + n) / (1 + d)) + 1`.
    ///
    /// Both ones stand for one more sentence that has all words. Fails when there are no words.
    pub fn fit<R, S>(sentences: &[R]) -> Result<Self>
    where
        R: AsRef<[S]>,
        S: AsRef<str>,
    {
        let mut containing: BTreeMap<String, usize> = BTreeMap::new();
        for sentence in sentences {
            let words: BTreeSet<&str> = sentence.as_ref().iter().map(AsRef::as_ref).collect();
            for word in words {
                *containing.entry(word.to_owned()).or_default() += 1;
            }
        }
        if containing.is_empty() {
            return Err(Error::Argument(format!(
                "sentences: expected at least one word, found none in {} sentences",
                sentences.len()
            )));
        }
        let total = sentences.len() as f64;
        let weigh = |(word, count): (String, usize)| {
            (word, ((1.0 + total) / (1.0 + count as f64)).ln() + 1.0)
        };
        Ok(Self {
            words: containing.into_iter().map(weigh).collect(),
        })
    }

    /// The words in the order of the columns, which is that of their characters.
    pub fn vocabulary(&self) -> impl Iterator<Item = &str> {
        self.words.keys().map(String::as_str)
    }

    /// The weight of each word, in the order of the columns.
    pub fn inverse_document_frequencies(&self) -> impl Iterator<Item = f64> {
        self.words.values().copied()
    }

    /// Vectors `(sentences, words)` of length 1: how often each word stands in the sentence, times its weight.
    ///
    /// Unknown words are left out. A sentence without known words is a vector of zeros.
    pub fn transform<R, S>(&self, sentences: &[R], device: &Device) -> Result<Tensor>
    where
        R: AsRef<[S]>,
        S: AsRef<str>,
    {
        let columns = self.words.len();
        let mut vectors = vec![0.0_f32; sentences.len() * columns];
        let rows = self.sparse(sentences);
        for (row, vector) in rows.into_iter().zip(vectors.chunks_mut(columns)) {
            for (column, value) in row {
                vector[column] = value as f32;
            }
        }
        Ok(Tensor::from_vec(
            vectors,
            (sentences.len(), columns),
            device,
        )?)
    }

    /// The same vectors without their zeros: for each sentence the columns of its words, and the numbers there.
    pub(super) fn sparse<R, S>(&self, sentences: &[R]) -> Vec<Vec<(usize, f64)>>
    where
        R: AsRef<[S]>,
        S: AsRef<str>,
    {
        let columns: HashMap<&str, (usize, f64)> = (self.words.iter().enumerate())
            .map(|(column, (word, &weight))| (word.as_str(), (column, weight)))
            .collect();
        let row = |sentence: &R| {
            let mut sums: BTreeMap<usize, f64> = BTreeMap::new();
            for word in sentence.as_ref() {
                if let Some((column, weight)) = columns.get(word.as_ref()) {
                    *sums.entry(*column).or_default() += weight;
                }
            }
            let length = sums.values().map(|sum| sum * sum).sum::<f64>().sqrt();
            let row = sums.into_iter();
            row.map(|(column, sum)| (column, sum / length)).collect()
        };
        sentences.iter().map(row).collect()
    }
}
