//! Anchors: boxes of a few sizes and shapes at every cell of a feature map, which a network moves and stretches.

use candle_core::{Device, Tensor};

use super::Level;
use crate::{Error, Result};

/// The anchors of all levels, `(anchors, 4)`: level by level, row by row, cell by cell, then by aspect ratio and size.
///
/// `sizes` holds the sides of each level's anchors in pixels; an anchor of aspect ratio `r = height / width` has the area `size²`
/// (Ren et al., 2015, section 3.1.1). Edges lie on whole pixels around the cell's upper left corner, as in torchvision.
///
/// ```
/// use kindling::boxes::{Level, anchors};
/// let level = Level { rows: 2, columns: 3, stride: 16 };
/// let anchors = anchors(&[level], &[vec![32.0]], &[0.5, 1.0, 2.0])?;
/// assert_eq!(anchors.dims(), [2 * 3 * 3, 4]);
/// assert_eq!(anchors.to_vec2::<f32>()?[1], [-16.0, -16.0, 16.0, 16.0]);
/// # Ok::<(), kindling::Error>(())
/// ```
pub fn anchors(levels: &[Level], sizes: &[Vec<f64>], aspect_ratios: &[f64]) -> Result<Tensor> {
    if levels.len() != sizes.len() {
        return Err(Error::Argument(format!(
            "sizes: expected a list for each of the {} levels, found {}",
            levels.len(),
            sizes.len()
        )));
    }
    positive("aspect_ratios", aspect_ratios)?;
    let mut numbers = Vec::new();
    for (level, sizes) in levels.iter().zip(sizes) {
        positive("sizes", sizes)?;
        let around = around_zero(sizes, aspect_ratios);
        for row in 0..level.rows {
            for column in 0..level.columns {
                let (x, y) = ((column * level.stride) as f32, (row * level.stride) as f32);
                let moved = around.iter();
                numbers.extend(moved.flat_map(|[x1, y1, x2, y2]| [x + x1, y + y1, x + x2, y + y2]));
            }
        }
    }
    let count = numbers.len() / 4;
    Ok(Tensor::from_vec(numbers, (count, 4), &Device::Cpu)?)
}

/// The anchors of a cell at 0.
fn around_zero(sizes: &[f64], aspect_ratios: &[f64]) -> Vec<[f32; 4]> {
    let half = |ratio: f64, size: f64| {
        let (width, height) = (size / ratio.sqrt(), size * ratio.sqrt());
        let (x, y) = (
            (width / 2.0).round_ties_even() as f32,
            (height / 2.0).round_ties_even() as f32,
        );
        [-x, -y, x, y]
    };
    let of_ratio = |&ratio: &f64| sizes.iter().map(move |&size| half(ratio, size));
    aspect_ratios.iter().flat_map(of_ratio).collect()
}

fn positive(what: &str, numbers: &[f64]) -> Result<()> {
    match numbers
        .iter()
        .find(|number| !(number.is_finite() && **number > 0.0))
    {
        None => Ok(()),
        Some(wrong) => Err(Error::Argument(format!(
            "{what}: expected numbers above 0, found {wrong}"
        ))),
    }
}
