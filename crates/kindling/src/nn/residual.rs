//! The residual block: layers that learn what to add to their input (He et al., 2016, figure 2).

use candle_core::{Tensor, Var};

use super::ConvolutionNorm;
use crate::{Result, data::Random, ops::add_relu};

// ANCHOR: residual
/// `relu(x + f(x))`, with two 3 × 3 convolutions as `f`.
///
/// Where the block changes the number of channels or the size of the image, a 1 × 1 convolution
/// brings `x` into shape.
#[derive(Debug, Clone)]
pub struct Residual {
    first: ConvolutionNorm,
    second: ConvolutionNorm,
    shortcut: Option<ConvolutionNorm>,
}

impl Residual {
    /// A stride of 2 halves height and width.
    pub fn new(
        in_channels: usize,
        out_channels: usize,
        stride: usize,
        random: &mut Random,
    ) -> Result<Self> {
        let changes = in_channels != out_channels || stride != 1;
        let shortcut = changes
            .then(|| ConvolutionNorm::new(in_channels, out_channels, 1, stride, random))
            .transpose()?;
        Ok(Self {
            first: ConvolutionNorm::new(in_channels, out_channels, 3, stride, random)?,
            second: ConvolutionNorm::new(out_channels, out_channels, 3, 1, random)?.linear(),
            shortcut: shortcut.map(ConvolutionNorm::linear),
        })
    }

    /// From `(batch, height, width, in_channels)` to
    /// `(batch, height / stride, width / stride, out_channels)`.
    pub fn forward(&self, images: &Tensor) -> Result<Tensor> {
        let added = self.second.forward(&self.first.forward(images)?)?;
        match &self.shortcut {
            Some(shortcut) => add_relu(&shortcut.forward(images)?, &added),
            None => add_relu(images, &added),
        }
    }
    // ANCHOR_END: residual

    /// The same with the statistics of this batch.
    pub fn forward_training(&self, images: &Tensor) -> Result<Tensor> {
        let added = self
            .second
            .forward_training(&self.first.forward_training(images)?)?;
        match &self.shortcut {
            Some(shortcut) => add_relu(&shortcut.forward_training(images)?, &added),
            None => add_relu(images, &added),
        }
    }

    /// All parts by name.
    #[must_use]
    pub fn state(&self, name: &str) -> Vec<(String, Var)> {
        let mut state = self.first.state(&format!("{name}.first"));
        state.extend(self.second.state(&format!("{name}.second")));
        if let Some(shortcut) = &self.shortcut {
            state.extend(shortcut.state(&format!("{name}.shortcut")));
        }
        state
    }

    /// What the normalisations measure.
    #[must_use]
    pub fn buffers(&self) -> Vec<Var> {
        let parts = [
            Some(&self.first),
            Some(&self.second),
            self.shortcut.as_ref(),
        ];
        parts
            .into_iter()
            .flatten()
            .flat_map(ConvolutionNorm::buffers)
            .collect()
    }
}
