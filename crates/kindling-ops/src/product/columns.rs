//! `leftᵀ · right`, for the gradient of a weight. Few rows are read where they lie; many are packed first, which they pay back.

use pulp::Simd;
use rayon::prelude::*;

use super::{outer::sum_outer_products, share};
use crate::{
    panels::Panels,
    parts::{add, each_part},
    tile::{TALL, Tiles, in_tall_tiles, outer, store, zeros},
};

/// Up to so many rows, packing costs more than it brings.
const FEW_ROWS: usize = 256;

/// Rows whose outer products are summed at a time, so that a panel of them stays in a core's cache.
const DEPTH: usize = 1_024;

/// `leftᵀ · right` `(columns, width)` and the sum of each column of `left` `(rows, columns)`; `right` is `(rows, width)`.
///
/// Only the rows `used` are looked at.
pub(crate) fn columns_by_rows(
    left: &[f32],
    right: &[f32],
    used: &[usize],
    columns: usize,
    width: usize,
) -> (Vec<f32>, Vec<f32>) {
    let (mut product, mut sums) = (vec![0.0; columns * width], vec![0.0; columns]);
    if used.len() <= FEW_ROWS {
        let (left, right) = ((left, columns), (right, width));
        sum_outer_products(left, right, used, &mut product, &mut sums);
        return (product, sums);
    }
    let share = share(columns, TALL, used.len() * product.len()).min(4 * TALL);
    for used in used.chunks(DEPTH) {
        let panels = Panels::pack(used.len(), width, |row, first, line| {
            line.copy_from_slice(&right[used[row] * width + first..][..line.len()]);
        });
        let parts = product
            .par_chunks_mut(share * width)
            .zip(sums.par_chunks_mut(share));
        each_part(parts.enumerate(), |(part, (product, sums))| {
            in_tall_tiles(Packed {
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

/// A part of the product and of the sums, and the packed rows that are added to it.
struct Packed<'a> {
    /// The numbers, and how many a row has.
    left: (&'a [f32], usize),
    used: &'a [usize],
    right: &'a Panels,
    /// Which column of `left` the first row of the product belongs to.
    first: usize,
    product: &'a mut [f32],
    sums: &'a mut [f32],
}

impl Tiles for Packed<'_> {
    #[inline(always)]
    fn run<S: Simd, const M: usize, const N: usize>(self, simd: S) {
        let (depth, width) = self.right.size();
        let columns = self.sums.len();
        // As a tile reads them: the next M columns of the first row, then of the second row.
        let mut packed = vec![0.0; columns.div_ceil(M) * M * depth];
        for (k, row) in self.used.iter().enumerate() {
            let row = &self.left.0[row * self.left.1 + self.first..][..columns];
            add(self.sums, row);
            for (strip, part) in row.chunks(M).enumerate() {
                let place = &mut packed[(strip * depth + k) * M..][..M];
                match part.first_chunk::<M>() {
                    Some(part) => place.copy_from_slice(part), // of a known length: two instructions
                    None => place[..part.len()].copy_from_slice(part),
                }
            }
        }
        let line = N * S::F32_LANES;
        for (column, used, panel) in self.right.iter() {
            let strips = packed.chunks_exact(M * depth);
            for (strip, rows) in strips.zip(self.product.chunks_mut(M * width)) {
                let mut tile = zeros::<S, M, N>(simd);
                let left = |k: usize| &strip[k * M..][..M];
                let right = |k: usize| &panel[k * line..][..line];
                outer(simd, depth, left, right, &mut tile);
                for (row, sums) in rows.chunks_mut(width).zip(tile) {
                    store(simd, sums, &mut row[column..column + used], true);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kindling_base::Random;

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
