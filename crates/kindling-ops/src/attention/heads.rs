//! Products of small matrices with the part of each token that belongs to one head.

use pulp::Simd;

use crate::tile::{Tiles, WIDE, dots, in_wide_tiles, outer, store, zeros};

/// Where a head lies in each token of `hidden_size` numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) first: usize,
    pub(super) size: usize,
    pub(super) hidden_size: usize,
}

impl Head {
    /// This head of one token of `(time, hidden_size)`.
    #[inline(always)]
    fn of(self, tokens: &[f32], time: usize) -> &[f32] {
        &tokens[time * self.hidden_size + self.first..][..self.size]
    }
}

/// The dot product of each token of `left` `(rows, hidden_size)` with each of `right` `(columns, hidden_size)`: `(rows, columns)`.
pub(super) fn compare(head: Head, left: &[f32], right: &[f32], products: &mut [f32]) {
    in_wide_tiles(Compare {
        head,
        left,
        right,
        products,
    });
}

struct Compare<'a> {
    head: Head,
    left: &'a [f32],
    right: &'a [f32],
    products: &'a mut [f32],
}

impl Tiles for Compare<'_> {
    #[inline(always)]
    fn run<S: Simd, const M: usize, const N: usize>(self, simd: S) {
        let columns = self.right.len() / self.head.hidden_size;
        for (part, lines) in self.products.chunks_mut(M * columns).enumerate() {
            let last = lines.len() / columns - 1;
            let rows: [&[f32]; M] =
                std::array::from_fn(|m| self.head.of(self.left, part * M + m.min(last)));
            for column in (0..columns).step_by(N) {
                let others: [&[f32]; N] = std::array::from_fn(|n| {
                    self.head.of(self.right, (column + n).min(columns - 1))
                });
                let products = dots(simd, rows, others);
                for (line, products) in lines.chunks_mut(columns).zip(products) {
                    for (place, product) in line[column..].iter_mut().zip(products) {
                        *place = product;
                    }
                }
            }
        }
    }
}

/// A matrix whose rows are filled up to whole tiles.
#[derive(Debug)]
pub(super) struct Weights {
    numbers: Vec<f32>,
    stride: usize,
}

/// A matrix with this many columns, as [`mix`] takes it.
pub(super) fn padded(matrix: &[f32], columns: usize) -> Weights {
    let stride = columns.next_multiple_of(WIDE);
    let mut numbers = vec![0.0; matrix.len() / columns * stride];
    let lines = numbers.chunks_exact_mut(stride);
    for (line, row) in lines.zip(matrix.chunks_exact(columns)) {
        line[..columns].copy_from_slice(row);
    }
    Weights { numbers, stride }
}

/// The transpose of a matrix with this many columns, as [`mix`] takes it.
pub(super) fn turned(matrix: &[f32], columns: usize) -> Weights {
    let stride = (matrix.len() / columns).next_multiple_of(WIDE);
    let mut numbers = vec![0.0; columns * stride];
    for (place, row) in matrix.chunks_exact(columns).enumerate() {
        for (line, number) in numbers.chunks_exact_mut(stride).zip(row) {
            line[place] = *number;
        }
    }
    Weights { numbers, stride }
}

/// Writes sums of tokens `(sources, hidden_size)` to `sums` `(rows, hidden_size)`, each with its own `weights` `(sources, rows)`.
pub(super) fn mix(head: Head, weights: &Weights, tokens: &[f32], sums: &mut [f32]) {
    in_wide_tiles(Mix {
        head,
        weights,
        tokens,
        sums,
    });
}

struct Mix<'a> {
    head: Head,
    weights: &'a Weights,
    tokens: &'a [f32],
    sums: &'a mut [f32],
}

impl Tiles for Mix<'_> {
    /// Two vectors at a time, since heads have few.
    #[inline(always)]
    fn run<S: Simd, const M: usize, const N: usize>(mut self, simd: S) {
        let vectors = self.head.size / S::F32_LANES;
        for vector in (0..vectors).step_by(2) {
            let column = vector * S::F32_LANES;
            if vector + 1 < vectors {
                self.columns::<S, M, 2>(simd, column);
            } else {
                self.columns::<S, M, 1>(simd, column);
            }
        }
    }
}

impl Mix<'_> {
    /// `N` vectors of each sum, from this column of the head on.
    #[inline(always)]
    fn columns<S: Simd, const M: usize, const N: usize>(&mut self, simd: S, column: usize) {
        let (size, width) = (self.head.hidden_size, N * S::F32_LANES);
        let first = self.head.first + column;
        let Weights { numbers, stride } = self.weights;
        for (part, rows) in self.sums.chunks_mut(M * size).enumerate() {
            let mut tile = zeros::<S, M, N>(simd);
            let left = |source: usize| &numbers[source * stride + part * M..][..M];
            let right = |source: usize| &self.tokens[source * size + first..][..width];
            outer(simd, numbers.len() / stride, left, right, &mut tile);
            for (row, sums) in rows.chunks_exact_mut(size).zip(tile) {
                store(simd, sums, &mut row[first..][..width], false);
            }
        }
    }
}
