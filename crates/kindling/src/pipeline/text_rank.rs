//! TextRank: a sentence matters if sentences that matter resemble it (Mihalcea and Tarau, 2004).

use candle_core::{Device, Tensor};

use super::page_rank::{page_rank, square};
use crate::Result;

/// How often the walk goes on to a similar sentence instead of any one: the paper's d.
pub(super) const DAMPING: f64 = 0.85;

/// The weight of each sentence in a text, given similarities `(sentences, sentences)`; the weights add up to 1.
///
/// How much a sentence resembles itself is left out. The paper's scores are these times the number of sentences.
/// Fails when the similarities are not square, or negative: cosines of embeddings can be, and want a `relu` first.
/// (Mihalcea and Tarau, 2004, section 2.2.)
///
/// ```
/// use candle_core::Device;
/// use kindling::pipeline::{TfIdf, text_rank};
/// let sentences = [vec!["the", "river", "rose"], vec!["the", "river", "rose", "again"], vec!["nobody", "slept"]];
/// let vectors = TfIdf::fit(&sentences)?.transform(&sentences, &Device::Cpu)?; // (3 sentences, 6 words)
/// let weights = text_rank(&vectors.matmul(&vectors.t()?)?)?; // cosines, for each vector has length 1
/// assert!(weights[0] > weights[2] && weights[1] > weights[2]);
/// # Ok::<(), kindling::Error>(())
/// ```
pub fn text_rank(similarities: &Tensor) -> Result<Vec<f64>> {
    let mut rows = square(similarities, "similarities", "sentences")?;
    for (sentence, row) in rows.iter_mut().enumerate() {
        row[sentence] = 0.0;
    }
    let others = Tensor::from_vec(rows.concat(), similarities.shape(), &Device::Cpu)?;
    page_rank(&others, DAMPING)
}
