//! The four numbers of a box, outside of a tensor.

use candle_core::{DType, Tensor};

use crate::{Error, Result};

pub(crate) use kindling_base::boxes::rows;

/// The numbers of a tensor `(boxes)` that has one for each box, none of them NaN.
pub(super) fn one_each(numbers: &Tensor, boxes: usize, what: &str) -> Result<Vec<f32>> {
    if numbers.dims() != [boxes] {
        return Err(Error::Shape {
            what: what.to_owned(),
            expected: format!("({boxes}), one for each box"),
            found: numbers.dims().to_vec(),
        });
    }
    let numbers = numbers.to_dtype(DType::F32)?.to_vec1::<f32>()?;
    match numbers.iter().position(|number| number.is_nan()) {
        None => Ok(numbers),
        Some(position) => Err(Error::Argument(format!(
            "{what}: expected numbers, found NaN at position {position}"
        ))),
    }
}

/// Width times height; 0 where the edges are the wrong way round.
pub(crate) fn area([x1, y1, x2, y2]: [f32; 4]) -> f32 {
    (x2 - x1).max(0.0) * (y2 - y1).max(0.0)
}

/// The area that two boxes have in common.
pub(crate) fn intersection(one: [f32; 4], other: [f32; 4]) -> f32 {
    area([
        one[0].max(other[0]),
        one[1].max(other[1]),
        one[2].min(other[2]),
        one[3].min(other[3]),
    ])
}

/// Intersection over union; 0 where there is no area at all.
pub(crate) fn overlap(one: [f32; 4], other: [f32; 4]) -> f32 {
    let common = intersection(one, other);
    let union = area(one) + area(other) - common;
    if union > 0.0 { common / union } else { 0.0 }
}
