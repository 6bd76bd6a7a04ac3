//! Layer normalisation, which is the same in training and in use (Ba, Kiros and Hinton, 2016).

use candle_core::{DType, Device, Tensor, Var};

use crate::{Result, ops::layer_norm};

// ANCHOR: layer_norm
/// Gives the features of each token mean 0 and variance 1, then a scale and a shift that are learned.
///
/// ```
/// use kindling::{data::Random, nn::LayerNorm};
/// let norm = LayerNorm::new(64)?;
/// let tokens = Random::new(0).normal((2, 5, 64), 5.0, 2.0)?; // (batch, time, features)
/// let normal = norm.forward(&tokens)?; // (batch, time, features)
/// let largest_mean = normal.mean(2)?.abs()?.max_all()?.to_scalar::<f32>()?;
/// assert!(largest_mean < 1e-5);
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct LayerNorm {
    /// The scale γ `(features)`, 1 at first.
    pub weight: Var,
    /// The shift β `(features)`, 0 at first.
    pub bias: Var,
    /// Keeps a division from being one by zero.
    pub epsilon: f64,
}

impl LayerNorm {
    /// For so many features, with PyTorch's epsilon of 1e-5.
    pub fn new(features: usize) -> Result<Self> {
        Ok(Self {
            weight: Var::ones(features, DType::F32, &Device::Cpu)?,
            bias: Var::zeros(features, DType::F32, &Device::Cpu)?,
            epsilon: 1e-5,
        })
    }

    /// Normalises each row of `(…, features)` by its own mean and variance.
    pub fn forward(&self, tokens: &Tensor) -> Result<Tensor> {
        layer_norm(tokens, &self.weight, &self.bias, self.epsilon)
    }

    /// Scale and shift by name.
    #[must_use]
    pub fn state(&self, name: &str) -> Vec<(String, Var)> {
        vec![
            (format!("{name}.weight"), self.weight.clone()),
            (format!("{name}.bias"), self.bias.clone()),
        ]
    }
}
// ANCHOR_END: layer_norm
