//! A small residual network (after He et al., 2016), shaped for few and quick epochs as in Page's *How to Train Your ResNet* (2018).

use candle_core::{Tensor, Var};

use super::{Model, channels_last};
use crate::{
    Result,
    data::Random,
    nn::{ConvolutionNorm, Dense, Stage, global_average_pool},
};

// ANCHOR: config
/// The sizes of a [`ResNet`]; by default those for CIFAR-10.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResNetConfig {
    /// Height, width and channels of an image.
    pub image: (usize, usize, usize),
    /// The channels of the first convolution.
    pub stem: usize,
    /// For each stage its channels, and whether a residual block follows.
    pub stages: Vec<(usize, bool)>,
    /// How many classes there are.
    pub classes: usize,
}

impl Default for ResNetConfig {
    fn default() -> Self {
        Self {
            image: (32, 32, 3),
            stem: 16,
            stages: vec![(32, true), (64, true), (128, true)],
            classes: 10,
        }
    }
}
// ANCHOR_END: config

// ANCHOR: resnet
/// A stem, stages that each halve the image, the mean of each channel, and one fully connected layer.
#[derive(Debug, Clone)]
pub struct ResNet {
    stem: ConvolutionNorm,
    stages: Vec<Stage>,
    output: Dense,
    image: (usize, usize, usize),
}

impl ResNet {
    /// A model with random weights.
    pub fn new(config: &ResNetConfig, seed: u64) -> Result<Self> {
        let mut random = Random::new(seed);
        let stem = ConvolutionNorm::new(config.image.2, config.stem, 3, 1, &mut random)?;
        let mut inputs = config.stem;
        let mut stages = Vec::new();
        for &(channels, residual) in &config.stages {
            stages.push(Stage::new(inputs, channels, residual, &mut random)?);
            inputs = channels;
        }
        Ok(Self {
            stem,
            stages,
            output: Dense::new(inputs, config.classes, &mut random)?,
            image: config.image,
        })
    }
}

impl Model for ResNet {
    fn forward(&self, images: &Tensor) -> Result<Tensor> {
        let mut x = self.stem.forward(&channels_last(images, self.image)?)?; // (batch, height, width, stem)
        for stage in &self.stages {
            x = stage.forward(&x)?; // (batch, height / 2, width / 2, channels)
        }
        self.output.forward(&global_average_pool(&x)?) // (batch, classes)
    }

    fn forward_training(&self, images: &Tensor, _: &mut Random) -> Result<Tensor> {
        let mut x = self
            .stem
            .forward_training(&channels_last(images, self.image)?)?;
        for stage in &self.stages {
            x = stage.forward_training(&x)?;
        }
        self.output.forward(&global_average_pool(&x)?)
    }
    // ANCHOR_END: resnet

    fn parameters(&self) -> Vec<Var> {
        crate::nn::trained(self.state(), &self.buffers())
    }

    fn buffers(&self) -> Vec<Var> {
        let mut buffers = self.stem.buffers();
        buffers.extend(self.stages.iter().flat_map(Stage::buffers));
        buffers
    }

    fn state(&self) -> Vec<(String, Var)> {
        let mut state = self.stem.state("stem");
        for (stage, number) in self.stages.iter().zip(1..) {
            state.extend(stage.state(&format!("stage{number}")));
        }
        state.extend(self.output.state("output"));
        state
    }

    fn name(&self) -> String {
        "resnet".to_owned()
    }
}
