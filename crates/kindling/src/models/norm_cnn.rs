//! A deeper convolutional network that batch normalisation makes easy to train.
//!
//! Left out: residual blocks ([`super::ResNet`]).

use candle_core::{Tensor, Var};

use super::{Model, channels_last};
use crate::{
    Result,
    data::Random,
    nn::{ConvolutionNorm, Dense, Dropout},
    ops::max_pool2d,
};

/// The sizes of a [`NormCnn`]; by default those for MNIST.
#[derive(Debug, Clone, PartialEq)]
pub struct NormCnnConfig {
    /// Height, width and channels of an image.
    pub image: (usize, usize, usize),
    /// The channels of each stage; a stage is two convolutions and a pooling that halves the image.
    pub stages: Vec<usize>,
    /// How many of the features the last layer does without while training.
    pub dropout: f64,
    /// How many classes there are.
    pub classes: usize,
}

impl Default for NormCnnConfig {
    fn default() -> Self {
        Self {
            image: (28, 28, 1),
            stages: vec![32, 64],
            dropout: 0.3,
            classes: 10,
        }
    }
}

// ANCHOR: norm_cnn
/// Two convolutions and a pooling, some times over; then dropout and one fully connected layer.
#[derive(Debug, Clone)]
pub struct NormCnn {
    stages: Vec<[ConvolutionNorm; 2]>,
    dropout: Dropout,
    output: Dense,
    image: (usize, usize, usize),
}

impl NormCnn {
    /// A model with random weights.
    pub fn new(config: &NormCnnConfig, seed: u64) -> Result<Self> {
        let mut random = Random::new(seed);
        let (mut height, mut width, mut inputs) = config.image;
        let mut stages = Vec::new();
        for &channels in &config.stages {
            stages.push([
                ConvolutionNorm::new(inputs, channels, 3, 1, &mut random)?,
                ConvolutionNorm::new(channels, channels, 3, 1, &mut random)?,
            ]);
            (height, width, inputs) = (height / 2, width / 2, channels);
        }
        Ok(Self {
            stages,
            dropout: Dropout::new(config.dropout)?,
            output: Dense::new(height * width * inputs, config.classes, &mut random)?,
            image: config.image,
        })
    }
}

impl Model for NormCnn {
    fn forward(&self, images: &Tensor) -> Result<Tensor> {
        let mut x = channels_last(images, self.image)?;
        for [first, second] in &self.stages {
            x = second.forward(&first.forward(&x)?)?; // (batch, height, width, channels)
            x = max_pool2d(&x, 2, 2)?; // (batch, height / 2, width / 2, channels)
        }
        self.output.forward(&x.flatten_from(1)?) // (batch, classes)
    }

    fn forward_training(&self, images: &Tensor, random: &mut Random) -> Result<Tensor> {
        let mut x = channels_last(images, self.image)?;
        for [first, second] in &self.stages {
            x = second.forward_training(&first.forward_training(&x)?)?;
            x = max_pool2d(&x, 2, 2)?;
        }
        let x = self.dropout.forward_training(&x.flatten_from(1)?, random)?;
        self.output.forward(&x) // (batch, classes)
    }
    // ANCHOR_END: norm_cnn

    fn parameters(&self) -> Vec<Var> {
        crate::nn::trained(self.state(), &self.buffers())
    }

    fn buffers(&self) -> Vec<Var> {
        let layers = self.stages.iter().flatten();
        layers.flat_map(ConvolutionNorm::buffers).collect()
    }

    fn state(&self) -> Vec<(String, Var)> {
        let mut state = Vec::new();
        for ([first, second], number) in self.stages.iter().zip(1..) {
            state.extend(first.state(&format!("stage{number}.first")));
            state.extend(second.state(&format!("stage{number}.second")));
        }
        state.extend(self.output.state("output"));
        state
    }

    fn name(&self) -> String {
        "norm-cnn".to_owned()
    }
}
