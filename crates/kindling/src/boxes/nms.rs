//! Non-maximum suppression: of boxes that show the same thing, only the surest stays.

use candle_core::{DType, Tensor};

use super::corners::{one_each, overlap, rows};
use crate::{Error, Result};

/// The positions of the boxes `(boxes, 4)` to keep by their scores `(boxes)`, surest first.
///
/// A box goes when its intersection over union with a kept, surer one is above `threshold`. Of equal scores the earlier box is the surer.
///
/// ```
/// use candle_core::{Device, Tensor};
/// let boxes = Tensor::new(&[[0_f32, 0.0, 10.0, 10.0], [1.0, 0.0, 11.0, 10.0], [20.0, 0.0, 30.0, 10.0]], &Device::Cpu)?; // (3, 4)
/// let scores = Tensor::new(&[0.6_f32, 0.9, 0.3], &Device::Cpu)?; // (3)
/// assert_eq!(kindling::boxes::nms(&boxes, &scores, 0.5)?, [1, 2]);
/// # Ok::<(), kindling::Error>(())
/// ```
pub fn nms(boxes: &Tensor, scores: &Tensor, threshold: f64) -> Result<Vec<usize>> {
    suppress(boxes, scores, threshold, |_, _| true)
}

/// [`nms`] for each class by itself: `classes` `(boxes)` are `u32`, and a box suppresses only boxes of its own class.
pub fn batched_nms(
    boxes: &Tensor,
    scores: &Tensor,
    classes: &Tensor,
    threshold: f64,
) -> Result<Vec<usize>> {
    if classes.dims() != [boxes.dims().first().copied().unwrap_or(0)] {
        return Err(Error::Shape {
            what: "classes".to_owned(),
            expected: format!("one for each of the boxes {:?}", boxes.dims()),
            found: classes.dims().to_vec(),
        });
    }
    let classes = classes.to_dtype(DType::U32)?.to_vec1::<u32>()?;
    suppress(boxes, scores, threshold, |one, other| {
        classes[one] == classes[other]
    })
}

fn suppress(
    boxes: &Tensor,
    scores: &Tensor,
    threshold: f64,
    compete: impl Fn(usize, usize) -> bool,
) -> Result<Vec<usize>> {
    if !(0.0..=1.0).contains(&threshold) {
        return Err(Error::Argument(format!(
            "threshold: expected a number from 0 to 1, found {threshold}"
        )));
    }
    let rows = rows(boxes, "boxes")?;
    let scores = one_each(scores, rows.len(), "scores")?;
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|&one, &other| scores[other].total_cmp(&scores[one]));
    let mut kept: Vec<usize> = Vec::new();
    for candidate in order {
        let hidden = kept.iter().any(|&surer| {
            compete(surer, candidate)
                && f64::from(overlap(rows[surer], rows[candidate])) > threshold
        });
        if !hidden {
            kept.push(candidate);
        }
    }
    Ok(kept)
}
