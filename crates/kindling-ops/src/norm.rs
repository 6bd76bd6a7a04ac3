//! What normalisations share: how rows are given to threads; a weight and a bias for each of the last dimension's places, and their gradients.

use candle_core::Tensor;

use super::parts::add;
use crate::{Error, Result};

/// Numbers a thread takes at a time; a fixed number, so that sums do not depend on the threads.
const PART: usize = 1 << 15;

/// How many numbers of whole rows make a part.
pub(super) fn part(size: usize) -> usize {
    (PART / size).max(1) * size
}

/// How many places the last dimension of the features has; each is to have a weight and a bias.
pub(super) fn size(features: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<usize> {
    let size = features.dims().last().copied().unwrap_or(0);
    for (what, tensor) in [("weight", weight), ("bias", bias)] {
        if tensor.dims() != [size] || size == 0 {
            return Err(Error::Shape {
                what: what.to_owned(),
                expected: format!("the last dimension of the features {:?}", features.dims()),
                found: tensor.dims().to_vec(),
            });
        }
    }
    Ok(size)
}

/// The gradients `(size)` of weight and bias.
pub(super) struct Sums {
    pub(super) weight: Vec<f32>,
    pub(super) bias: Vec<f32>,
}

impl Sums {
    /// Nothing yet.
    pub(super) fn zeros(size: usize) -> Self {
        Self {
            weight: vec![0.0; size],
            bias: vec![0.0; size],
        }
    }

    /// Those of all parts together, always in one order, so that they do not depend on the threads.
    pub(super) fn together(parts: &[Self], size: usize) -> Self {
        let mut sums = Self::zeros(size);
        for part in parts {
            add(&mut sums.weight, &part.weight);
            add(&mut sums.bias, &part.bias);
        }
        sums
    }
}

/// What the way back gives for features, weight and bias, as tensors of their shapes.
pub(super) fn gradients(
    grad_features: Vec<f32>,
    sums: Sums,
    [features, weight, bias]: [&Tensor; 3],
) -> candle_core::Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
    let tensor = |numbers: Vec<f32>, like: &Tensor| {
        Tensor::from_vec(numbers, like.shape(), like.device()).map(Some)
    };
    Ok((
        tensor(grad_features, features)?,
        tensor(sums.weight, weight)?,
        tensor(sums.bias, bias)?,
    ))
}
