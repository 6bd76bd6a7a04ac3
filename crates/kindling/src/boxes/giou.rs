//! Generalised intersection over union, which also says how far apart boxes are that do not touch (Rezatofighi et al., 2019).

use candle_core::Tensor;

use super::{
    corners::rows,
    iou::{overlap, paired, sides},
};
use crate::{Error, Result};

/// Added to every area that is divided by.
const EPSILON: f64 = 1e-7;

/// The generalised intersection over union of each of `boxes` `(boxes, 4)` with each of `others` `(others, 4)`, as `(boxes, others)`.
///
/// From 1 for the same box down to -1 for boxes infinitely far apart: the share in common, less the empty share of the smallest box
/// around both (Rezatofighi et al., 2019, algorithm 1).
pub fn giou(boxes: &Tensor, others: &Tensor) -> Result<Tensor> {
    rows(boxes, "boxes")?;
    rows(others, "others")?;
    let values = values(&boxes.unsqueeze(1)?, &others.unsqueeze(0)?)?; // (boxes, others, 1)
    Ok(values.squeeze(2)?)
}

/// `1 - giou` of each of `boxes` `(boxes, 4)` with the box in the same row of `targets` `(boxes, 4)`, as `(boxes)`.
///
/// Unlike the intersection over union it has a gradient also where boxes do not touch.
///
/// ```
/// use candle_core::{Device, Tensor, Var};
/// let boxes = Var::new(&[[0_f32, 0.0, 2.0, 2.0]], &Device::Cpu)?; // (1, 4)
/// let targets = Tensor::new(&[[4_f32, 0.0, 6.0, 2.0]], &Device::Cpu)?; // (1, 4)
/// let loss = kindling::boxes::giou_loss(&boxes, &targets)?; // (1)
/// assert!(loss.to_vec1::<f32>()?[0] > 1.0);
/// let gradients = loss.sum_all()?.backward()?;
/// let right_edge = gradients.get(&boxes).map(|edges| edges.narrow(1, 2, 1)?.sum_all()?.to_scalar::<f32>()).transpose()?;
/// assert!(right_edge < Some(0.0), "downhill is to the right, where the target is");
/// # Ok::<(), kindling::Error>(())
/// ```
pub fn giou_loss(boxes: &Tensor, targets: &Tensor) -> Result<Tensor> {
    rows(boxes, "boxes")?;
    rows(targets, "targets")?;
    if boxes.dims() != targets.dims() {
        return Err(Error::Shape {
            what: "targets".to_owned(),
            expected: format!("that of the boxes, {:?}", boxes.dims()),
            found: targets.dims().to_vec(),
        });
    }
    Ok((1.0 - values(boxes, targets)?)?.squeeze(1)?) // (boxes)
}

fn values(boxes: &Tensor, others: &Tensor) -> candle_core::Result<Tensor> {
    let (intersection, union) = overlap(boxes, others)?;
    let around = paired(
        boxes,
        others,
        |one, other| one.broadcast_minimum(other),
        |one, other| one.broadcast_maximum(other),
    )?;
    let (width, height) = sides(&around)?;
    let around = (width * height)?;
    let shared = (intersection / (&union + EPSILON)?)?;
    shared - ((&around - union)? / (&around + EPSILON)?)?
}
