//! A one-stage detector without anchors: every cell of a feature pyramid says what it lies in, and how far it is to the four edges (after FCOS: Tian
//! et al., 2019).
//!
//! Left out: group normalisation in the head, a learned scale for each level, and pretrained weights.

mod assign;
mod found;
mod loss;

use candle_core::{Tensor, Var};

use super::{Model, channels_last};
use crate::{
    Error, Result,
    boxes::Level,
    data::Random,
    nn::{Convolution, ConvolutionNorm, Residual},
    ops::Conv2dConfig,
};

pub use loss::DetectorLoss;

/// The stages after which a level of the pyramid branches off, the last ones.
const LEVELS: usize = 3;

/// Before training every class has this probability at every cell, so that the many cells with nothing do not drown the rest (Lin et al., 2017, section 4.1).
const PRIOR: f64 = 0.01;

// ANCHOR: config
/// The sizes of a [`Detector`]; by default a small one for pictures of 128 × 128 pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetectorConfig {
    /// Height and width of a picture; multiples of the coarsest stride.
    pub image: (usize, usize),
    /// The channels of each stage; each stage halves height and width, and the last three make the pyramid.
    pub stages: Vec<usize>,
    /// The channels of the pyramid and of the head.
    pub pyramid: usize,
    /// How many convolutions the head has before its output.
    pub head: usize,
    /// How many classes there are.
    pub classes: usize,
}

impl Default for DetectorConfig {
    fn default() -> Self {
        Self {
            image: (128, 128),
            stages: vec![16, 32, 48, 64, 96],
            pyramid: 48,
            head: 2,
            classes: 5,
        }
    }
}

impl DetectorConfig {
    /// The levels of the pyramid, finest first.
    pub fn levels(&self) -> Result<Vec<Level>> {
        let (height, width) = self.image;
        let stages = self.stages.len();
        let coarsest = 1_usize.checked_shl(stages as u32).unwrap_or(0);
        let fits = |side: usize| side > 0 && coarsest > 0 && side.is_multiple_of(coarsest);
        if stages < LEVELS || self.classes == 0 || !fits(height) || !fits(width) {
            return Err(Error::Argument(format!(
                "detector: expected at least {LEVELS} stages, 1 class, and a picture whose sides are multiples of 2 for each stage ({coarsest}), found {self:?}"
            )));
        }
        let strides = (stages + 1 - LEVELS..=stages).map(|stage| 1 << stage);
        strides
            .map(|stride| Level::of_picture(height, width, stride))
            .collect()
    }
}
// ANCHOR_END: config

// ANCHOR: detector
/// A backbone of convolutions, a feature pyramid, and one head that looks at every cell of every level.
///
/// Its output is `(batch, cells, classes + 5)`: for each cell the logits of the classes, the logarithms of the distances to the left, upper, right and lower edge in
/// strides, and the logit of how central the cell is. [`DetectorLoss`] trains it, [`Detector::detect`] reads it.
#[derive(Debug, Clone)]
pub struct Detector {
    backbone: Vec<Stage>,
    /// For each level, finest first.
    lateral: Vec<Convolution>,
    smooth: Vec<Convolution>,
    head: Vec<Convolution>,
    output: Convolution,
    config: DetectorConfig,
    levels: Vec<Level>,
}

#[derive(Debug, Clone)]
struct Stage {
    widen: ConvolutionNorm,
    residual: Option<Residual>,
}

impl Detector {
    /// A model with random weights.
    pub fn new(config: &DetectorConfig, seed: u64) -> Result<Self> {
        let levels = config.levels()?;
        let mut random = Random::new(seed);
        let first_level = config.stages.len() - LEVELS;
        let (mut backbone, mut inputs) = (Vec::new(), 3);
        for (number, &channels) in config.stages.iter().enumerate() {
            backbone.push(Stage {
                widen: ConvolutionNorm::new(inputs, channels, 3, 1, &mut random)?.pooled(2),
                residual: (number >= first_level)
                    .then(|| Residual::new(channels, channels, 1, &mut random))
                    .transpose()?,
            });
            inputs = channels;
        }
        let mut square = |inputs: usize, outputs: usize, kernel: usize| {
            let config = Conv2dConfig {
                padding: kernel / 2,
                ..Conv2dConfig::default()
            };
            Convolution::new(inputs, outputs, kernel, config, &mut random)
        };
        let wide = config.pyramid;
        let branches = config.stages[first_level..].iter();
        let lateral = branches.map(|&channels| square(channels, wide, 1));
        let lateral = lateral.collect::<Result<_>>()?;
        let smooth = (0..LEVELS).map(|_| square(wide, wide, 3));
        let smooth = smooth.collect::<Result<_>>()?;
        let head = (0..config.head).map(|_| square(wide, wide, 3));
        let head = head.collect::<Result<_>>()?;
        let output = square(wide, config.classes + 5, 3)?;
        let mut bias = vec![-((1.0 - PRIOR) / PRIOR).ln() as f32; config.classes];
        bias.extend([0.0; 5]);
        output.bias.set(&Tensor::new(bias, output.bias.device())?)?;
        Ok(Self {
            backbone,
            lateral,
            smooth,
            head,
            output,
            config: config.clone(),
            levels,
        })
    }

