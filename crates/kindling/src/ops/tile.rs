//! The inner loops that all matrix work ends in: a small tile of the result, kept in registers while it is summed.
//!
//! A processor multiplies and adds whole vectors (16 numbers with AVX-512, 8 with AVX2, 4 with NEON), two such
//! instructions a cycle, but it can load only two vectors a cycle. So each loaded number must be used many times: a tile of
//! `M` rows by `N` vectors needs `M + N` loads for `M · N` multiply-adds. The lesson *Why it is fast* measures this.
//!
//! Left out: blocking for the caches, which the callers do by working on a few images at a time.

use pulp::Simd;
use rayon::prelude::*;

/// How many vectors a panel is wide: two, so that a tile of 12 rows fills 24 of AVX-512's 32 registers.
pub(super) const PANEL_VECTORS: usize = 2;

/// Numbers that a tile may read, but not use, behind the end of its data.
pub(super) const SLACK: usize = 64;

/// Numbers below which a second thread that packs costs more than it brings.
const WORTH_A_THREAD: usize = 1 << 18;

/// How many columns a panel has on this processor.
pub(super) fn panel_width() -> usize {
    struct Width;
    impl pulp::WithSimd for Width {
        type Output = usize;
        fn with_simd<S: Simd>(self, _: S) -> usize {
            PANEL_VECTORS * S::F32_LANES
        }
    }
    pulp::Arch::new().dispatch(Width)
}

// ANCHOR: multiply
/// Adds `rows · panel` to the tile: `sums[m][n] += Σₖ rows[m][k] · panel[k][n]`.
///
/// `rows` are `M` slices of one length, the depth; `panel` is `(depth, panel_width)`.
#[inline(always)]
pub(super) fn multiply<S: Simd, const M: usize, const N: usize>(
    simd: S,
    rows: [&[f32]; M],
    panel: &[f32],
    sums: &mut [[S::f32s; N]; M],
) {
    let depth = rows[0].len();
    let mut checked: [&[f32]; M] = [&[]; M];
    for (checked, row) in checked.iter_mut().zip(rows) {
        *checked = &row[..depth]; // one check here, none in the loop
    }
    let (vectors, _) = S::as_simd_f32s(panel);
    let (lines, _) = vectors.as_chunks::<PANEL_VECTORS>();
    for (k, line) in lines[..depth].iter().enumerate() {
        for (row, sums) in checked.iter().zip(sums.iter_mut()) {
            let number = simd.splat_f32s(row[k]);
            for (sum, vector) in sums.iter_mut().zip(line) {
                *sum = simd.mul_add_e_f32s(number, *vector, *sum);
            }
        }
    }
}
// ANCHOR_END: multiply

/// Adds `stripᵀ · panel` to the tile: `sums[m][n] += Σₖ strip[k][m] · panel[k][n]`.
///
/// `strip` is `(depth, M)` and `panel` `(depth, panel_width)`.
#[inline(always)]
pub(super) fn multiply_strip<S: Simd, const M: usize>(
    simd: S,
    strip: &[f32],
    panel: &[f32],
    sums: &mut [[S::f32s; PANEL_VECTORS]; M],
) {
    let (vectors, _) = S::as_simd_f32s(panel);
    let (lines, _) = vectors.as_chunks::<PANEL_VECTORS>();
    let (columns, _) = strip.as_chunks::<M>();
    for (column, line) in columns.iter().zip(lines) {
        for (number, sums) in column.iter().zip(sums.iter_mut()) {
            let number = simd.splat_f32s(*number);
            for (sum, vector) in sums.iter_mut().zip(line) {
                *sum = simd.mul_add_e_f32s(number, *vector, *sum);
            }
        }
    }
}

/// Adds `count` outer products to the tile: `sums[m][n] += Σₖ left(k)[m] · right(k)[n]`.
///
/// `left` gives at least `M` numbers and `right` at least `N` vectors.
#[inline(always)]
pub(super) fn outer<'a, S: Simd, const M: usize, const N: usize>(
    simd: S,
    count: usize,
    left: impl Fn(usize) -> &'a [f32],
    right: impl Fn(usize) -> &'a [f32],
    sums: &mut [[S::f32s; N]; M],
) {
    for k in 0..count {
        let column = &left(k)[..M];
        let (vectors, _) = S::as_simd_f32s(right(k));
        let vectors = &vectors[..N];
        for (number, sums) in column.iter().zip(sums.iter_mut()) {
            let number = simd.splat_f32s(*number);
            for (sum, vector) in sums.iter_mut().zip(vectors) {
                *sum = simd.mul_add_e_f32s(number, *vector, *sum);
            }
        }
    }
}

