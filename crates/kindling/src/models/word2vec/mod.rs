//! Word vectors from the words around each word: skip-gram and CBOW with negative sampling, the models of the lesson
//! *Word embeddings*.
//!
//! From Mikolov, Chen, Corrado and Dean, *Efficient estimation of word representations in vector space* (2013a), and Mikolov and others,
//! *Distributed representations of words and phrases and their compositionality* (2013b). Two tables of vectors are trained,
//! one for words as inputs and one for words as targets, and the first is kept.
//!
//! | file | idea |
//! |---|---|
//! | `vocabulary` | words counted and numbered; frequent ones thinned out |
//! | `negatives` | words drawn in proportion to `count^0.75` |
//! | `sampler` | a window around each word |
//! | `rows`, `kernel` | the tables, and the loops over their rows |
//! | `skip_gram`, `cbow` | the two models, each on several threads |
//! | `train` | rounds and epochs |
//! | `similarity` | neighbours and analogies |
//! | `file` | vectors on the disk |
//!
//! One seed gives the same vectors for any number of threads, on processors with vectors of the same width. Left out: hierarchical softmax, phrases, and vectors for
//! parts of words.

mod cbow;
mod file;
mod kernel;
mod negatives;
mod rows;
mod sampler;
mod similarity;
mod skip_gram;
#[cfg(test)]
mod tests;
mod train;
mod vocabulary;

use std::{collections::HashMap, fmt};

use candle_core::Tensor;
use serde::Serialize;

use crate::{Error, Result};

/// Which of the two models is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum Algorithm {
    /// From each word its context: slower, and better for rare words.
    #[default]
    SkipGram,
    /// From the mean of a context its word: faster.
    Cbow,
}

/// How [`Word2Vec`] is trained; by default as the reference programs do.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Word2VecConfig {
    /// How many numbers stand for a word.
    pub features: usize,
    /// How many words to each side are context at most.
    pub window: usize,
    /// How many words are drawn at random for each true one.
    pub negatives: usize,
    /// The frequency from which occurrences of a word are left out at random; 0 leaves none out.
    pub subsample: f64,
    /// How often to go through the text.
    pub epochs: usize,
    /// The learning rate at the start; it falls to almost nothing. CBOW, whose gradient is shared among the words of a
    /// context, wants about three times that of skip-gram.
    pub learning_rate: f64,
    /// Words that occur less often are left out of the text.
    pub minimum_count: usize,
    /// Which model.
    pub algorithm: Algorithm,
    /// How many threads work, at most 8, and for CBOW at most one for each 32 features; 0 stands for as many as there are.
    /// It does not change the result.
    pub threads: usize,
    /// Decides everything that is left to chance.
    pub seed: u64,
}

impl Default for Word2VecConfig {
    fn default() -> Self {
        Self {
            features: 100,
            window: 5,
            negatives: 5,
            subsample: 1e-3,
            epochs: 5,
            learning_rate: 0.025,
            minimum_count: 5,
            algorithm: Algorithm::SkipGram,
            threads: 0,
            seed: 0,
        }
    }
}

/// A vector for each word of a vocabulary.
///
/// ```
/// use kindling::{data::PlantedText, models::{Word2Vec, Word2VecConfig}};
/// let text = PlantedText::new(5_000, 1);
/// let config = Word2VecConfig { features: 32, epochs: 10, ..Word2VecConfig::default() };
/// let model = Word2Vec::train(&text.sentences, &config)?;
/// assert_eq!(model.embeddings().dims(), [model.words().len(), 32]);
/// for (word, similarity) in model.nearest("cat", 3)? {
///     println!("{word} {similarity:.2}");
/// }
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Clone)]
pub struct Word2Vec {
    words: Vec<String>,
    index: HashMap<String, u32>,
    /// `(vocabulary, features)`
    embeddings: Tensor,
    /// The same, each row of length 1.
    directions: Tensor,
    losses: Vec<f64>,
    stopped: bool,
}

impl Word2Vec {
    /// A model of vectors from elsewhere: one word for each row of `embeddings` `(vocabulary, features)`.
    pub fn new(words: Vec<String>, embeddings: Tensor) -> Result<Self> {
        if embeddings.rank() != 2 || embeddings.dims()[0] != words.len() || words.is_empty() {
            return Err(Error::Shape {
                what: "embeddings".to_owned(),
                expected: format!("({}, features), a row for each word", words.len()),
                found: embeddings.dims().to_vec(),
            });
        }
        let index = vocabulary::index(&words);
        if index.len() != words.len() {
            let twice = words
                .iter()
                .zip(0..)
                .find(|(word, place)| index[*word] != *place);
            let twice = twice.map_or("", |(word, _)| word);
            return Err(Error::Argument(format!(
                "words: expected each once, found `{twice}` twice"
            )));
        }
        Ok(Self {
            directions: similarity::directions(&embeddings)?,
            words,
            index,
            embeddings,
            losses: Vec::new(),
            stopped: false,
        })
    }

    /// The words, the most frequent first.
    #[must_use]
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// The vectors: `(vocabulary, features)`, row by row those of [`Word2Vec::words`].
    #[must_use]
    pub fn embeddings(&self) -> &Tensor {
        &self.embeddings
    }

    /// The mean loss of each epoch: for a true word together with its negatives, each before the step it took part in.
    #[must_use]
    pub fn losses(&self) -> &[f64] {
        &self.losses
    }

    /// Whether training was asked to stop before its end.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.stopped
    }
}

impl fmt::Debug for Word2Vec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [words, features] = [0, 1].map(|dimension| self.embeddings.dims()[dimension]);
        write!(f, "Word2Vec {{ words: {words}, features: {features} }}")
    }
}
