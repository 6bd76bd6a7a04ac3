//! A stage of a convolutional network: half the height and width, other channels.

use candle_core::{Tensor, Var};

use super::{ConvolutionNorm, Residual};
use crate::{Result, data::Random};

/// A convolution with max-pooling, and for some stages a [`Residual`] block behind it (after He et al., 2016).
#[derive(Debug, Clone)]
pub struct Stage {
    widen: ConvolutionNorm,
    residual: Option<Residual>,
}

impl Stage {
    /// Random weights.
    pub fn new(
        in_channels: usize,
        out_channels: usize,
        with_residual: bool,
        random: &mut Random,
    ) -> Result<Self> {
        Ok(Self {
            widen: ConvolutionNorm::new(in_channels, out_channels, 3, 1, random)?.pooled(2),
            residual: with_residual
                .then(|| Residual::new(out_channels, out_channels, 1, random))
                .transpose()?,
        })
    }

    /// From `(batch, height, width, in_channels)` to `(batch, height / 2, width / 2, out_channels)`.
    pub fn forward(&self, images: &Tensor) -> Result<Tensor> {
        let x = self.widen.forward(images)?;
        match &self.residual {
            Some(residual) => residual.forward(&x),
            None => Ok(x),
        }
    }

    /// The same with the statistics of this batch.
    pub fn forward_training(&self, images: &Tensor) -> Result<Tensor> {
        let x = self.widen.forward_training(images)?;
        match &self.residual {
            Some(residual) => residual.forward_training(&x),
            None => Ok(x),
        }
    }

    /// All parts by name.
    #[must_use]
    pub fn state(&self, name: &str) -> Vec<(String, Var)> {
        let mut state = self.widen.state(&format!("{name}.widen"));
        if let Some(residual) = &self.residual {
            state.extend(residual.state(&format!("{name}.residual")));
        }
        state
    }

    /// What the normalisations measure.
    #[must_use]
    pub fn buffers(&self) -> Vec<Var> {
        let mut buffers = self.widen.buffers();
        buffers.extend(self.residual.iter().flat_map(Residual::buffers));
        buffers
    }
}
