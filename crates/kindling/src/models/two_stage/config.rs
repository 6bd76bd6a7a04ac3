//! How large a two-stage detector is.

use serde::{Deserialize, Serialize};

use crate::{Error, Result, models::FeaturePyramidConfig};

// ANCHOR: config
/// The sizes of a [`TwoStageDetector`](super::TwoStageDetector); by default a small one for pictures
/// of 128 × 128 pixels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TwoStageDetectorConfig {
    /// The backbone and its pyramid.
    pub pyramid: FeaturePyramidConfig,
    /// The sides of a cell's anchors, in strides of its level.
    pub anchor_sizes: Vec<f64>,
    /// The shapes of a cell's anchors: height over width.
    pub aspect_ratios: Vec<f64>,
    /// How many regions of a picture the second stage looks at.
    pub proposals: usize,
    /// Rows and columns that the features of a region are brought to.
    pub region_side: usize,
    /// The units of both hidden layers of the second stage.
    pub hidden_size: usize,
    /// How many classes there are.
    pub classes: usize,
}

impl Default for TwoStageDetectorConfig {
    fn default() -> Self {
        Self {
            pyramid: FeaturePyramidConfig::default(),
            anchor_sizes: vec![2.0, 3.0],
            aspect_ratios: vec![0.5, 1.0, 2.0],
            proposals: 128,
            region_side: 7,
            hidden_size: 128,
            classes: 5,
        }
    }
}
// ANCHOR_END: config

impl TwoStageDetectorConfig {
    /// Names the size that makes no sense, if there is one; the pyramid checks its own.
    pub(super) fn check(&self) -> Result<()> {
        let numbers = [
            ("classes", self.classes),
            ("proposals", self.proposals),
            ("region_side", self.region_side),
            ("hidden_size", self.hidden_size),
            ("anchor_sizes", self.anchor_sizes.len()),
            ("aspect_ratios", self.aspect_ratios.len()),
        ];
        match numbers.iter().find(|(_, number)| *number == 0) {
            None => Ok(()),
            Some((name, _)) => Err(Error::Argument(format!(
                "{name}: expected at least 1, found 0"
            ))),
        }
    }

    /// How many anchors stand around the centre of a cell.
    pub(super) fn anchors_per_cell(&self) -> usize {
        self.anchor_sizes.len() * self.aspect_ratios.len()
    }
}