    /// Its sizes.
    #[must_use]
    pub fn config(&self) -> &DetectorConfig {
        &self.config
    }

    /// From the features of the last stages, finest first, to the output for all cells.
    fn read_pyramid(&self, features: &[Tensor]) -> Result<Tensor> {
        let mut coarser: Option<Tensor> = None;
        let mut outputs = Vec::new();
        for (number, features) in features.iter().enumerate().rev() {
            let mut x = self.lateral[number].forward(features)?; // (batch, rows, columns, pyramid)
            if let Some(coarser) = coarser {
                x = (x + twice(&coarser)?)?;
            }
            coarser = Some(x.clone());
            let mut x = self.smooth[number].forward(&x)?;
            for convolution in &self.head {
                x = convolution.forward_relu(&x)?;
            }
            let said = self.output.forward(&x)?; // (batch, rows, columns, classes + 5)
            outputs.push(said.flatten(1, 2)?); // (batch, cells, classes + 5)
        }
        outputs.reverse();
        Ok(Tensor::cat(&outputs, 1)?)
    }
}

/// Each cell becomes 2 × 2: `(batch, rows, columns, channels)` to `(batch, 2 · rows, 2 · columns, channels)`.
fn twice(features: &Tensor) -> Result<Tensor> {
    let (batch, rows, columns, channels) = features.dims4()?;
    let cells = features.reshape((batch, rows, 1, columns, 1, channels))?;
    let cells = cells.broadcast_as((batch, rows, 2, columns, 2, channels))?;
    Ok(cells
        .contiguous()?
        .reshape((batch, 2 * rows, 2 * columns, channels))?)
}

impl Model for Detector {
    fn forward(&self, images: &Tensor) -> Result<Tensor> {
        let (height, width) = self.config.image;
        let mut x = channels_last(images, (height, width, 3))?;
        let mut features = Vec::new();
        for stage in &self.backbone {
            x = stage.widen.forward(&x)?; // (batch, height / 2, width / 2, channels)
            if let Some(residual) = &stage.residual {
                x = residual.forward(&x)?;
                features.push(x.clone());
            }
        }
        self.read_pyramid(&features)
    }

    fn forward_training(&self, images: &Tensor, _: &mut Random) -> Result<Tensor> {
        let (height, width) = self.config.image;
        let mut x = channels_last(images, (height, width, 3))?;
        let mut features = Vec::new();
        for stage in &self.backbone {
            x = stage.widen.forward_training(&x)?;
            if let Some(residual) = &stage.residual {
                x = residual.forward_training(&x)?;
                features.push(x.clone());
            }
        }
        self.read_pyramid(&features)
    }
    // ANCHOR_END: detector

    fn parameters(&self) -> Vec<Var> {
        crate::nn::trained(self.state())
    }

    fn state(&self) -> Vec<(String, Var)> {
        let mut state = Vec::new();
        for (stage, number) in self.backbone.iter().zip(1..) {
            state.extend(stage.widen.state(&format!("stage{number}.widen")));
            if let Some(residual) = &stage.residual {
                state.extend(residual.state(&format!("stage{number}.residual")));
            }
        }
        let parts = [
            ("lateral", &self.lateral),
            ("smooth", &self.smooth),
            ("head", &self.head),
        ];
        for (name, convolutions) in parts {
            for (convolution, number) in convolutions.iter().zip(1..) {
                state.extend(convolution.state(&format!("{name}{number}")));
            }
        }
        state.extend(self.output.state("output"));
        state
    }

    fn name(&self) -> String {
        "detector".to_owned()
    }
}

#[cfg(test)]
mod tests;
