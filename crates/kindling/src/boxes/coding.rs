//! A box as a network says it: how far from an anchor, and how much larger.

use candle_core::Tensor;

use super::corners::rows;
use crate::{Error, Result};

/// Turns boxes into the numbers that a network learns, and back (Girshick et al., 2014, appendix C).
///
/// With a box of centre `(x, y)`, width `w` and height `h`, and an anchor likewise, the deltas are
/// `((x - x_a) / w_a, (y - y_a) / h_a, ln(w / w_a), ln(h / h_a))`, each times its weight.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use kindling::boxes::BoxCoder;
/// let coder = BoxCoder::default();
/// let anchors = Tensor::new(&[[0_f32, 0.0, 10.0, 10.0]], &Device::Cpu)?; // (1, 4)
/// let boxes = Tensor::new(&[[5_f32, 0.0, 15.0, 10.0]], &Device::Cpu)?; // (1, 4)
/// let deltas = coder.encode(&boxes, &anchors)?; // (1, 4)
/// assert_eq!(deltas.to_vec2::<f32>()?, [[0.5, 0.0, 0.0, 0.0]]);
/// assert_eq!(coder.decode(&deltas, &anchors)?.to_vec2::<f32>()?, boxes.to_vec2::<f32>()?);
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoxCoder {
    /// What the deltas of x, y, width and height are multiplied by, so that they vary about as much as 1.
    pub weights: [f64; 4],
    /// The largest logarithm of a growth: beyond it a bad prediction would overflow.
    pub largest_growth: f64,
}

impl Default for BoxCoder {
    /// All weights 1, as in a region proposal network; growth up to 1000 / 16.
    fn default() -> Self {
        Self {
            weights: [1.0; 4],
            largest_growth: (1000_f64 / 16.0).ln(),
        }
    }
}

impl BoxCoder {
    /// A coder with these weights; Fast R-CNN's are `[10.0, 10.0, 5.0, 5.0]`.
    pub fn new(weights: [f64; 4]) -> Result<Self> {
        if weights
            .iter()
            .any(|weight| !(weight.is_finite() && *weight > 0.0))
        {
            return Err(Error::Argument(format!(
                "weights: expected four numbers above 0, found {weights:?}"
            )));
        }
        Ok(Self {
            weights,
            ..Self::default()
        })
    }

    /// From boxes `(boxes, 4)` and their anchors `(boxes, 4)` to deltas `(boxes, 4)`; all must have an area.
    pub fn encode(&self, boxes: &Tensor, anchors: &Tensor) -> Result<Tensor> {
        same(boxes, "boxes", anchors)?;
        with_area(boxes, "boxes")?;
        with_area(anchors, "anchors")?;
        let (centre, size) = middles(boxes)?; // (boxes, 2) both
        let (anchor_centre, anchor_size) = middles(anchors)?;
        let shift = ((centre - anchor_centre)? / &anchor_size)?;
        let growth = (size / anchor_size)?.log()?;
        Ok(Tensor::cat(&[shift, growth], 1)?.broadcast_mul(&self.factors(boxes)?)?)
    }

    /// From deltas `(boxes, 4)` and anchors `(boxes, 4)` to boxes `(boxes, 4)`; gradients go to the deltas.
    pub fn decode(&self, deltas: &Tensor, anchors: &Tensor) -> Result<Tensor> {
        same(deltas, "deltas", anchors)?;
        rows(anchors, "anchors")?;
        let deltas = deltas.broadcast_div(&self.factors(deltas)?)?; // (boxes, 4)
        let (anchor_centre, anchor_size) = middles(anchors)?; // (boxes, 2) both
        let centre = (anchor_centre + (deltas.narrow(1, 0, 2)? * &anchor_size)?)?;
        let growth = deltas.narrow(1, 2, 2)?.minimum(self.largest_growth)?;
        let half = ((anchor_size * growth.exp()?)? * 0.5)?;
        Ok(Tensor::cat(&[(&centre - &half)?, (centre + half)?], 1)?)
    }

    fn factors(&self, like: &Tensor) -> Result<Tensor> {
        Ok(Tensor::new(&[self.weights], like.device())?.to_dtype(like.dtype())?) // (1, 4)
    }
}

/// Centres and sizes of boxes `(boxes, 4)`, each `(boxes, 2)`.
fn middles(boxes: &Tensor) -> candle_core::Result<(Tensor, Tensor)> {
    let (upper, lower) = (boxes.narrow(1, 0, 2)?, boxes.narrow(1, 2, 2)?);
    Ok(((&upper + &lower)?.affine(0.5, 0.0)?, (lower - upper)?))
}

fn same(boxes: &Tensor, what: &str, anchors: &Tensor) -> Result<()> {
    rows(boxes, what)?;
    if boxes.dims() != anchors.dims() {
        return Err(Error::Shape {
            what: "anchors".to_owned(),
            expected: format!("that of the {what}, {:?}", boxes.dims()),
            found: anchors.dims().to_vec(),
        });
    }
    Ok(())
}

fn with_area(boxes: &Tensor, what: &str) -> Result<()> {
    let rows = rows(boxes, what)?;
    match rows
        .iter()
        .position(|[x1, y1, x2, y2]| x2 <= x1 || y2 <= y1)
    {
        None => Ok(()),
        Some(row) => Err(Error::Argument(format!(
            "{what}: expected boxes with x1 < x2 and y1 < y2, found {:?} in row {row}; leave such boxes out",
            rows[row]
        ))),
    }
}
