//! From scores and boxes to what is in a picture: the last step of every detector.

use candle_core::{Device, Tensor};

use crate::{
    Error, Result,
    boxes::{Detection, batched_nms, clip, rows},
};

/// So many of the surest boxes of a picture are looked at, and so many of them are kept.
const LOOKED_AT: usize = 1_000;
const KEPT: usize = 100;

/// A box that may be shown: where it comes from, what it would be, and how sure that is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidate {
    /// A row of the scores.
    pub(super) row: usize,
    pub(super) class: usize,
    pub(super) score: f32,
}

/// What of `scores` `(boxes, classes)` is above `threshold`, surest first.
pub(super) fn candidates(scores: &Tensor, threshold: f64) -> Result<Vec<Candidate>> {
    if !(0.0..=1.0).contains(&threshold) {
        return Err(Error::Argument(format!(
            "threshold: expected a number from 0 to 1, found {threshold}"
        )));
    }
    let mut found = Vec::new();
    for (row, scores) in scores.to_vec2::<f32>()?.iter().enumerate() {
        for (class, &score) in scores.iter().enumerate() {
            if f64::from(known(score)?) > threshold {
                found.push(Candidate { row, class, score });
            }
        }
    }
    found.sort_by(|one, other| other.score.total_cmp(&one.score));
    found.truncate(LOOKED_AT);
    Ok(found)
}

/// A score that is a number.
pub(super) fn known(score: f32) -> Result<f32> {
    if score.is_nan() {
        return Err(Error::Argument(
            "detector: a score is NaN; training has gone wrong, or a picture has no numbers"
                .to_owned(),
        ));
    }
    Ok(score)
}

/// The candidates with their boxes `(candidates, 4)`, cut at the picture's edges; of boxes of one class that overlap by more than `overlap` the surest stays.
pub(super) fn detections(
    candidates: &[Candidate],
    boxes: &Tensor,
    (height, width): (usize, usize),
    overlap: f64,
) -> Result<Vec<Detection>> {
    let boxes = clip(boxes, height, width)?;
    let scores: Vec<f32> = candidates.iter().map(|found| found.score).collect();
    let classes: Vec<u32> = candidates.iter().map(|found| found.class as u32).collect();
    let kept = batched_nms(
        &boxes,
        &Tensor::new(scores, &Device::Cpu)?,
        &Tensor::new(classes, &Device::Cpu)?,
        overlap,
    )?;
    let boxes = rows(&boxes, "boxes")?;
    let detection = |&place: &usize| Detection {
        corners: boxes[place],
        class: candidates[place].class,
        score: candidates[place].score,
    };
    Ok(kept.iter().take(KEPT).map(detection).collect())
}
