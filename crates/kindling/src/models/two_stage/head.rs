//! The second stage: what a region shows, and where its edges really are.

use candle_core::{Tensor, Var};

use super::{TwoStageDetectorConfig, init_normal};
use crate::{
    Result,
    boxes::{Level, pyramid_levels},
    data::Random,
    nn::Dense,
    ops::{RoiAlignConfig, roi_align, select_rows},
};

/// The stride of level 4, which [`pyramid_levels`] counts from.
const STRIDE_OF_LEVEL_4: f64 = 16.0;

// ANCHOR: head
/// Two fully connected layers on the features of a region, and two outputs (Girshick, 2015, section 2.1; Lin et al., 2017, section 4.2).
#[derive(Debug, Clone)]
pub(super) struct RegionHead {
    hidden: [Dense; 2],
    /// The logits of all classes, and last that of the background.
    classes: Dense,
    /// For each class the deltas of the region's box.
    deltas: Dense,
    levels: Vec<Level>,
    /// Rows and columns of a region's features.
    side: usize,
}

impl RegionHead {
    pub(super) fn new(config: &TwoStageDetectorConfig, random: &mut Random) -> Result<Self> {
        let side = config.region_side;
        let inputs = side * side * config.pyramid.channels;
        let size = config.hidden_size;
        let classes = Dense::new(size, config.classes + 1, random)?;
        let deltas = Dense::new(size, 4 * config.classes, random)?;
        init_normal(&classes.weight, 0.01, random)?;
        init_normal(&deltas.weight, 0.001, random)?;
        Ok(Self {
            hidden: [
                Dense::new(inputs, size, random)?,
                Dense::new(size, size, random)?,
            ],
            classes,
            deltas,
            levels: config.pyramid.levels()?,
            side,
        })
    }

    /// From the features of all levels, and `regions` `(regions, 4)` on these `images` of the batch, to logits `(regions, classes + 1)` and deltas
    /// `(regions, 4 · classes)`.
    pub(super) fn forward(
        &self,
        levels: &[Tensor],
        regions: &Tensor,
        images: &[usize],
    ) -> Result<(Tensor, Tensor)> {
        let (x, order) = self.cut(levels, regions, images)?; // (regions, side · side · channels)
        let x = self.hidden[0].forward_relu(&x)?; // (regions, hidden_size)
        let x = self.hidden[1].forward_relu(&x)?;
        let order = Tensor::new(order, x.device())?;
        let back = |x: Tensor| x.index_select(&order, 0);
        Ok((
            back(self.classes.forward(&x)?)?,
            back(self.deltas.forward(&x)?)?,
        ))
    }

    /// The features of each region, level by level, and where each region is then found.
    fn cut(
        &self,
        levels: &[Tensor],
        regions: &Tensor,
        images: &[usize],
    ) -> Result<(Tensor, Vec<u32>)> {
        let level_of = self.level_of(regions)?;
        let (mut cuts, mut order) = (Vec::new(), vec![0; images.len()]);
        let mut done = 0;
        for (number, features) in levels.iter().enumerate() {
            let here = (0..images.len()).filter(|&region| level_of[region] == number);
            let here: Vec<usize> = here.collect();
            if here.is_empty() {
                continue;
            }
            let on: Vec<usize> = here.iter().map(|&region| images[region]).collect();
            let config = RoiAlignConfig {
                output: (self.side, self.side),
                spatial_scale: 1.0 / self.levels[number].stride as f64,
                ..RoiAlignConfig::default()
            };
            cuts.push(roi_align(
                features,
                &select_rows(regions, &here)?,
                &on,
                &config,
            )?);
            for region in here {
                order[region] = done;
                done += 1;
            }
        }
        Ok((Tensor::cat(&cuts, 0)?.flatten_from(1)?, order))
    }

    /// For each region the number of the coarsest level on which each cell of its features is still at least a cell of the map, as far as there is one.
    fn level_of(&self, regions: &Tensor) -> Result<Vec<usize>> {
        let exponent = |level: &Level| level.stride.trailing_zeros() as usize;
        let lowest = self.levels.first().map_or(0, exponent);
        let highest = self.levels.last().map_or(0, exponent);
        let usual_side = self.side as f64 * STRIDE_OF_LEVEL_4;
        let levels = pyramid_levels(regions, lowest, highest, usual_side)?;
        Ok(levels.into_iter().map(|level| level - lowest).collect())
    }
    // ANCHOR_END: head

    pub(super) fn state(&self, name: &str) -> Vec<(String, Var)> {
        let mut state = self.hidden[0].state(&format!("{name}.hidden1"));
        state.extend(self.hidden[1].state(&format!("{name}.hidden2")));
        state.extend(self.classes.state(&format!("{name}.classes")));
        state.extend(self.deltas.state(&format!("{name}.deltas")));
        state
    }
}
