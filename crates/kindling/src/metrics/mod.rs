//! Measures of how well a model does: of classes, of boxes, of translations, of summaries, of the next token.
//!
//! | what a model gives | measures |
//! |---|---|
//! | a class | [`accuracy`], [`ConfusionMatrix`] |
//! | a translation | [`bleu`](fn@bleu), [`sentence_bleu`](fn@sentence_bleu), [`chrf`](fn@chrf): equal to the Python package `sacrebleu` |
//! | a summary | [`rouge`](fn@rouge): equal to the Python package `rouge-score` |
//! | the probability of the next token | [`perplexity`](fn@perplexity) |
//! | boxes around things | [`MeanAveragePrecision`]: equal to the Python package `pycocotools` |
//! | a vector for each word | [`analogy_accuracy`] |

mod analogies;
mod bleu;
mod bleu_tokenizer;
mod box_matching;
mod chrf;
mod common_subsequence;
mod confusion;
mod mean_average_precision;
mod ngrams;
mod perplexity;
mod porter;
mod references;
mod rouge;
mod rouge_tokenizer;

use candle_core::{D, Tensor};

pub use analogies::{AnalogyScore, AnalogyScores, analogy_accuracy};
pub use bleu::{BleuConfig, BleuScore, bleu, sentence_bleu};
pub use bleu_tokenizer::BleuTokenizer;
pub(crate) use box_matching::{Verdict, verdicts};
pub use chrf::{ChrfConfig, chrf};
pub use confusion::ConfusionMatrix;
pub use mean_average_precision::{ClassPrecision, DetectionScore, MeanAveragePrecision};
pub use perplexity::perplexity;
pub use rouge::{Rouge, RougeConfig, RougeScore, rouge};

use crate::{Error, Result};

/// The class with the largest logit for each example: from `(examples, classes)` to `(examples)`.
pub fn predictions(logits: &Tensor) -> Result<Vec<u32>> {
    if logits.rank() != 2 {
        return Err(Error::Shape {
            what: "logits".to_owned(),
            expected: "(examples, classes)".to_owned(),
            found: logits.dims().to_vec(),
        });
    }
    Ok(logits.argmax(D::Minus1)?.to_vec1()?) // (examples)
}

/// The share of examples whose largest logit is at the label: logits `(examples, classes)`, labels `(examples)`.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use kindling::metrics::accuracy;
/// let logits = Tensor::new(&[[2_f32, 1.0], [0.0, 3.0], [1.0, 0.0]], &Device::Cpu)?; // (3 examples, 2 classes)
/// let labels = Tensor::new(&[0_u32, 1, 1], &Device::Cpu)?; // (3 examples)
/// assert_eq!(accuracy(&logits, &labels)?, 2.0 / 3.0);
/// # Ok::<(), kindling::Error>(())
/// ```
pub fn accuracy(logits: &Tensor, labels: &Tensor) -> Result<f64> {
    let (predictions, labels) = pairs(logits, labels)?;
    let right = predictions
        .iter()
        .zip(&labels)
        .filter(|(prediction, label)| prediction == label)
        .count();
    Ok(right as f64 / labels.len() as f64)
}

/// Predictions and labels side by side, once it is certain that they belong together.
fn pairs(logits: &Tensor, labels: &Tensor) -> Result<(Vec<u32>, Vec<u32>)> {
    let predictions = predictions(logits)?;
    if labels.dims() != [predictions.len()] || predictions.is_empty() {
        return Err(Error::Shape {
            what: "labels".to_owned(),
            expected: format!(
                "({}), one for each row of the logits {:?}",
                predictions.len(),
                logits.dims()
            ),
            found: labels.dims().to_vec(),
        });
    }
    Ok((predictions, labels.to_vec1()?))
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn shapes_that_do_not_fit_are_named() {
        let logits = Tensor::new(&[[2_f32, 1.0], [0.0, 3.0]], &Device::Cpu).unwrap();
        let labels = Tensor::new(&[0_u32, 1, 1], &Device::Cpu).unwrap();
        let error = accuracy(&logits, &labels).unwrap_err().to_string();
        assert_eq!(
            error,
            "labels: expected shape (2), one for each row of the logits [2, 2], found [3]"
        );
        assert!(
            accuracy(&labels, &labels)
                .unwrap_err()
                .to_string()
                .contains("(examples, classes)")
        );
    }
}
