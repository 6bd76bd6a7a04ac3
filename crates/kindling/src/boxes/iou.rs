//! Intersection over union: the share of two boxes that they have in common.

use candle_core::Tensor;

use super::corners::rows;
use crate::Result;

/// A union below this is one of boxes without area; dividing by it would give no number.
const SMALLEST_UNION: f64 = 1e-12;

/// The intersection over union of each of `boxes` `(boxes, 4)` with each of `others` `(others, 4)`, as `(boxes, others)`.
///
/// 1 for the same box, 0 where they do not touch, and 0 where neither has an area (Jaccard, 1912). Gradients go through it.
///
/// ```
/// use candle_core::{Device, Tensor};
/// let boxes = Tensor::new(&[[0_f32, 0.0, 2.0, 2.0]], &Device::Cpu)?; // (1, 4)
/// let others = Tensor::new(&[[0_f32, 0.0, 2.0, 2.0], [1.0, 0.0, 3.0, 2.0], [2.0, 2.0, 3.0, 3.0]], &Device::Cpu)?; // (3, 4)
/// let shares = kindling::boxes::iou(&boxes, &others)?; // (1, 3)
/// assert_eq!(shares.to_vec2::<f32>()?, [[1.0, 2.0 / 6.0, 0.0]]);
/// # Ok::<(), kindling::Error>(())
/// ```
pub fn iou(boxes: &Tensor, others: &Tensor) -> Result<Tensor> {
    rows(boxes, "boxes")?;
    rows(others, "others")?;
    let (intersection, union) = overlap(&boxes.unsqueeze(1)?, &others.unsqueeze(0)?)?;
    let shares = (intersection / union.maximum(SMALLEST_UNION)?)?; // (boxes, others, 1)
    Ok(shares.squeeze(2)?)
}

/// Width and height of boxes `(…, 4)`, each `(…, 1)`; 0 where the edges are the wrong way round.
pub(super) fn sides(boxes: &Tensor) -> candle_core::Result<(Tensor, Tensor)> {
    let corners = boxes.rank() - 1;
    let edge = |place| boxes.narrow(corners, place, 1);
    let width = (edge(2)? - edge(0)?)?.relu()?;
    let height = (edge(3)? - edge(1)?)?.relu()?;
    Ok((width, height))
}

/// The larger of each two numbers, or the smaller.
pub(super) type Choose = fn(&Tensor, &Tensor) -> candle_core::Result<Tensor>;

/// Pairs boxes `(…, 4)` with boxes `(…, 4)` whose other dimensions fit, and takes one of the two for each edge: the two upper left edges
/// are chosen by `first`, the two lower right by `last`.
pub(super) fn paired(
    boxes: &Tensor,
    others: &Tensor,
    first: Choose,
    last: Choose,
) -> candle_core::Result<Tensor> {
    let corners = boxes.rank() - 1;
    let part = |tensor: &Tensor, place| tensor.narrow(corners, place, 2);
    let upper = first(&part(boxes, 0)?, &part(others, 0)?)?;
    let lower = last(&part(boxes, 2)?, &part(others, 2)?)?;
    Tensor::cat(&[upper, lower], corners)
}

/// The common area and the area together, each `(…, 1)`.
pub(super) fn overlap(boxes: &Tensor, others: &Tensor) -> candle_core::Result<(Tensor, Tensor)> {
    let area = |boxes: &Tensor| {
        let (width, height) = sides(boxes)?;
        width * height
    };
    let common = paired(
        boxes,
        others,
        |one, other| one.broadcast_maximum(other),
        |one, other| one.broadcast_minimum(other),
    )?;
    let intersection = area(&common)?;
    let union = (area(boxes)?.broadcast_add(&area(others)?)? - &intersection)?;
    Ok((intersection, union))
}
