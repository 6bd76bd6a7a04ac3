//! `leftᵀ · right`: a sum of outer products, of rows that both matrices give as they lie, with nothing packed.

use std::ops::Range;

use pulp::Simd;
use rayon::prelude::*;

use super::share;
use crate::ops::{
    parts::each_part,
    tile::{SLACK, Tiles, WIDE, in_wide_tiles, outer, store, zeros},
};

/// Rows whose outer products are summed at a time, so that what a tile reads of them stays in a core's cache.
const DEPTH: usize = 256;

/// `leftᵀ · right` `(columns, width)` and the sum of each column of `left` `(rows, columns)`; `right` is `(rows, width)`.
///
/// Only the rows `used` are looked at.
pub(in crate::ops) fn columns_by_rows(
    left: &[f32],
    right: &[f32],
    used: &[usize],
    columns: usize,
    width: usize,
) -> (Vec<f32>, Vec<f32>) {
    let (mut product, mut sums) = (vec![0.0; columns * width], vec![0.0; columns]);
    let share = share(columns, WIDE, used.len() * columns * width);
    for (number, used) in used.chunks(DEPTH).enumerate() {
        let parts = product
            .par_chunks_mut(share * width)
            .zip(sums.par_chunks_mut(share));
        each_part(parts.enumerate(), |(part, (product, sums))| {
            in_wide_tiles(Columns {
                left: (left, columns),
                right: (right, width),
                used,
                first: part * share,
                product,
                sums,
                add: number > 0,
            });
        });
    }
    (product, sums)
}

/// A part of the product and of the sums, and the rows that it is made of.
struct Columns<'a> {
    left: Matrix<'a>,
    right: Matrix<'a>,
    used: &'a [usize],
    /// Which column of `left` the first row of the product belongs to.
    first: usize,
    product: &'a mut [f32],
    sums: &'a mut [f32],
    /// Whether the product has something already.
    add: bool,
}

impl Tiles for Columns<'_> {
    #[inline(always)]
    fn run<S: Simd, const M: usize, const N: usize>(mut self, simd: S) {
        let columns = self.first..self.first + self.sums.len();
        for row in self.used {
            let numbers = &row_of(self.left, *row)[columns.clone()];
            for (sum, number) in self.sums.iter_mut().zip(numbers) {
                *sum += number;
            }
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

impl Columns<'_> {
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
                store(simd, sums, &mut line[place.clone()], self.add);
            }
        }
    }
}

/// The numbers of a matrix, and how many a row has.
type Matrix<'a> = (&'a [f32], usize);

/// One row of a matrix.
#[inline(always)]
fn row_of<'a>((numbers, width): Matrix<'a>, row: usize) -> &'a [f32] {
    &numbers[row * width..][..width]
}

/// A copy of some rows with slack behind each, and how long a row is with it.
fn with_slack(matrix: Matrix, rows: &[usize]) -> (Vec<f32>, usize) {
    let rows = rows.iter().map(|row| row_of(matrix, *row));
    let copies = rows.flat_map(|row| row.iter().copied().chain([0.0; SLACK]));
    (copies.collect(), matrix.1 + SLACK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Random;

    /// From the shapes of the last strip and panel up to several parts of the depth.
    #[test]
    fn it_is_the_sum_of_outer_products_of_the_rows_that_are_used() {
        let mut random = Random::new(1);
        for (rows, columns, width) in [
            (1, 1, 1),
            (9, 1, 3),
            (5, 6, 4),
            (7, 8, 48),
            (12, 10, 130),
            (300, 17, 33),
            (600, 128, 784),
        ] {
            let mut matrix = |width: usize| {
                let numbers = random.normal(rows * width, 0.0, 1.0).unwrap();
                numbers.to_vec1::<f32>().unwrap()
            };
            let (left, right) = (matrix(columns), matrix(width));
            for used in [(0..rows).collect(), (0..rows).step_by(2).collect(), vec![]] {
                let used: Vec<usize> = used;
                let (product, sums) = columns_by_rows(&left, &right, &used, columns, width);
                for column in 0..columns {
                    let numbers = used
                        .iter()
                        .map(|row| f64::from(left[row * columns + column]));
                    let sum: f64 = numbers.sum();
                    assert!((f64::from(sums[column]) - sum).abs() < 1e-4);
                    for place in 0..width {
                        let terms = used.iter().map(|row| {
                            f64::from(left[row * columns + column])
                                * f64::from(right[row * width + place])
                        });
                        let expected: f64 = terms.sum();
                        let found = f64::from(product[column * width + place]);
                        assert!(
                            (found - expected).abs() < 1e-3,
                            "{rows} {columns} {width}: {found} {expected}"
                        );
                    }
                }
            }
        }
    }
}
