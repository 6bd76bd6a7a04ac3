//! Perplexity: among how many equally likely tokens a language model seems to choose.

use crate::{Error, Result};

/// The exponential of the mean cross-entropy, in nats per token (Jelinek et al., 1977).
///
/// A model that gives each of `n` tokens the same probability has perplexity `n`. Infinite when a token that came had probability 0.
/// Fails when the loss is negative or not a number. Add up the losses of all tokens before you take the mean: the
/// mean of the perplexities of batches is larger.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use kindling::metrics::perplexity;
/// let logits = Tensor::zeros((3, 50), DType::F32, &Device::Cpu)?; // (3 tokens, 50 words)
/// let targets = Tensor::new(&[4_u32, 0, 49], &Device::Cpu)?; // (3 tokens)
/// let loss = candle_nn::loss::cross_entropy(&logits, &targets)?.to_scalar::<f32>()?;
/// assert!((perplexity(f64::from(loss))? - 50.0).abs() < 1e-3);
/// # Ok::<(), kindling::Error>(())
/// ```
pub fn perplexity(cross_entropy: f64) -> Result<f64> {
    if cross_entropy.is_nan() || cross_entropy < 0.0 {
        return Err(Error::Argument(format!(
            "cross_entropy: expected a mean loss of at least 0, found {cross_entropy}"
        )));
    }
    Ok(cross_entropy.exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certainty_has_perplexity_one_and_impossibility_is_infinite() {
        assert_eq!(perplexity(0.0).unwrap(), 1.0);
        assert!((perplexity(2.5).unwrap().ln() - 2.5).abs() < 1e-12);
        assert_eq!(perplexity(f64::INFINITY).unwrap(), f64::INFINITY);
    }

    #[test]
    fn a_loss_that_cannot_be_is_refused() {
        for loss in [-0.1, f64::NAN, f64::NEG_INFINITY] {
            let problem = perplexity(loss).unwrap_err().to_string();
            assert!(
                problem.ends_with(&format!("at least 0, found {loss}")),
                "{problem}"
            );
        }
    }
}
