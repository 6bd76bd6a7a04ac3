//! A one-stage detector without anchors: every cell of a feature pyramid says what it lies in, and how far it is to the four edges (after FCOS: Tian
//! et al., 2019).
//!
//! Left out: group normalisation in the head, and pretrained weights.

mod assign;
mod loss;
mod postprocess;

use candle_core::{DType, Device, Tensor, Var};
use serde::{Deserialize, Serialize};

use super::{
    FeaturePyramid, FeaturePyramidConfig, Model,
    feature_pyramid::{numbered, same_size},
};
use crate::{Error, Result, boxes::Level, data::Random, nn::Convolution};

pub use loss::OneStageDetectorLoss;

/// Before training every class has this probability at every cell, so that the many cells with nothing do not drown the rest (Lin et al., 2017, section 4.1).
const PRIOR: f64 = 0.01;

// ANCHOR: config
/// The sizes of a [`OneStageDetector`]; by default a small one for pictures of 128 × 128 pixels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneStageDetectorConfig {
    /// The backbone and its pyramid.
    pub pyramid: FeaturePyramidConfig,
    /// How many convolutions the head has before its output.
    pub head: usize,
    /// How many classes there are.
    pub classes: usize,
}

impl Default for OneStageDetectorConfig {
    fn default() -> Self {
        Self {
            pyramid: FeaturePyramidConfig::default(),
            head: 2,
            classes: 5,
        }
    }
}
// ANCHOR_END: config

impl OneStageDetectorConfig {
    /// The levels of the pyramid, finest first.
    pub fn levels(&self) -> Result<Vec<Level>> {
        if self.classes == 0 {
            return Err(Error::Argument(
                "classes: expected at least 1, found 0".to_owned(),
            ));
        }
        self.pyramid.levels()
    }
}

// ANCHOR: detector
/// A feature pyramid, and one head that looks at every cell of every level.
///
/// Its output is `(batch, cells, classes + 5)`: for each cell the logits of the classes, the
/// logarithms of the distances to the left, upper, right and lower edge in strides, and the logit of
/// how central the cell is. [`OneStageDetectorLoss`] trains it, [`OneStageDetector::detect`] reads it.
#[derive(Debug, Clone)]
pub struct OneStageDetector {
    pyramid: FeaturePyramid,
    head: Vec<Convolution>,
    output: Convolution,
    /// For each level what its logarithms of distances are multiplied by, `(1)`
    /// (Tian et al., 2019, section 3.2).
    scales: Vec<Var>,
    config: OneStageDetectorConfig,
}

impl OneStageDetector {
    /// A model with random weights.
    pub fn new(config: &OneStageDetectorConfig, seed: u64) -> Result<Self> {
        let levels = config.levels()?;
        let mut random = Random::new(seed);
        let pyramid = FeaturePyramid::new(&config.pyramid, &mut random)?;
        let wide = config.pyramid.channels;
        let head = (0..config.head).map(|_| same_size(wide, wide, 3, &mut random));
        let head = head.collect::<Result<_>>()?;
        let output = same_size(wide, config.classes + 5, 3, &mut random)?;
        let mut bias = vec![-((1.0 - PRIOR) / PRIOR).ln() as f32; config.classes];
        bias.extend([0.0; 5]);
        output.bias.set(&Tensor::new(bias, output.bias.device())?)?;
        let scales = levels
            .iter()
            .map(|_| Var::ones(1, DType::F32, &Device::Cpu));
        let scales = scales.collect::<candle_core::Result<_>>()?;
        Ok(Self {
            pyramid,
            head,
            output,
            scales,
            config: config.clone(),
        })
    }

    /// Its sizes.
    #[must_use]
    pub fn config(&self) -> &OneStageDetectorConfig {
        &self.config
    }

    /// From the features of all levels, finest first, to the output for all cells.
    fn read_levels(&self, levels: &[Tensor]) -> Result<Tensor> {
        let mut outputs = Vec::new();
        for (features, scale) in levels.iter().zip(&self.scales) {
            let mut x = features.clone(); // (batch, rows, columns, channels)
            for convolution in &self.head {
                x = convolution.forward_relu(&x)?;
            }
            let said = self.output.forward(&x)?.flatten(1, 2)?; // (batch, cells, classes + 5)
            outputs.push(said.broadcast_mul(&self.factors(scale)?)?);
        }
        Ok(Tensor::cat(&outputs, 1)?)
    }

    /// The scale for the four distances, 1 for all else: `(classes + 5)`.
    fn factors(&self, scale: &Tensor) -> Result<Tensor> {
        let ones = |count: usize| Tensor::ones(count, scale.dtype(), scale.device());
        let distances = scale.broadcast_as(4)?;
        Ok(Tensor::cat(
            &[ones(self.config.classes)?, distances, ones(1)?],
            0,
        )?)
    }
}

impl Model for OneStageDetector {
    fn forward(&self, images: &Tensor) -> Result<Tensor> {
        self.read_levels(&self.pyramid.forward(images)?)
    }

    fn forward_training(&self, images: &Tensor, _: &mut Random) -> Result<Tensor> {
        self.read_levels(&self.pyramid.forward_training(images)?)
    }
    // ANCHOR_END: detector

    fn parameters(&self) -> Vec<Var> {
        crate::nn::trained(self.state(), &self.buffers())
    }

    fn buffers(&self) -> Vec<Var> {
        self.pyramid.buffers()
    }

    fn state(&self) -> Vec<(String, Var)> {
        let mut state = self.pyramid.state();
        state.extend(numbered("head", &self.head));
        state.extend(self.output.state("output"));
        let scales = self.scales.iter().zip(1..);
        state.extend(scales.map(|(scale, number)| (format!("scale{number}"), scale.clone())));
        state
    }

    fn name(&self) -> String {
        "detector".to_owned()
    }
}

#[cfg(test)]
mod tests;
