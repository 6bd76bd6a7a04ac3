//! A convolutional network: each stage looks at twice the area and has twice the channels of the one before.
//!
//! By default that of the lesson *Image classification in practice*: three convolutions of 3 × 3, each with ReLU and pooling,
//! then two fully connected layers. Left out: batch normalisation ([`super::NormCnn`]) and residual blocks ([`super::ResNet`]).

use candle_core::{Tensor, Var};

use super::{Model, channels_last};
use crate::{
    Error, Result,
    data::Random,
    nn::{Convolution, Dense},
    ops::Conv2dConfig,
};

// ANCHOR: config
/// The sizes of a [`Cnn`]; by default those for CIFAR-10.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CnnConfig {
    /// Height, width and channels of an image.
    pub image: (usize, usize, usize),
    /// The channels that each convolution gives.
    pub channels: Vec<usize>,
    /// How many units the hidden layer has.
    pub hidden: usize,
    /// How many classes there are.
    pub classes: usize,
}

impl Default for CnnConfig {
    fn default() -> Self {
        Self {
            image: (32, 32, 3),
            channels: vec![32, 64, 128],
            hidden: 128,
            classes: 10,
        }
    }
}
// ANCHOR_END: config

// ANCHOR: cnn
/// Convolution, ReLU and pooling, some times over; then [`Dense`], ReLU, [`Dense`].
#[derive(Debug, Clone)]
pub struct Cnn {
    /// From pixels to patterns, and from patterns to patterns of patterns.
    pub convolutions: Vec<Convolution>,
    /// From all patterns to some evidence.
    pub hidden: Dense,
    /// From evidence to logits.
    pub output: Dense,
    image: (usize, usize, usize),
}

impl Cnn {
    /// A model with random weights; fails when the image becomes too small for a convolution.
    pub fn new(config: &CnnConfig, seed: u64) -> Result<Self> {
        let mut random = Random::new(seed);
        let (mut height, mut width, mut inputs) = config.image;
        let mut convolutions = Vec::new();
        for &channels in &config.channels {
            if height < 4 || width < 4 {
                return Err(Error::Argument(format!(
                    "channels: expected fewer convolutions for images of {:?}, found {}",
                    config.image,
                    config.channels.len()
                )));
            }
            let stride = Conv2dConfig::default();
            convolutions.push(Convolution::new(inputs, channels, 3, stride, &mut random)?);
            // A 3 × 3 kernel without padding takes one pixel off each side, pooling halves what is left.
            (height, width) = ((height - 2) / 2, (width - 2) / 2);
            inputs = channels;
        }
        Ok(Self {
            convolutions,
            hidden: Dense::new(height * width * inputs, config.hidden, &mut random)?,
            output: Dense::new(config.hidden, config.classes, &mut random)?,
            image: config.image,
        })
    }
}

impl Model for Cnn {
    /// From images `(batch, height, width, channels)` to logits `(batch, classes)`.
    fn forward(&self, images: &Tensor) -> Result<Tensor> {
        let mut x = channels_last(images, self.image)?;
        for convolution in &self.convolutions {
            x = convolution.forward_relu_pool(&x, 2)?; // (batch, height, width, channels)
        }
        let x = self.hidden.forward_relu(&x.flatten_from(1)?)?; // (batch, hidden)
        self.output.forward(&x) // (batch, classes)
    }

    fn parameters(&self) -> Vec<Var> {
        crate::nn::trained(self.state(), &[])
    }

    fn state(&self) -> Vec<(String, Var)> {
        let convolutions = self.convolutions.iter().zip(1..);
        let mut state: Vec<(String, Var)> = convolutions
            .flat_map(|(layer, number)| layer.state(&format!("convolution{number}")))
            .collect();
        state.extend(self.hidden.state("hidden"));
        state.extend(self.output.state("output"));
        state
    }

    fn name(&self) -> String {
        "cnn".to_owned()
    }
}
// ANCHOR_END: cnn
