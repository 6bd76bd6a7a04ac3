//! Products of large matrices, `left · right` and `leftᵀ · right`: the right one is packed into panels, the result made in tiles.
//!
//! A tile goes once over the whole depth, with one panel (Goto and van de Geijn, 2008). Rows that are known to be zero are left out:
//! what the loss does not look at, such as padding, has a gradient of zero, and costs nothing.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::tile::{Panels, multiply, multiply_strip, store, zeros};

/// Multiply-adds below which a second thread costs more than it brings.
const WORTH_A_THREAD: usize = 1 << 20;

/// Numbers of the left matrix that a core works on together: half of what its own cache holds.
const CACHED: usize = 1 << 17;

/// Rows that one tile can have at most; with this as a unit no tile is half empty.
const TILE: usize = 12;

/// How many rows of a result to give to one task, so that each thread has some and no tile is cut in two.
///
/// No sum depends on it: each number of the result is summed in one tile, in the order of the depth.
fn share(rows: usize, work: usize) -> usize {
    if work < WORTH_A_THREAD {
        return rows.max(1);
    }
    rows.div_ceil(4 * rayon::current_num_threads())
        .next_multiple_of(TILE)
}

/// The rows of a matrix `(rows, width)` that have a number that is not zero.
pub(super) fn used_rows(matrix: &[f32], width: usize) -> Vec<usize> {
    let rows = matrix.chunks_exact(width).enumerate();
    let used = rows.filter(|(_, row)| row.iter().any(|number| *number != 0.0));
    used.map(|(number, _)| number).collect()
}

/// What is added to each row of a product, and whether ReLU follows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Finish<'a> {
    pub(super) bias: Option<&'a [f32]>,
    pub(super) relu: bool,
}

/// The rows `used` of `left · right`, for `left` `(rows, depth)`; the others stay zero.
pub(super) fn rows_by_panels(
    left: &[f32],
    used: &[usize],
    right: &Panels,
    rows: usize,
    finish: Finish,
) -> Vec<f32> {
    let (depth, columns) = right.size();
    let mut product = vec![0.0; rows * columns];
    let share = share(rows, used.len() * depth * columns);
    let parts = product.par_chunks_mut(share * columns).enumerate();
    parts.for_each(|(part, product)| {
        let first = part * share;
        let part = first..first + product.len() / columns;
        Arch::new().dispatch(Rows {
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

impl WithSimd for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::REGISTER_COUNT >= 32 {
            self.run::<S, TILE>(simd);
        } else {
            self.run::<S, { TILE / 2 }>(simd);
        }
    }
}

impl Rows<'_> {
    #[inline(always)]
    fn run<S: Simd, const M: usize>(self, simd: S) {
        let (depth, columns) = self.right.size();
        let block = (CACHED / depth.max(1)).max(TILE) / TILE * TILE;
        for used in self.used.chunks(block) {
            for (column, width, panel) in self.right.iter() {
                let bias = self.finish.bias.map(|bias| &bias[column..][..width]);
                for used in used.chunks(M) {
                    let mut rows: [&[f32]; M] = [&[]; M];
                    for (m, place) in rows.iter_mut().enumerate() {
                        let row = used[m.min(used.len() - 1)];
                        *place = &self.left[row * depth..][..depth];
                    }
                    let mut tile = zeros::<S, M, 2>(simd);
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

/// Rows whose outer products are summed at a time, so that a panel of them stays in a core's cache.
const DEPTH: usize = 1_024;

/// `leftᵀ · right` `(columns, width)` and the sum of each column of `left` `(rows, columns)`; `right` is `(rows, width)`.
///
/// Only the rows `used` are looked at.
pub(super) fn columns_by_panels(
    left: &[f32],
    right: &[f32],
    used: &[usize],
    columns: usize,
    width: usize,
) -> (Vec<f32>, Vec<f32>) {
    let (mut product, mut sums) = (vec![0.0; columns * width], vec![0.0; columns]);
    let share = share(columns, used.len() * columns * width).min(4 * TILE);
    for used in used.chunks(DEPTH) {
        let panels = Panels::pack(used.len(), width, |row, first, line| {
            line.copy_from_slice(&right[used[row] * width + first..][..line.len()]);
        });
        let parts = product
            .par_chunks_mut(share * width)
            .zip(sums.par_chunks_mut(share));
        parts.enumerate().for_each(|(part, (product, sums))| {
            Arch::new().dispatch(Columns {
                left: (left, columns),
                used,
                right: &panels,
                first: part * share,
                product,
                sums,
            });
        });
    }
    (product, sums)
}

/// What some rows are to be added to: a part of the product `leftᵀ · right` and of the sums.
struct Columns<'a> {
    /// The numbers, and how many a row has.
    left: (&'a [f32], usize),
    used: &'a [usize],
    right: &'a Panels,
    /// Which column of `left` the first row of the product belongs to.
    first: usize,
    product: &'a mut [f32],
    sums: &'a mut [f32],
}

impl WithSimd for Columns<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::REGISTER_COUNT >= 32 {
            self.run::<S, TILE>(simd);
        } else {
            self.run::<S, { TILE / 2 }>(simd);
        }
    }
}

impl Columns<'_> {
    #[inline(always)]
    fn run<S: Simd, const M: usize>(self, simd: S) {
        let (depth, width) = self.right.size();
        let columns = self.sums.len();
        // As a tile reads them: the next M columns of the first row, then of the second row.
        let mut packed = vec![0.0; columns.div_ceil(M) * M * depth];
        for (k, row) in self.used.iter().enumerate() {
            let row = &self.left.0[row * self.left.1 + self.first..][..columns];
            for (sum, number) in self.sums.iter_mut().zip(row) {
                *sum += number;
            }
            for (strip, part) in row.chunks(M).enumerate() {
                let place = &mut packed[(strip * depth + k) * M..][..M];
                match part.first_chunk::<M>() {
                    Some(part) => place.copy_from_slice(part), // of a known length: two instructions
                    None => place[..part.len()].copy_from_slice(part),
                }
            }
        }
        for (column, used, panel) in self.right.iter() {
            let strips = packed.chunks_exact(M * depth);
            for (strip, rows) in strips.zip(self.product.chunks_mut(M * width)) {
                let mut tile = zeros::<S, M, 2>(simd);
                multiply_strip(simd, strip, panel, &mut tile);
                for (row, sums) in rows.chunks_mut(width).zip(tile) {
                    store(simd, sums, &mut row[column..column + used], true);
                }
            }
        }
    }
}
