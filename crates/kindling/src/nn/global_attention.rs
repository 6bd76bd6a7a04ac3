//! Attention between two sequences, as translation used it before the Transformer.

use candle_core::{D, Tensor, Var};

use crate::{Error, Result, data::Random};

// ANCHOR: attention
/// Global attention with the *general* score `hₜᵀ W h̄ₛ` (Luong, Pham and Manning, 2015, equation 8).
///
/// ```
/// use candle_core::{Device, Tensor};
/// use kindling::{data::Random, nn::GlobalAttention};
/// let mut random = Random::new(0);
/// let attention = GlobalAttention::new(4, &mut random)?;
/// let queries = random.normal((1, 2, 4), 0.0, 1.0)?; // (batch, target time, features)
/// let memory = random.normal((1, 3, 4), 0.0, 1.0)?; // (batch, source time, features)
/// let mask = Tensor::new(&[[1_u32, 1, 0]], &Device::Cpu)?; // (batch, source time)
/// let (contexts, weights) = attention.forward(&queries, &memory, Some(&mask))?;
/// assert_eq!(contexts.dims(), [1, 2, 4]); // (batch, target time, features)
/// assert_eq!(weights.to_vec3::<f32>()?[0][0][2], 0.0, "padding gets nothing");
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct GlobalAttention {
    /// `(features, features)`.
    pub weight: Var,
}

impl GlobalAttention {
    /// Weights drawn evenly from ±1 / √features.
    pub fn new(features: usize, random: &mut Random) -> Result<Self> {
        let limit = (features.max(1) as f64).sqrt().recip();
        let weight = Var::from_tensor(&random.uniform((features, features), -limit, limit)?)?;
        Ok(Self { weight })
    }

    /// What each query `(batch, target time, features)` finds in the memory `(batch, source time, features)`: contexts of the
    /// queries' shape, and the weights `(batch, target time, source time)` that they are means with.
    pub fn forward(
        &self,
        queries: &Tensor,
        memory: &Tensor,
        mask: Option<&Tensor>,
    ) -> Result<(Tensor, Tensor)> {
        let (batch, time, features) = queries.dims3()?;
        let rows = queries.reshape((batch * time, features))?;
        let queries = rows
            .matmul(&self.weight)?
            .reshape((batch, time, features))?;
        let scores = queries.matmul(&memory.t()?.contiguous()?)?; // (batch, target time, source time)
        let weights = masked_softmax(&scores, mask)?;
        let contexts = weights.matmul(&memory.contiguous()?)?; // (batch, target time, features)
        Ok((contexts, weights))
    }

    /// The weight by name.
    #[must_use]
    pub fn state(&self, name: &str) -> Vec<(String, Var)> {
        vec![(format!("{name}.weight"), self.weight.clone())]
    }
}
// ANCHOR_END: attention

/// Softmax over the last dimension of `(batch, target time, source time)`, as if the places where `mask` `(batch, source time)` is
/// zero were not there; they get exactly 0, and so does a row that has no other places.
///
/// In operations that can be differentiated: Candle's own softmax over the last dimension cannot.
fn masked_softmax(scores: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
    let mask = mask
        .map(|mask| {
            let (batch, _, source) = scores.dims3()?;
            if mask.dims() != [batch, source] {
                return Err(Error::Shape {
                    what: "attention: mask".to_owned(),
                    expected: format!("({batch}, {source}), one for each place of the memory"),
                    found: mask.dims().to_vec(),
                });
            }
            Ok(mask.ne(0.0)?.to_dtype(scores.dtype())?.unsqueeze(1)?) // (batch, 1, source time)
        })
        .transpose()?;
    let scores = match &mask {
        None => scores.clone(),
        Some(mask) => scores.broadcast_add(&mask.affine(1e9, -1e9)?)?,
    };
    let highest = scores.max_keepdim(D::Minus1)?.detach(); // it cancels, so it needs no gradient
    let mut powers = scores.broadcast_sub(&highest)?.exp()?;
    if let Some(mask) = &mask {
        powers = powers.broadcast_mul(mask)?;
    }
    // The largest power is one, so the small number only matters where a row is empty.
    let total = (powers.sum_keepdim(D::Minus1)? + 1e-30)?;
    Ok(powers.broadcast_div(&total)?)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn rows_sum_to_one_over_what_is_there() {
        let mut random = Random::new(2);
        let attention = GlobalAttention::new(6, &mut random).unwrap();
        let queries = random.normal((3, 4, 6), 0.0, 3.0).unwrap();
        let memory = random.normal((3, 5, 6), 0.0, 3.0).unwrap();
        let mask = [[1_u8, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]];
        let given = Tensor::new(&mask, &Device::Cpu).unwrap();
        let (contexts, weights) = attention.forward(&queries, &memory, Some(&given)).unwrap();
        let contexts = contexts.to_vec3::<f32>().unwrap();
        for (example, rows) in weights.to_vec3::<f32>().unwrap().iter().enumerate() {
            let filled = mask[example].contains(&1);
            for row in rows {
                let expected = if filled { 1.0 } else { 0.0 };
                assert!((row.iter().sum::<f32>() - expected).abs() < 1e-6, "{row:?}");
                let absent = row.iter().zip(mask[example]).filter(|(_, seen)| *seen == 0);
                assert!(
                    absent.into_iter().all(|(weight, _)| *weight == 0.0),
                    "{row:?}"
                );
            }
        }
        assert_eq!(contexts[2], vec![vec![0.0; 6]; 4]);
        let wrong = Tensor::ones((3, 4), candle_core::DType::U8, &Device::Cpu).unwrap();
        let error = attention
            .forward(&queries, &memory, Some(&wrong))
            .unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("attention: mask: expected shape (3, 5)")
        );
    }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        let mut random = Random::new(4);
        let attention = GlobalAttention::new(3, &mut random).unwrap();
        let queries = random.normal((2, 2, 3), 0.0, 1.0).unwrap();
        let memory = random.normal((2, 4, 3), 0.0, 1.0).unwrap();
        let probe = random.normal((2, 2, 3), 0.0, 1.0).unwrap();
        let mask = Tensor::new(&[[1_u8, 1, 1, 0], [1, 1, 1, 1]], &Device::Cpu).unwrap();
        let loss = || {
            let (contexts, _) = attention.forward(&queries, &memory, Some(&mask)).unwrap();
            (contexts * &probe).unwrap().sum_all().unwrap()
        };
        let gradients = loss().backward().unwrap();
        let gradient = gradients
            .get(&attention.weight)
            .unwrap()
            .to_vec2::<f32>()
            .unwrap();
        let weights = attention.weight.to_vec2::<f32>().unwrap();
        for (row, column) in (0..3).flat_map(|row| (0..3).map(move |column| (row, column))) {
            let moved = |by: f32| {
                let mut weights = weights.clone();
                weights[row][column] += by;
                attention
                    .weight
                    .set(&Tensor::new(weights, &Device::Cpu).unwrap())
                    .unwrap();
                loss().to_scalar::<f32>().unwrap()
            };
            let slope = (moved(1e-2) - moved(-1e-2)) / 2e-2;
            assert!(
                (slope - gradient[row][column]).abs() < 2e-3,
                "{slope} {gradient:?}"
            );
        }
    }
}
