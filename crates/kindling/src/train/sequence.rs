//! Loss and right answers where an answer is a sequence, and padding does not count.

use candle_core::{D, DType, Tensor};

use crate::{Error, Result, ops::token_cross_entropy};

/// The mean cross-entropy of `logits` `(batch, time, vocabulary)` against `targets` `(batch, time)` over all tokens that are not
/// `padding`, a scalar; its exponential is the perplexity. For [`Training::loss`](super::Training::loss).
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// let logits = Tensor::zeros((1, 3, 4), DType::F32, &Device::Cpu)?; // (batch, time, vocabulary)
/// let targets = Tensor::new(&[[2_u32, 3, 0]], &Device::Cpu)?; // (batch, time)
/// let loss = kindling::train::sequence_cross_entropy(&logits, &targets, 0, 0.0)?;
/// assert!((loss.to_scalar::<f32>()? - 4_f32.ln()).abs() < 1e-6, "four equal chances");
/// # Ok::<(), kindling::Error>(())
/// ```
pub fn sequence_cross_entropy(
    logits: &Tensor,
    targets: &Tensor,
    padding: u32,
    label_smoothing: f64,
) -> Result<Tensor> {
    check(logits, targets)?;
    token_cross_entropy(logits, targets, padding, label_smoothing)
}

/// 1 for each token of `targets` `(batch, time)` that has the largest of its `logits` `(batch, time, vocabulary)`, 0 for each other,
/// and nothing for padding: `(tokens)`. For [`Training::correct`](super::Training::correct).
pub fn correct_tokens(logits: &Tensor, targets: &Tensor, padding: u32) -> Result<Tensor> {
    let (logits, targets) = tokens(logits, targets, padding)?;
    Ok(logits.argmax(D::Minus1)?.eq(&targets)?)
}

/// Batch, time and vocabulary, where there is a target for each row of the logits.
fn check(logits: &Tensor, targets: &Tensor) -> Result<(usize, usize, usize)> {
    let &[batch, time, vocabulary] = logits.dims() else {
        return Err(Error::Shape {
            what: "logits".to_owned(),
            expected: "(batch, time, vocabulary)".to_owned(),
            found: logits.dims().to_vec(),
        });
    };
    if targets.dims() != [batch, time] {
        return Err(Error::Shape {
            what: "targets".to_owned(),
            expected: format!("({batch}, {time}), one for each row of the logits"),
            found: targets.dims().to_vec(),
        });
    }
    Ok((batch, time, vocabulary))
}

/// The rows that are not padding: `(tokens, vocabulary)` and `(tokens)`.
fn tokens(logits: &Tensor, targets: &Tensor, padding: u32) -> Result<(Tensor, Tensor)> {
    let (batch, time, vocabulary) = check(logits, targets)?;
    let flat = targets.flatten_all()?.to_dtype(DType::U32)?;
    let ids = flat.to_vec1::<u32>()?;
    let places = (0_u32..).zip(ids).filter(|(_, id)| *id != padding);
    let places: Vec<u32> = places.map(|(place, _)| place).collect();
    if places.is_empty() {
        return Err(Error::Argument(format!(
            "targets: expected at least one token, found only padding ({padding})"
        )));
    }
    let logits = logits.reshape((batch * time, vocabulary))?;
    if places.len() == batch * time {
        return Ok((logits, flat));
    }
    let places = Tensor::new(places, logits.device())?;
    Ok((
        logits.index_select(&places, 0)?,
        flat.index_select(&places, 0)?,
    ))
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;
    use crate::{data::Random, ops::cross_entropy};

    #[test]
    fn padding_does_not_count() {
        let logits = Random::new(1).normal((2, 3, 5), 0.0, 1.0).unwrap();
        let logits = Var::from_tensor(&logits).unwrap();
        let targets = Tensor::new(&[[4_u32, 1, 2], [3, 0, 0]], &Device::Cpu).unwrap();
        let loss = sequence_cross_entropy(&logits, &targets, 0, 0.1).unwrap();
        let rows = logits.flatten(0, 1).unwrap().narrow(0, 0, 4).unwrap();
        let labels = Tensor::new(&[4_u32, 1, 2, 3], &Device::Cpu).unwrap();
        let expected = cross_entropy(&rows, &labels, 0.1).unwrap();
        let number = |tensor: &Tensor| tensor.to_scalar::<f32>().unwrap();
        assert!((number(&loss) - number(&expected)).abs() < 1e-6);
        let gradients = loss.backward().unwrap();
        let gradient = gradients.get(&logits).unwrap().to_vec3::<f32>().unwrap();
        assert_eq!(gradient[1][1..], [[0.0; 5], [0.0; 5]]);
        assert!(gradient[1][0].iter().all(|slope| *slope != 0.0));
    }

    #[test]
    fn right_tokens_are_counted() {
        let logits = Tensor::new(
            &[[[0_f32, 2.0, 1.0], [3.0, 0.0, 0.0], [0.0, 0.0, 1.0]]],
            &Device::Cpu,
        )
        .unwrap();
        let targets = Tensor::new(&[[1_u32, 2, 0]], &Device::Cpu).unwrap();
        let right = correct_tokens(&logits, &targets, 0).unwrap();
        assert_eq!(right.to_vec1::<u8>().unwrap(), [1, 0]);
        let error = correct_tokens(&logits, &(targets * 0.0).unwrap(), 0).unwrap_err();
        assert_eq!(
            error.to_string(),
            "targets: expected at least one token, found only padding (0)"
        );
    }
}
