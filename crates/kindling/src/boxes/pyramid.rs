//! Feature maps of different fineness: large things are looked for on coarse ones, small things on fine ones.

use candle_core::Tensor;

use super::corners::{area, rows};
use crate::{Error, Result};

/// The level that a box of the usual side belongs to.
const USUAL_LEVEL: f32 = 4.0;

/// One feature map over a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// Cells from top to bottom.
    pub rows: usize,
    /// Cells from left to right.
    pub columns: usize,
    /// Pixels of the picture from one cell to the next.
    pub stride: usize,
}

impl Level {
    /// The feature map that a picture of `height` and `width` pixels has when each cell stands for `stride` pixels each way.
    pub fn of_picture(height: usize, width: usize, stride: usize) -> Result<Self> {
        if stride == 0 {
            return Err(Error::Argument(
                "stride: expected at least 1 pixel, found 0".to_owned(),
            ));
        }
        Ok(Self {
            rows: height.div_ceil(stride),
            columns: width.div_ceil(stride),
            stride,
        })
    }

    /// How many cells there are.
    #[must_use]
    pub fn cells(&self) -> usize {
        self.rows * self.columns
    }
}

/// For each of the boxes `(boxes, 4)` the level of a feature pyramid that it is cut from, `lowest` to `highest`, where level k has the stride 2ᵏ.
///
/// `⌊4 + log₂(√area / usual_side)⌋`, kept between the two (Lin et al., 2017, "Feature Pyramid Networks", equation 1). There `usual_side` is 224, the side of
/// a picture of ImageNet; a box of that side is then 14 cells wide. Small pictures need a smaller one, or all boxes would be on the finest level.
///
/// ```
/// use candle_core::{Device, Tensor};
/// let boxes = Tensor::new(&[[0_f32, 0.0, 224.0, 224.0], [0.0, 0.0, 60.0, 40.0]], &Device::Cpu)?; // (2, 4)
/// assert_eq!(kindling::boxes::pyramid_levels(&boxes, 2, 5, 224.0)?, [4, 2]);
/// # Ok::<(), kindling::Error>(())
/// ```
pub fn pyramid_levels(
    boxes: &Tensor,
    lowest: usize,
    highest: usize,
    usual_side: f64,
) -> Result<Vec<usize>> {
    if lowest > highest {
        return Err(Error::Argument(format!(
            "levels: expected lowest <= highest, found {lowest} and {highest}"
        )));
    }
    if !(usual_side.is_finite() && usual_side > 0.0) {
        return Err(Error::Argument(format!(
            "usual_side: expected a number of pixels above 0, found {usual_side}"
        )));
    }
    let level = |corners| {
        // A little more, so that rounding does not put a box of exactly half the usual side one level too low.
        let level = USUAL_LEVEL + (area(corners).sqrt() / usual_side as f32).log2() + 1e-6;
        (level.floor().max(0.0) as usize).clamp(lowest, highest)
    };
    Ok(rows(boxes, "boxes")?.into_iter().map(level).collect())
}
