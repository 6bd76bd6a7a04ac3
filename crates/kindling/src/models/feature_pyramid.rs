//! A feature pyramid: what a picture shows, on maps of several fineness that all know what the coarsest knows (Lin et al., 2017).

use candle_core::{Tensor, Var};
use serde::{Deserialize, Serialize};

use super::channels_last;
use crate::{
    Error, Result,
    boxes::Level,
    data::Random,
    nn::{Convolution, Stage},
    ops::Conv2dConfig,
};

/// So many of the last stages become a level of the pyramid.
const LEVELS: usize = 3;

// ANCHOR: config
/// The sizes of a [`FeaturePyramid`]; by default a small one for pictures of 128 × 128 pixels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeaturePyramidConfig {
    /// Height and width of a picture; multiples of the coarsest stride.
    pub image: (usize, usize),
    /// The channels of each stage; each stage halves height and width, and the last three make the pyramid.
    pub stages: Vec<usize>,
    /// The channels of every level of the pyramid.
    pub channels: usize,
}

impl Default for FeaturePyramidConfig {
    fn default() -> Self {
        Self {
            image: (128, 128),
            stages: vec![16, 32, 48, 64, 96],
            channels: 48,
        }
    }
}
// ANCHOR_END: config

impl FeaturePyramidConfig {
    /// The levels of the pyramid, finest first.
    pub fn levels(&self) -> Result<Vec<Level>> {
        let (height, width) = self.image;
        let stages = self.stages.len();
        let coarsest = 1_usize.checked_shl(stages as u32).unwrap_or(0);
        let fits = |side: usize| side > 0 && coarsest > 0 && side.is_multiple_of(coarsest);
        let some = self.channels > 0 && self.stages.iter().all(|&channels| channels > 0);
        if stages < LEVELS || !some || !fits(height) || !fits(width) {
            return Err(Error::Argument(format!(
                "pyramid: expected at least {LEVELS} stages, 1 channel everywhere, and a picture whose sides are multiples of 2 for each stage ({coarsest}), found {self:?}"
            )));
        }
        let strides = (stages + 1 - LEVELS..=stages).map(|stage| 1 << stage);
        strides
            .map(|stride| Level::of_picture(height, width, stride))
            .collect()
    }
}

// ANCHOR: pyramid
/// A backbone of convolutions, and the way back from its coarsest map to finer ones (Lin et al., 2017, "Feature Pyramid Networks", figure 3).
///
/// ```
/// use kindling::{data::Random, models::{FeaturePyramid, FeaturePyramidConfig}};
/// let pyramid = FeaturePyramid::new(&FeaturePyramidConfig::default(), &mut Random::new(0))?;
/// let images = Random::new(1).uniform((2, 128, 128, 3), 0.0, 1.0)?; // (batch, height, width, 3)
/// let levels = pyramid.forward(&images)?;
/// assert_eq!(levels[0].dims(), [2, 16, 16, 48]); // the finest: (batch, rows, columns, channels)
/// assert_eq!(levels[2].dims(), [2, 4, 4, 48]);
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct FeaturePyramid {
    backbone: Vec<Stage>,
    /// For each level, finest first.
    lateral: Vec<Convolution>,
    smooth: Vec<Convolution>,
    config: FeaturePyramidConfig,
    levels: Vec<Level>,
}

impl FeaturePyramid {
    /// Random weights.
    pub fn new(config: &FeaturePyramidConfig, random: &mut Random) -> Result<Self> {
        let levels = config.levels()?;
        let first_level = config.stages.len() - LEVELS;
        let (mut backbone, mut inputs) = (Vec::new(), 3);
        for (number, &channels) in config.stages.iter().enumerate() {
            let is_level = number >= first_level;
            backbone.push(Stage::new(inputs, channels, is_level, random)?);
            inputs = channels;
        }
        let wide = config.channels;
        let branches = config.stages[first_level..].iter();
        let lateral = branches.map(|&channels| same_size(channels, wide, 1, random));
        let lateral = lateral.collect::<Result<_>>()?;
        let smooth = (0..LEVELS).map(|_| same_size(wide, wide, 3, random));
        let smooth = smooth.collect::<Result<_>>()?;
        Ok(Self {
            backbone,
            lateral,
            smooth,
            config: config.clone(),
            levels,
        })
    }

