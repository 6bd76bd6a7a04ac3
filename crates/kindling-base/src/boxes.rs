//! What is in a picture, what a model says is in it, and the tensor that holds its boxes.

use candle_core::{DType, Tensor};

use crate::{Error, Result};

/// How a thing counts when a model is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// It has to be found.
    #[default]
    Counted,
    /// It may be found or not, as a `difficult` thing of Pascal VOC.
    Ignored,
    /// A box around many things, as `iscrowd` in COCO: any number of boxes inside it is neither right nor wrong.
    Crowd,
}

/// A thing in a picture, as a person marked it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Object {
    /// `(x1, y1, x2, y2)` in pixels.
    pub corners: [f32; 4],
    /// The number of its class.
    pub class: usize,
    /// Whether it has to be found.
    pub role: Role,
}

impl Object {
    /// A thing that has to be found.
    #[must_use]
    pub fn new(corners: [f32; 4], class: usize) -> Self {
        Self {
            corners,
            class,
            role: Role::Counted,
        }
    }
}

/// A thing in a picture, as a model found it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// `(x1, y1, x2, y2)` in pixels.
    pub corners: [f32; 4],
    /// The number of its class.
    pub class: usize,
    /// How sure the model is, from 0 to 1.
    pub score: f32,
}

/// The rows of a tensor `(boxes, 4)`, all of them finite numbers; `what` names the argument in an error.
pub fn rows(boxes: &Tensor, what: &str) -> Result<Vec<[f32; 4]>> {
    if !matches!(boxes.dims(), [_, 4]) {
        return Err(Error::Shape {
            what: what.to_owned(),
            expected: "(boxes, 4)".to_owned(),
            found: boxes.dims().to_vec(),
        });
    }
    let numbers = boxes
        .to_dtype(DType::F32)?
        .flatten_all()?
        .to_vec1::<f32>()?;
    let (rows, _) = numbers.as_chunks::<4>();
    match rows
        .iter()
        .position(|row| row.iter().any(|edge| !edge.is_finite()))
    {
        None => Ok(rows.to_vec()),
        Some(row) => Err(Error::Argument(format!(
            "{what}: expected finite numbers, found {:?} in row {row}",
            rows[row]
        ))),
    }
}
