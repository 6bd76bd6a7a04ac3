//! Batch normalisation, which behaves differently in training and in use (Ioffe and Szegedy, 2015).

use candle_core::{DType, Device, Tensor, Var};

use crate::{
    Result,
    ops::{batch_norm, bias_relu},
};

/// Gives each channel mean 0 and variance 1, then a scale and a shift that are learned.
///
/// ```
/// use kindling::{data::Random, nn::BatchNorm};
/// let norm = BatchNorm::new(3)?;
/// let features = Random::new(0).normal((8, 4, 4, 3), 5.0, 2.0)?; // (batch, height, width, channels)
/// let normal = norm.forward_training(&features)?;
/// assert!(normal.mean_all()?.to_scalar::<f32>()?.abs() < 1e-5);
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct BatchNorm {
    /// The scale γ `(channels)`, 1 at first.
    pub weight: Var,
    /// The shift β `(channels)`, 0 at first.
    pub bias: Var,
    /// The running mean `(channels)`, for use after training.
    pub running_mean: Var,
    /// The running variance `(channels)`.
    pub running_variance: Var,
    /// How much of a batch's statistics the running ones take over.
    pub momentum: f64,
    /// Keeps a division from being one by zero.
    pub epsilon: f64,
    /// Whether ReLU follows in the same pass.
    pub relu: bool,
}

impl BatchNorm {
    /// For this many channels, with PyTorch's momentum of 0.1 and epsilon of 1e-5.
    pub fn new(channels: usize) -> Result<Self> {
        Ok(Self {
            weight: Var::ones(channels, DType::F32, &Device::Cpu)?,
            bias: Var::zeros(channels, DType::F32, &Device::Cpu)?,
            running_mean: Var::zeros(channels, DType::F32, &Device::Cpu)?,
            running_variance: Var::ones(channels, DType::F32, &Device::Cpu)?,
            momentum: 0.1,
            epsilon: 1e-5,
            relu: false,
        })
    }

    /// The same followed by ReLU, in the same pass over the numbers.
    #[must_use]
    pub fn with_relu(self) -> Self {
        Self { relu: true, ..self }
    }

    /// Normalises `(…, channels)` with the running statistics.
    pub fn forward(&self, features: &Tensor) -> Result<Tensor> {
        // (x - mean) · γ / √(variance + ε) + β is one product and one sum for each channel.
        let deviation = (self.running_variance.as_tensor() + self.epsilon)?.sqrt()?;
        let factor = self.weight.div(&deviation)?; // (channels)
        let offset = self.bias.sub(&self.running_mean.mul(&factor)?)?; // (channels)
        let scaled = features.broadcast_mul(&factor)?;
        if self.relu {
            bias_relu(&scaled, &offset)
        } else {
            Ok(scaled.broadcast_add(&offset)?)
        }
    }

    /// Normalises with the statistics of this batch, and lets the running ones follow them.
    pub fn forward_training(&self, features: &Tensor) -> Result<Tensor> {
        let Self {
            weight,
            bias,
            epsilon,
            relu,
            ..
        } = self;
        let (output, batch) = batch_norm(features, weight, bias, *epsilon, *relu)?;
        // The running variance is the unbiased one, as in the paper's algorithm 2.
        let unbiased = batch.count as f64 / (batch.count as f64 - 1.0);
        follow(&self.running_mean, batch.mean, 1.0, self.momentum)?;
        follow(
            &self.running_variance,
            batch.variance,
            unbiased,
            self.momentum,
        )?;
        Ok(output)
    }

    /// Parameters and running statistics by name.
    #[must_use]
    pub fn state(&self, name: &str) -> Vec<(String, Var)> {
        [
            ("weight", &self.weight),
            ("bias", &self.bias),
            ("running_mean", &self.running_mean),
            ("running_variance", &self.running_variance),
        ]
        .map(|(part, tensor)| (format!("{name}.{part}"), tensor.clone()))
        .to_vec()
    }

    /// What it measures itself: mean and variance.
    #[must_use]
    pub fn buffers(&self) -> Vec<Var> {
        vec![self.running_mean.clone(), self.running_variance.clone()]
    }
}

/// `running ← (1 - momentum) · running + momentum · scale · batch`.
fn follow(running: &Var, batch: Vec<f32>, scale: f64, momentum: f64) -> Result<()> {
    let batch = Tensor::from_vec(batch, running.shape(), &Device::Cpu)?;
    let batch = batch
        .to_device(running.device())?
        .to_dtype(running.dtype())?;
    let kept = (running.as_detached_tensor() * (1.0 - momentum))?;
    Ok(running.set(&(kept + (batch * (momentum * scale))?)?)?)
}