    /// From images `(batch, height, width, 3)` to features `(batch, rows, columns, channels)` for each level, finest first.
    pub fn forward(&self, images: &Tensor) -> Result<Vec<Tensor>> {
        self.top_down(&self.bottom_up(images, Stage::forward)?)
    }

    /// The same with the statistics of this batch in all normalisations.
    pub fn forward_training(&self, images: &Tensor) -> Result<Vec<Tensor>> {
        self.top_down(&self.bottom_up(images, Stage::forward_training)?)
    }

    /// What each of the last stages says of the images: coarser and coarser, and knowing more.
    fn bottom_up(
        &self,
        images: &Tensor,
        pass: impl Fn(&Stage, &Tensor) -> Result<Tensor>,
    ) -> Result<Vec<Tensor>> {
        let (height, width) = self.config.image;
        let mut x = channels_last(images, (height, width, 3))?;
        let mut features = Vec::new();
        for (stage, left) in self.backbone.iter().zip((0..self.backbone.len()).rev()) {
            x = pass(stage, &x)?; // (batch, height / 2, width / 2, channels)
            if left < LEVELS {
                features.push(x.clone());
            }
        }
        Ok(features)
    }

    /// Adds to each finer map what the coarser ones know.
    fn top_down(&self, features: &[Tensor]) -> Result<Vec<Tensor>> {
        let mut coarser: Option<Tensor> = None;
        let mut levels = Vec::new();
        for (number, features) in features.iter().enumerate().rev() {
            let mut x = self.lateral[number].forward(features)?; // (batch, rows, columns, channels)
            if let Some(coarser) = coarser {
                x = (x + upsample_2x(&coarser)?)?;
            }
            levels.push(self.smooth[number].forward(&x)?);
            coarser = Some(x);
        }
        levels.reverse();
        Ok(levels)
    }
    // ANCHOR_END: pyramid

    /// Its sizes.
    #[must_use]
    pub fn config(&self) -> &FeaturePyramidConfig {
        &self.config
    }

    /// Its levels, finest first.
    #[must_use]
    pub fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// All parts by name; both detectors give them the same names, so that one can start from the other's backbone.
    #[must_use]
    pub fn state(&self) -> Vec<(String, Var)> {
        let mut state = Vec::new();
        for (stage, number) in self.backbone.iter().zip(1..) {
            state.extend(stage.state(&format!("stage{number}")));
        }
        state.extend(numbered("lateral", &self.lateral));
        state.extend(numbered("smooth", &self.smooth));
        state
    }

    /// What the normalisations of the backbone measure.
    #[must_use]
    pub fn buffers(&self) -> Vec<Var> {
        self.backbone.iter().flat_map(Stage::buffers).collect()
    }
}

/// Each cell becomes 2 × 2: `(batch, rows, columns, channels)` to `(batch, 2 · rows, 2 · columns, channels)`.
fn upsample_2x(features: &Tensor) -> Result<Tensor> {
    let (batch, rows, columns, channels) = features.dims4()?;
    let cells = features.reshape((batch, rows, 1, columns, 1, channels))?;
    let cells = cells.broadcast_as((batch, rows, 2, columns, 2, channels))?;
    Ok(cells
        .contiguous()?
        .reshape((batch, 2 * rows, 2 * columns, channels))?)
}

/// A convolution that keeps height and width; `kernel` is odd.
pub(super) fn same_size(
    inputs: usize,
    outputs: usize,
    kernel: usize,
    random: &mut Random,
) -> Result<Convolution> {
    let config = Conv2dConfig {
        padding: kernel / 2,
        ..Conv2dConfig::default()
    };
    Convolution::new(inputs, outputs, kernel, config, random)
}

/// The parts of several convolutions by name and number, from 1.
pub(super) fn numbered(name: &str, convolutions: &[Convolution]) -> Vec<(String, Var)> {
    let numbers = convolutions.iter().zip(1..);
    numbers
        .flat_map(|(convolution, number)| convolution.state(&format!("{name}{number}")))
        .collect()
}
