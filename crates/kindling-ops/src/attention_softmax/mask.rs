//! What is added to attention's scores, of any shape that can be spread over theirs.

use candle_core::{DType, Tensor};

use crate::{Error, Result};

/// Fails unless a mask fits scores of these dimensions.
pub(crate) fn check_mask(mask: Option<&Tensor>, scores: [usize; 4]) -> Result<()> {
    let [batch, heads, queries, keys] = scores;
    let fits = |mask: &&Tensor| {
        let (dims, rank) = (mask.dims(), mask.rank());
        let before = [batch, heads, queries];
        let pairs = dims.iter().rev().skip(1).zip(before.iter().rev());
        (1..=4).contains(&rank)
            && dims.last() == Some(&keys)
            && pairs
                .into_iter()
                .all(|(&own, &full)| own == 1 || own == full)
    };
    match mask.filter(|mask| !fits(mask)) {
        Some(mask) => Err(Error::Shape {
            what: "mask".to_owned(),
            expected: format!("({batch} or 1, {heads} or 1, {queries} or 1, {keys})"),
            found: mask.dims().to_vec(),
        }),
        None => Ok(()),
    }
}

/// The numbers of a mask, and how far apart its examples, heads and queries lie; 0 where all have the same.
pub(crate) struct Mask {
    values: Vec<f32>,
    strides: [usize; 3],
    sizes: [usize; 2],
}

impl Mask {
    pub(crate) fn new(mask: &Tensor, sizes: [usize; 2]) -> Result<Self> {
        let keys = mask.dims().last().copied().unwrap_or(0);
        let (mut strides, mut stride) = ([0; 3], keys);
        for (place, &size) in strides
            .iter_mut()
            .rev()
            .zip(mask.dims().iter().rev().skip(1))
        {
            *place = if size == 1 { 0 } else { stride };
            stride *= size;
        }
        let values = mask.to_dtype(DType::F32)?.flatten_all()?;
        Ok(Self {
            values: values.to_vec1()?,
            strides,
            sizes,
        })
    }

    /// What is added to this row of scores.
    pub(crate) fn row(&self, row: usize, keys: usize) -> &[f32] {
        let [heads, queries] = self.sizes;
        let place = [row / queries / heads, row / queries % heads, row % queries];
        let start: usize = place
            .iter()
            .zip(self.strides)
            .map(|(at, stride)| at * stride)
            .sum();
        &self.values[start..start + keys]
    }
}
