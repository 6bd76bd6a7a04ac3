//! `leftᵀ · right` for few rows: outer products of rows that both matrices give as they lie, with nothing packed.

use std::ops::Range;

use pulp::Simd;
use rayon::prelude::*;

use super::share;
use crate::{
    parts::{add, each_part},
    tile::{SLACK, Tiles, WIDE, in_wide_tiles, outer, store, zeros},
};

/// The numbers of a matrix, and how many a row has.
type Matrix<'a> = (&'a [f32], usize);

/// Writes the product `(columns, width)` of `left` `(rows, columns)` and `right` `(rows, width)`, summed over the rows `used`, and adds
/// the rows of `left` to `sums` `(columns)`.
pub(super) fn sum_outer_products(
    left: Matrix,
    right: Matrix,
    used: &[usize],
    product: &mut [f32],
    sums: &mut [f32],
) {
    let share = share(left.1, WIDE, used.len() * product.len());
    let parts = product
        .par_chunks_mut(share * right.1)
        .zip(sums.par_chunks_mut(share));
    each_part(parts.enumerate(), |(part, (product, sums))| {
        in_wide_tiles(Outer {
            left,
            right,
            used,
            first: part * share,
            product,
            sums,
        });
    });
}

/// A part of the product and of the sums, and the rows that it is made of.
struct Outer<'a> {
    left: Matrix<'a>,
    right: Matrix<'a>,
    used: &'a [usize],
    /// Which column of `left` the first row of the product belongs to.
    first: usize,
    product: &'a mut [f32],
    sums: &'a mut [f32],
}

impl Tiles for Outer<'_> {
    #[inline(always)]
    fn run<S: Simd, const M: usize, const N: usize>(mut self, simd: S) {
        for row in self.used {
            let numbers = &self.left.0[row * self.left.1 + self.first..];
            add(self.sums, &numbers[..self.sums.len()]);
        }
        // A tile reads whole strips and vectors, which in the last rows may end behind the end of memory: those are copied.
        let ends = [
            (self.left, self.left.1.next_multiple_of(M)),
            (self.right, self.right.1.next_multiple_of(S::F32_LANES)),
        ];
        let within = |row: usize| {
            let mut ends = ends.iter();
            ends.all(|((numbers, width), end)| row * width + end <= numbers.len())
        };
        let (rows, last) = self
            .used
            .split_at(self.used.partition_point(|row| within(*row)));
        let last = [self.left, self.right].map(|matrix| with_slack(matrix, last));
        let [left, right] = last.each_ref().map(|(rows, width)| (&**rows, *width));
        let width = self.right.1;
        for column in (0..width).step_by(N * S::F32_LANES) {
            let place = column..width.min(column + N * S::F32_LANES);
            match place.len().div_ceil(S::F32_LANES) {
                1 => self.panel::<S, M, 1>(simd, place, rows, [left, right]),
                2 => self.panel::<S, M, 2>(simd, place, rows, [left, right]),
                _ => self.panel::<S, M, N>(simd, place, rows, [left, right]),
            }
        }
    }
}

impl Outer<'_> {
    /// These columns of the product, at most `N` vectors of them: from `rows`, and from the copies of the last ones.
    #[inline(always)]
    fn panel<S: Simd, const M: usize, const N: usize>(
        &mut self,
        simd: S,
        place: Range<usize>,
        rows: &[usize],
        [last_left, last_right]: [Matrix; 2],
    ) {
        let ((left, columns), (right, width)) = (self.left, self.right);
        let size = N * S::F32_LANES;
        for (strip, lines) in self.product.chunks_mut(M * width).enumerate() {
            let first = self.first + strip * M;
            let mut tile = zeros::<S, M, N>(simd);
            outer(
                simd,
                rows.len(),
                |k| &left[rows[k] * columns + first..][..M],
                |k| &right[rows[k] * width + place.start..][..size],
                &mut tile,
            );
            outer(
                simd,
                last_left.0.len() / last_left.1,
                |k| &last_left.0[k * last_left.1 + first..][..M],
                |k| &last_right.0[k * last_right.1 + place.start..][..size],
                &mut tile,
            );
            for (line, sums) in lines.chunks_mut(width).zip(tile) {
                store(simd, sums, &mut line[place.clone()], false);
            }
        }
    }
}

/// A copy of some rows with slack behind each, and how long a row is with it.
fn with_slack((numbers, width): Matrix, rows: &[usize]) -> (Vec<f32>, usize) {
    let rows = rows.iter().map(|row| &numbers[row * width..][..width]);
    let copies = rows.flat_map(|row| row.iter().copied().chain([0.0; SLACK]));
    (copies.collect(), width + SLACK)
}
