//! How large boxes are, and how far they lie inside the picture.

use candle_core::Tensor;

use super::{corners::rows, iou::sides};
use crate::{Error, Result};

/// The area of each of the boxes `(boxes, 4)`, as `(boxes)`.
///
/// ```
/// use candle_core::{Device, Tensor};
/// let boxes = Tensor::new(&[[0_f32, 0.0, 3.0, 2.0], [5.0, 0.0, 1.0, 2.0]], &Device::Cpu)?; // (2, 4)
/// assert_eq!(kindling::boxes::areas(&boxes)?.to_vec1::<f32>()?, [6.0, 0.0]); // the second has its edges the wrong way round
/// # Ok::<(), kindling::Error>(())
/// ```
pub fn areas(boxes: &Tensor) -> Result<Tensor> {
    rows(boxes, "boxes")?;
    let (width, height) = sides(boxes)?; // (boxes, 1) both
    Ok((width * height)?.squeeze(1)?)
}

/// Boxes `(boxes, 4)` with every edge moved into a picture of `height` and `width` pixels.
pub fn clip(boxes: &Tensor, height: usize, width: usize) -> Result<Tensor> {
    rows(boxes, "boxes")?;
    let edges = [width, height, width, height];
    let moved = edges.iter().enumerate().map(|(place, &edge)| {
        let edges = boxes.narrow(1, place, 1)?; // (boxes, 1)
        edges.clamp(0.0, edge as f64)
    });
    let moved = moved.collect::<candle_core::Result<Vec<_>>>()?;
    Ok(Tensor::cat(&moved, 1)?)
}

/// The positions of the boxes `(boxes, 4)` whose width and height are at least `smallest` pixels, in order.
pub fn large_enough(boxes: &Tensor, smallest: f64) -> Result<Vec<usize>> {
    if smallest.is_nan() {
        return Err(Error::Argument(
            "smallest: expected a number of pixels, found NaN".to_owned(),
        ));
    }
    let enough = |from: f32, to: f32| f64::from(to - from) >= smallest;
    let rows = rows(boxes, "boxes")?.into_iter().enumerate();
    let kept = rows.filter(|(_, [x1, y1, x2, y2])| enough(*x1, *x2) && enough(*y1, *y2));
    Ok(kept.map(|(position, _)| position).collect())
}
