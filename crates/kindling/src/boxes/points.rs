//! Points in place of anchors: each cell of a feature map answers for the thing that it lies in.

use candle_core::{Device, Tensor};

use super::Level;
use crate::Result;

/// The centres `(x, y)` of the cells of all levels in pixels, `(points, 2)`: level by level, row by row (Tian et al., 2019, section 3.1).
///
/// ```
/// use kindling::boxes::{Level, points};
/// let level = Level { rows: 1, columns: 3, stride: 8 };
/// let points = points(&[level])?; // (3, 2)
/// assert_eq!(points.to_vec2::<f32>()?, [[4.0, 4.0], [12.0, 4.0], [20.0, 4.0]]);
/// # Ok::<(), kindling::Error>(())
/// ```
pub fn points(levels: &[Level]) -> Result<Tensor> {
    let mut numbers = Vec::new();
    for level in levels {
        let middle = |cell: usize| (cell * level.stride + level.stride / 2) as f32;
        for row in 0..level.rows {
            numbers.extend((0..level.columns).flat_map(|column| [middle(column), middle(row)]));
        }
    }
    let count = numbers.len() / 2;
    Ok(Tensor::from_vec(numbers, (count, 2), &Device::Cpu)?)
}
