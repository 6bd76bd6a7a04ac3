//! A two-stage detector: the first stage proposes regions that may show something, the second looks closely at each (after Faster R-CNN: Ren et al.,
//! 2015), on a feature pyramid (Lin et al., 2017) and with regions read between the cells (He et al., 2017).
//!
//! Left out: pretrained weights, and batch normalisation that stands still, which they would need.

mod assign;
mod config;
mod head;
mod loss;
mod parts;
mod postprocess;
mod rpn;
mod sampling;

use candle_core::{Tensor, Var};

use super::{FeaturePyramid, Model};
use crate::{Error, Result, data::Random};
use head::RegionHead;
use rpn::RegionProposalNetwork;

pub use config::TwoStageDetectorConfig;
pub use loss::TwoStageDetectorLoss;
pub use parts::TwoStageLosses;
pub use sampling::BoxSampling;

// ANCHOR: detector
/// A feature pyramid, a network that proposes regions, and a head that looks at each region.
///
/// Its output is that of the first stage, `(batch, cells, channels + 5 · anchors per cell)`: for each cell its features, the logits of objectness of its
/// anchors, and the deltas of their boxes. Which regions the second stage looks at depends on it, and while training on the truth too: so
/// [`TwoStageDetectorLoss`] trains both stages, and [`TwoStageDetector::detect`] reads them. A clone shares the weights.
#[derive(Debug, Clone)]
pub struct TwoStageDetector {
    pyramid: FeaturePyramid,
    rpn: RegionProposalNetwork,
    head: RegionHead,
    config: TwoStageDetectorConfig,
}

impl TwoStageDetector {
    /// A model with random weights.
    pub fn new(config: &TwoStageDetectorConfig, seed: u64) -> Result<Self> {
        config.check()?;
        let mut random = Random::new(seed);
        Ok(Self {
            pyramid: FeaturePyramid::new(&config.pyramid, &mut random)?,
            rpn: RegionProposalNetwork::new(config, &mut random)?,
            head: RegionHead::new(config, &mut random)?,
            config: config.clone(),
        })
    }

    /// Its sizes.
    #[must_use]
    pub fn config(&self) -> &TwoStageDetectorConfig {
        &self.config
    }

    /// From the features of all levels, finest first, to the output for all cells.
    fn join(&self, levels: &[Tensor]) -> Result<Tensor> {
        let cells = levels.iter().map(|features| {
            let said = self.rpn.forward(features)?; // (batch, rows, columns, 5 · anchors per cell)
            Ok(Tensor::cat(&[features, &said], 3)?.flatten(1, 2)?)
        });
        Ok(Tensor::cat(&cells.collect::<Result<Vec<_>>>()?, 1)?)
    }

    /// The way back.
    fn split(&self, outputs: &Tensor) -> Result<FirstStage> {
        let (channels, anchors) = (self.config.pyramid.channels, self.config.anchors_per_cell());
        let cells: usize = self
            .pyramid
            .levels()
            .iter()
            .map(|level| level.cells())
            .sum();
        let width = channels + 5 * anchors;
        let batch = match *outputs.dims() {
            [batch, rows, numbers] if (rows, numbers) == (cells, width) => batch,
            _ => {
                return Err(Error::Shape {
                    what: "outputs".to_owned(),
                    expected: format!("(batch, {cells}, {width})"),
                    found: outputs.dims().to_vec(),
                });
            }
        };
        let (mut levels, mut start) = (Vec::new(), 0);
        for level in self.pyramid.levels() {
            let features = outputs
                .narrow(1, start, level.cells())?
                .narrow(2, 0, channels)?;
            levels.push(features.reshape((batch, level.rows, level.columns, channels))?);
            start += level.cells();
        }
        let objectness = outputs.narrow(2, channels, anchors)?;
        let deltas = outputs.narrow(2, channels + anchors, 4 * anchors)?;
        Ok(FirstStage {
            levels,
            objectness: objectness.reshape((batch, cells * anchors))?,
            deltas: deltas.reshape((batch, cells * anchors, 4))?,
        })
    }
}

/// What the first stage says of a batch.
#[derive(Debug)]
struct FirstStage {
    /// For each level, finest first, `(batch, rows, columns, channels)`.
    levels: Vec<Tensor>,
    /// `(batch, anchors)`.
    objectness: Tensor,
    /// `(batch, anchors, 4)`.
    deltas: Tensor,
}

impl Model for TwoStageDetector {
    fn forward(&self, images: &Tensor) -> Result<Tensor> {
        self.join(&self.pyramid.forward(images)?)
    }

    fn forward_training(&self, images: &Tensor, _: &mut Random) -> Result<Tensor> {
        self.join(&self.pyramid.forward_training(images)?)
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
        state.extend(self.rpn.state("rpn"));
        state.extend(self.head.state("head"));
        state
    }

    fn name(&self) -> String {
        "two-stage detector".to_owned()
    }
}

/// Sets weights so small that an untrained network says nearly nothing (Ren et al., 2015, section 3.1.3).
fn init_normal(weight: &Var, standard_deviation: f64, random: &mut Random) -> Result<()> {
    let numbers = random.normal(weight.shape().clone(), 0.0, standard_deviation)?;
    Ok(weight.set(&numbers)?)
}

#[cfg(test)]
mod tests;
