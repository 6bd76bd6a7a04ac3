//! From the output of both stages to boxes.

use candle_core::{D, Tensor};

use super::{FirstStage, TwoStageDetector};
use crate::{
    Result,
    boxes::{BoxCoder, Detection},
    models::{
        Model,
        detections::{candidates, detections},
    },
    ops::select_rows,
};

/// What the deltas of a region are multiplied by: regions are nearer to the truth than anchors, so the deltas are smaller (Girshick, 2015, section 2.3).
pub(super) const REGION_WEIGHTS: [f64; 4] = [10.0, 10.0, 5.0, 5.0];

// ANCHOR: detect
impl TwoStageDetector {
    /// What is in each of the images `(batch, height, width, 3)`, surest first.
    ///
    /// A box needs a probability above `threshold`; of boxes of one class that overlap by more than `overlap` the surest stays.
    ///
    /// ```
    /// use kindling::{data::Random, models::{TwoStageDetector, TwoStageDetectorConfig}};
    /// let model = TwoStageDetector::new(&TwoStageDetectorConfig::default(), 0)?;
    /// let images = Random::new(1).uniform((2, 128, 128, 3), 0.0, 1.0)?; // (batch, height, width, 3)
    /// assert!(model.proposals(&images)?[0].dim(0)? > 0, "the first stage proposes");
    /// assert_eq!(model.detect(&images, 0.9, 0.5)?, [[], []]); // but nothing has been learned yet
    /// # Ok::<(), kindling::Error>(())
    /// ```
    pub fn detect(
        &self,
        images: &Tensor,
        threshold: f64,
        overlap: f64,
    ) -> Result<Vec<Vec<Detection>>> {
        let first = self.split(&self.forward(images)?.detach())?;
        self.look(&first, threshold, overlap)
    }

    /// What the second stage makes of what the first said.
    pub(super) fn look(
        &self,
        first: &FirstStage,
        threshold: f64,
        overlap: f64,
    ) -> Result<Vec<Vec<Detection>>> {
        let batch = first.objectness.dim(0)?;
        let regions = (0..batch).map(|picture| self.propose(first, picture));
        let regions = regions.collect::<Result<Vec<_>>>()?;
        let mut images = Vec::new();
        for (picture, regions) in regions.iter().enumerate() {
            images.extend(vec![picture; regions.dim(0)?]);
        }
        if images.is_empty() {
            return Ok(vec![Vec::new(); batch]);
        }
        let all = Tensor::cat(&regions, 0)?; // (regions, 4)
        let (logits, deltas) = self.head.forward(&first.levels, &all, &images)?;
        let scores = candle_nn::ops::softmax(&logits, D::Minus1)?; // (regions, classes + 1)
        let mut start = 0;
        let read = |regions: Tensor| {
            let count = regions.dim(0)?;
            let of_picture = |tensor: &Tensor| tensor.narrow(0, start, count);
            let (scores, deltas) = (of_picture(&scores)?, of_picture(&deltas)?);
            start += count;
            self.read(&regions, &scores, &deltas, (threshold, overlap))
        };
        regions.into_iter().map(read).collect()
    }

    /// What the first stage proposes in each of the images `(batch, height, width, 3)`: boxes `(proposals, 4)`, surest first.
    pub fn proposals(&self, images: &Tensor) -> Result<Vec<Tensor>> {
        let first = self.split(&self.forward(images)?.detach())?;
        let pictures = 0..first.objectness.dim(0)?;
        pictures
            .map(|picture| self.propose(&first, picture))
            .collect()
    }

    /// The regions of one picture `(proposals, 4)`; no gradient goes through them.
    pub(super) fn propose(&self, first: &FirstStage, picture: usize) -> Result<Tensor> {
        let objectness = first.objectness.get(picture)?.detach();
        let deltas = first.deltas.get(picture)?.detach();
        self.rpn.proposals(&objectness, &deltas)
    }

    /// One picture: its regions `(regions, 4)`, their probabilities `(regions, classes + 1)` and deltas `(regions, 4 · classes)`.
    fn read(
        &self,
        regions: &Tensor,
        scores: &Tensor,
        deltas: &Tensor,
        (threshold, overlap): (f64, f64),
    ) -> Result<Vec<Detection>> {
        let classes = self.config.classes;
        let found = candidates(&scores.narrow(1, 0, classes)?, threshold)?;
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<usize> = found.iter().map(|candidate| candidate.row).collect();
        let of_class = found
            .iter()
            .map(|candidate| candidate.row * classes + candidate.class);
        let of_class: Vec<usize> = of_class.collect();
        let deltas = select_rows(&deltas.contiguous()?.reshape(((), 4))?, &of_class)?;
        let boxes =
            BoxCoder::new(REGION_WEIGHTS)?.decode(&deltas, &select_rows(regions, &rows)?)?;
        detections(&found, &boxes, self.config.pyramid.image, overlap)
    }
}
// ANCHOR_END: detect
