//! The first stage: a small network that says of every anchor whether it lies on something, and how to move it there.

use candle_core::{Device, Tensor, Var};

use super::{TwoStageDetectorConfig, init_normal};
use crate::{
    Result,
    boxes::{BoxCoder, anchors, batched_nms, clip, large_enough, rows},
    data::Random,
    models::{detections::known, feature_pyramid::same_size},
    nn::Convolution,
    ops::select_rows,
};

/// So many of the surest anchors of each level become candidates.
const CANDIDATES: usize = 500;

/// Of two candidates that overlap by more, one is enough (Ren et al., 2015, section 3.3).
const OVERLAP: f64 = 0.7;

/// A region with a side of less than a pixel shows nothing.
const SMALLEST: f64 = 1.0;

// ANCHOR: rpn
/// A region proposal network (Ren et al., 2015, section 3.1), the same for all levels of the pyramid (Lin et al., 2017, section 4.1).
#[derive(Debug, Clone)]
pub(super) struct RegionProposalNetwork {
    hidden: Convolution,
    /// For each of a cell's anchors a logit of objectness, then for each the four deltas of its box.
    output: Convolution,
    /// How many anchors each level has.
    counts: Vec<usize>,
    /// `(anchors, 4)`.
    anchors: Tensor,
    image: (usize, usize),
    proposals: usize,
}

impl RegionProposalNetwork {
    pub(super) fn new(config: &TwoStageDetectorConfig, random: &mut Random) -> Result<Self> {
        let wide = config.pyramid.channels;
        let output = same_size(wide, 5 * config.anchors_per_cell(), 1, random)?;
        init_normal(&output.weight, 0.01, random)?;
        let mut counts = Vec::new();
        let mut of_levels = Vec::new();
        for level in config.pyramid.levels()? {
            let stride = level.stride as f64;
            let sides = config.anchor_sizes.iter().map(|size| size * stride);
            let around_corners = anchors(&[level], &[sides.collect()], &config.aspect_ratios)?;
            counts.push(around_corners.dim(0)?);
            of_levels.push((around_corners + stride / 2.0)?); // around the centres of the cells
        }
        Ok(Self {
            hidden: same_size(wide, wide, 3, random)?,
            output,
            counts,
            anchors: Tensor::cat(&of_levels, 0)?,
            image: config.pyramid.image,
            proposals: config.proposals,
        })
    }

    /// From the features of a level `(batch, rows, columns, channels)` to `(batch, rows, columns, 5 · anchors per cell)`.
    pub(super) fn forward(&self, features: &Tensor) -> Result<Tensor> {
        self.output.forward(&self.hidden.forward_relu(features)?)
    }

    /// The regions of one picture that are worth a closer look `(proposals, 4)`, surest first, from its `objectness` `(anchors)` and `deltas` `(anchors, 4)`.
    pub(super) fn proposals(&self, objectness: &Tensor, deltas: &Tensor) -> Result<Tensor> {
        let scores = objectness.to_vec1::<f32>()?;
        let (mut chosen, mut levels) = (Vec::new(), Vec::new());
        let mut start = 0;
        for (level, count) in self.counts.iter().enumerate() {
            let surest = top_k(&scores, start..start + count)?;
            levels.extend(surest.iter().map(|_| level as u32));
            chosen.extend(surest);
            start += count;
        }
        let moved = BoxCoder::default().decode(
            &select_rows(deltas, &chosen)?,
            &select_rows(&self.anchors, &chosen)?,
        )?;
        let boxes = clip(&moved, self.image.0, self.image.1)?; // (candidates, 4)
        let large = large_enough(&boxes, SMALLEST)?;
        let boxes = select_rows(&boxes, &large)?;
        let scores: Vec<f32> = large.iter().map(|&row| scores[chosen[row]]).collect();
        let levels: Vec<u32> = large.iter().map(|&row| levels[row]).collect();
        let kept = batched_nms(
            &boxes,
            &Tensor::new(scores, &Device::Cpu)?,
            &Tensor::new(levels, &Device::Cpu)?,
            OVERLAP,
        )?;
        select_rows(&boxes, &kept[..kept.len().min(self.proposals)])
    }
    // ANCHOR_END: rpn

    /// The corners of all anchors, level by level, cell by cell.
    pub(super) fn anchors(&self) -> Result<Vec<[f32; 4]>> {
        rows(&self.anchors, "anchors")
    }

    pub(super) fn state(&self, name: &str) -> Vec<(String, Var)> {
        let mut state = self.hidden.state(&format!("{name}.hidden"));
        state.extend(self.output.state(&format!("{name}.output")));
        state
    }
}

/// The places of the largest scores of a range, largest first.
fn top_k(scores: &[f32], range: std::ops::Range<usize>) -> Result<Vec<usize>> {
    let mut places: Vec<usize> = range.collect();
    for &place in &places {
        known(scores[place])?;
    }
    let order =
        |one: &usize, other: &usize| scores[*other].total_cmp(&scores[*one]).then(one.cmp(other));
    if places.len() > CANDIDATES {
        places.select_nth_unstable_by(CANDIDATES, order);
        places.truncate(CANDIDATES);
    }
    places.sort_unstable_by(order);
    Ok(places)
}
