//! The inner loops that all matrix work ends in: a small tile of the result, kept in registers while it is summed.
//!
//! A processor multiplies and adds whole vectors (16 numbers with AVX-512, 8 with AVX2, 4 with NEON), two such
//! instructions a cycle, but it can load only two vectors a cycle. So each loaded number must be used many times: a tile of
//! `M` rows by `N` vectors needs `M + N` loads for `M · N` multiply-adds. The lesson *Why it is fast* measures this.
//!
//! Left out: blocking for the caches, which the callers do by working on a few images at a time.

use pulp::{Simd, WithSimd};

use super::panels::PANEL_VECTORS;

/// Rows that a tall tile has at most; in multiples of it no tile is half empty.
pub(super) const TALL: usize = 12;

/// Rows that a wide tile has at most.
pub(super) const WIDE: usize = 8;

/// Numbers that a tile may read, but not use, behind the end of its data.
pub(super) const SLACK: usize = 64;

/// Loops that go over a result in tiles of `M` rows by at most `N` vectors.
pub(super) trait Tiles {
    /// Goes over the whole result.
    fn run<S: Simd, const M: usize, const N: usize>(self, simd: S);
}

/// Runs loops with tall tiles: 12 by 2, which fill 24 of AVX-512's and NEON's 32 registers, or 6 by 2 of AVX2's 16.
///
/// They are for panels, whose lines have two vectors: [`multiply`] uses each that it loads for 12 multiply-adds.
pub(super) fn in_tall_tiles(loops: impl Tiles) {
    crate::arch().dispatch(Tall(loops));
}

/// Runs loops with wide tiles: 8 by 3, or 4 by 2 where there are but 16 registers; for [`dots`] and [`outer`].
pub(super) fn in_wide_tiles(loops: impl Tiles) {
    crate::arch().dispatch(Wide(loops));
}

/// Runs loops over `rows` rows with tiles of one height, of which none is nearly empty: the fewest tall ones, made as low as these rows allow.
pub(super) fn in_fitting_tiles(rows: usize, loops: impl Tiles) {
    crate::arch().dispatch(Fitting { rows, loops });
}

struct Fitting<T> {
    rows: usize,
    loops: T,
}

impl<T: Tiles> WithSimd for Fitting<T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { rows, loops } = self;
        let tallest = if many_registers::<S>() {
            TALL
        } else {
            TALL / 2
        };
        let tiles = rows.div_ceil(tallest).max(1);
        match rows.div_ceil(tiles) {
            0 | 1 => loops.run::<S, 1, PANEL_VECTORS>(simd),
            2 => loops.run::<S, 2, PANEL_VECTORS>(simd),
            3 => loops.run::<S, 3, PANEL_VECTORS>(simd),
            4 => loops.run::<S, 4, PANEL_VECTORS>(simd),
            5 => loops.run::<S, 5, PANEL_VECTORS>(simd),
            6 => loops.run::<S, 6, PANEL_VECTORS>(simd),
            7 | 8 => loops.run::<S, 8, PANEL_VECTORS>(simd),
            9 | 10 => loops.run::<S, 10, PANEL_VECTORS>(simd),
            _ => loops.run::<S, TALL, PANEL_VECTORS>(simd),
        }
    }
}

struct Tall<T>(T);

impl<T: Tiles> WithSimd for Tall<T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if many_registers::<S>() {
            self.0.run::<S, TALL, PANEL_VECTORS>(simd);
        } else {
            self.0.run::<S, { TALL / 2 }, PANEL_VECTORS>(simd);
        }
    }
}

struct Wide<T>(T);

impl<T: Tiles> WithSimd for Wide<T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if many_registers::<S>() {
            self.0.run::<S, WIDE, 3>(simd);
        } else {
            self.0.run::<S, { WIDE / 2 }, 2>(simd);
        }
    }
}

/// Whether there are the 32 vector registers of AVX-512 and NEON.
const fn many_registers<S: Simd>() -> bool {
    S::REGISTER_COUNT >= 32
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
