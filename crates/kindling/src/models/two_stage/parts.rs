//! The parts of the loss of a two-stage detector, and how far boxes are from where they should be.

use candle_core::{DType, Tensor};

use super::sampling::{Positives, tensor};
use crate::{Result, boxes::BoxCoder, ops::smooth_l1};

/// Where the loss of a delta turns from square to straight.
const BETA: f64 = 1.0 / 9.0;

// ANCHOR: parts
/// The four parts of the loss, each a scalar.
#[derive(Debug, Clone)]
pub struct TwoStageLosses {
    /// Whether an anchor lies on something.
    pub objectness: Tensor,
    /// How anchors are moved.
    pub anchors: Tensor,
    /// What a region shows.
    pub classes: Tensor,
    /// How regions are moved.
    pub regions: Tensor,
}

impl TwoStageLosses {
    /// All together, a scalar.
    pub fn sum(&self) -> Result<Tensor> {
        let first = (&self.objectness + &self.anchors)?;
        let second = (&self.classes + &self.regions)?;
        Ok((first + second)?)
    }
}

/// The rows of a table, in this order; gradients go through.
pub(super) fn pick(table: &Tensor, rows: Vec<u32>) -> Result<Tensor> {
    Ok(table.index_select(&Tensor::new(rows, table.device())?, 0)?)
}

/// How far the `deltas` `(boxes, 4)` of the boxes on objects are from what they should be, summed, over `count`.
pub(super) fn box_loss(
    deltas: &Tensor,
    on: &Positives,
    coder: &BoxCoder,
    count: f64,
) -> Result<Tensor> {
    if on.boxes.is_empty() {
        return Ok(Tensor::zeros((), DType::F32, deltas.device())?);
    }
    let corners: Vec<[f32; 4]> = on.objects.iter().map(|object| object.corners).collect();
    let wanted = coder.encode(&tensor(&corners)?, &tensor(&on.boxes)?)?; // (boxes, 4)
    Ok((smooth_l1(deltas, &wanted, BETA)?.sum_all()? / count)?)
}
// ANCHOR_END: parts
