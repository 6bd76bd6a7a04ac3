//! The depthwise-separable block: first each channel by itself, then each pixel by itself (Howard et al., 2017, MobileNet).

use candle_core::{Tensor, Var};

use super::{BatchNorm, ConvolutionNorm};
use crate::{
    Result,
    data::Random,
    ops::{Conv2dConfig, conv2d},
};

/// A 3 × 3 convolution of each channel, normalised, then a 1 × 1 convolution across channels, normalised; ReLU after both.
///
/// It needs `9 · inputs + inputs · outputs` weights where a full 3 × 3 convolution needs `9 · inputs · outputs`.
#[derive(Debug, Clone)]
pub struct Separable {
    /// `(3, 3, 1, channels)`: one kernel a channel.
    depthwise: Var,
    norm: BatchNorm,
    pointwise: ConvolutionNorm,
    config: Conv2dConfig,
}

impl Separable {
    /// A stride of 2 halves height and width.
    pub fn new(
        in_channels: usize,
        out_channels: usize,
        stride: usize,
        random: &mut Random,
    ) -> Result<Self> {
        // Each output looks at nine numbers: variance 2 / 9 (He et al., 2015).
        let weight = random.normal((3, 3, 1, in_channels), 0.0, (2_f64 / 9.0).sqrt())?;
        Ok(Self {
            depthwise: Var::from_tensor(&weight)?,
            norm: BatchNorm::new(in_channels)?.with_relu(),
            pointwise: ConvolutionNorm::new(in_channels, out_channels, 1, 1, random)?,
            config: Conv2dConfig {
                stride,
                padding: 1,
                dilation: 1,
                groups: in_channels,
            },
        })
    }

    /// From `(batch, height, width, in_channels)` to `(batch, height / stride, width / stride, out_channels)`.
    pub fn forward(&self, images: &Tensor) -> Result<Tensor> {
        let features = conv2d(images, &self.depthwise, &self.config)?;
        self.pointwise.forward(&self.norm.forward(&features)?)
    }

    /// The same with the statistics of this batch.
    pub fn forward_training(&self, images: &Tensor) -> Result<Tensor> {
        let features = conv2d(images, &self.depthwise, &self.config)?;
        let features = self.norm.forward_training(&features)?;
        self.pointwise.forward_training(&features)
    }

    /// All parts by name.
    #[must_use]
    pub fn state(&self, name: &str) -> Vec<(String, Var)> {
        let mut state = vec![(format!("{name}.depthwise.weight"), self.depthwise.clone())];
        state.extend(self.norm.state(&format!("{name}.norm")));
        state.extend(self.pointwise.state(&format!("{name}.pointwise")));
        state
    }

    /// What the two normalisations measure.
    #[must_use]
    pub fn buffers(&self) -> Vec<Var> {
        [self.norm.buffers(), self.pointwise.buffers()].concat()
    }
}