/// The dot product of each row with each column, all of one length.
#[inline(always)]
pub(super) fn dots<S: Simd, const M: usize, const N: usize>(
    simd: S,
    rows: [&[f32]; M],
    columns: [&[f32]; N],
) -> [[f32; N]; M] {
    let depth = rows[0].len();
    let whole = depth / S::F32_LANES;
    let mut row_vectors: [&[S::f32s]; M] = [&[]; M];
    let mut column_vectors: [&[S::f32s]; N] = [&[]; N];
    for (vectors, row) in row_vectors.iter_mut().zip(rows) {
        *vectors = &S::as_simd_f32s(row).0[..whole];
    }
    for (vectors, column) in column_vectors.iter_mut().zip(columns) {
        *vectors = &S::as_simd_f32s(column).0[..whole];
    }
    let mut sums = zeros::<S, M, N>(simd);
    for k in 0..whole {
        let mut line = [simd.splat_f32s(0.0); N];
        for (number, vectors) in line.iter_mut().zip(column_vectors) {
            *number = vectors[k];
        }
        for (row, sums) in row_vectors.iter().zip(sums.iter_mut()) {
            for (sum, vector) in sums.iter_mut().zip(line) {
                *sum = simd.mul_add_e_f32s(row[k], vector, *sum);
            }
        }
    }
    let mut products = [[0.0; N]; M];
    for (m, (products, sums)) in products.iter_mut().zip(sums).enumerate() {
        for (n, (product, sum)) in products.iter_mut().zip(sums).enumerate() {
            *product = simd.reduce_sum_f32s(sum);
            for k in whole * S::F32_LANES..depth {
                *product += rows[m][k] * columns[n][k];
            }
        }
    }
    products
}

/// An empty tile.
#[inline(always)]
pub(super) fn zeros<S: Simd, const M: usize, const N: usize>(simd: S) -> [[S::f32s; N]; M] {
    [[simd.splat_f32s(0.0); N]; M]
}

/// Writes one row of a tile, or adds it to what is there; `row` may be shorter than the tile is wide.
#[inline(always)]
pub(super) fn store<S: Simd, const N: usize>(
    simd: S,
    sums: [S::f32s; N],
    row: &mut [f32],
    add: bool,
) {
    for (part, sum) in row.chunks_mut(S::F32_LANES).zip(sums) {
        let sum = if add {
            simd.add_f32s(simd.partial_load_f32s(part), sum)
        } else {
            sum
        };
        simd.partial_store_f32s(part, sum);
    }
}

/// A matrix cut into panels of [`panel_width`] columns, each stored row after row, for [`multiply`] to read in one sweep.
#[derive(Debug, Clone, Default)]
pub(super) struct Panels {
    values: Vec<f32>,
    depth: usize,
    columns: usize,
    width: usize,
}

impl Panels {
    /// Packs a matrix `(depth, columns)`; `copy` writes some columns, beginning with `first`, of one of its rows.
    pub(super) fn pack(
        depth: usize,
        columns: usize,
        copy: impl Fn(usize, usize, &mut [f32]) + Sync,
    ) -> Self {
        let width = panel_width();
        let size = (depth * width).max(1);
        let mut values = vec![0.0; columns.div_ceil(width) * depth * width];
        let panels = values.par_chunks_exact_mut(size).enumerate();
        let panels = panels.with_min_len(WORTH_A_THREAD.div_ceil(size));
        panels.for_each(|(number, panel)| {
            let first = number * width;
            let used = width.min(columns - first);
            for (k, line) in panel.chunks_exact_mut(width).enumerate() {
                copy(k, first, &mut line[..used]);
            }
        });
        Self {
            values,
            depth,
            columns,
            width,
        }
    }

    /// The panels with the first column of each and how many of its columns are used.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, usize, &[f32])> {
        let panels = self.values.chunks_exact((self.depth * self.width).max(1));
        panels.enumerate().map(|(number, panel)| {
            let first = number * self.width;
            (first, self.width.min(self.columns - first), panel)
        })
    }

    /// Depth and columns of the matrix.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.depth, self.columns)
    }

    /// How wide the panels are.
    pub(super) fn width(&self) -> usize {
        self.width
    }
}
