//! `left · right`: the right matrix is packed into panels, the rows of the left one are read where they lie.
//!
//! A tile goes once over the whole depth, with one panel (Goto and van de Geijn, 2008).

use std::ops::Range;

use pulp::Simd;
use rayon::prelude::*;

use super::share;
use crate::{
    panels::Panels,
    parts::each_part,
    tile::{TALL, Tiles, in_tall_tiles, multiply, store, zeros},
};

/// Numbers of the left matrix that a core works on together: half of what its own cache holds.
const CACHED: usize = 1 << 17;

/// What is added to each row of a product, and whether ReLU follows.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Finish<'a> {
    pub(crate) bias: Option<&'a [f32]>,
    pub(crate) relu: bool,
}

/// The rows `used` of `left · right`, for `left` `(rows, depth)`; the others stay zero.
pub(crate) fn rows_by_panels(
    left: &[f32],
    used: &[usize],
    right: &Panels,
    rows: usize,
    finish: Finish,
) -> Vec<f32> {
    let (depth, columns) = right.size();
    let mut product = vec![0.0; rows * columns];
    let share = share(rows, TALL, used.len() * depth * columns);
    let parts = product.par_chunks_mut(share * columns).enumerate();
    each_part(parts, |(part, product)| {
        let first = part * share;
        let part = first..first + product.len() / columns;
        in_tall_tiles(Rows {
            left,
            used: &used[within(used, &part)],
            right,
            first,
            finish,
            product,
        });
    });
    product
}

/// Where ascending `numbers` lie in `range`.
fn within(numbers: &[usize], range: &Range<usize>) -> Range<usize> {
    let place = |limit| numbers.partition_point(|number| *number < limit);
    place(range.start)..place(range.end)
}

/// Some rows of the product `left · right`.
struct Rows<'a> {
    left: &'a [f32],
    used: &'a [usize],
    right: &'a Panels,
    /// Which row of the whole product the first is.
    first: usize,
    finish: Finish<'a>,
    product: &'a mut [f32],
}

impl Tiles for Rows<'_> {
    #[inline(always)]
    fn run<S: Simd, const M: usize, const N: usize>(self, simd: S) {
        let (depth, columns) = self.right.size();
        let block = (CACHED / depth.max(1)).max(TALL) / TALL * TALL;
        for used in self.used.chunks(block) {
            for (column, width, panel) in self.right.iter() {
                let bias = self.finish.bias.map(|bias| &bias[column..][..width]);
                for used in used.chunks(M) {
                    let mut rows: [&[f32]; M] = [&[]; M];
                    for (m, place) in rows.iter_mut().enumerate() {
                        let row = used[m.min(used.len() - 1)];
                        *place = &self.left[row * depth..][..depth];
                    }
                    let mut tile = zeros::<S, M, N>(simd);
                    multiply(simd, rows, panel, &mut tile);
                    for (row, sums) in used.iter().zip(tile) {
                        let place = (row - self.first) * columns + column;
                        let place = &mut self.product[place..][..width];
                        store(simd, sums, place, false);
                        if let Some(bias) = bias {
                            for (sum, bias) in place.iter_mut().zip(bias) {
                                *sum += bias;
                            }
                        }
                        if self.finish.relu {
                            for sum in place {
                                *sum = if *sum <= 0.0 { 0.0 } else { *sum }; // NaN stays NaN
                            }
                        }
                    }
                }
            }
        }
    }
}
