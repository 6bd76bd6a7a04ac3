//! A small matrix product, tile by tile in registers; the lesson *Why it is fast* explains how.
//!
//! It is not that of `kindling::ops`, which packs its right matrix into panels for many rows and all threads: attention has just laid out keys and
//! values for a few rows of its own thread, and to pack them would be a second copy. Both add in the same order.

use pulp::Simd;

/// Rows of a tile: six rows by two vectors fit the registers of all processors.
const ROWS: usize = 6;

/// `output = left · right` for `rows` rows that `left` gives, `right` `(depth, width)` and `output` `(rows, width)`; `width` is in whole vectors.
#[inline(always)]
pub(super) fn product<'a, S: Simd>(
    simd: S,
    rows: usize,
    left: impl Fn(usize) -> &'a [f32],
    right: &[f32],
    width: usize,
    output: &mut [f32],
) {
    let pair = 2 * S::F32_LANES;
    for first in (0..rows).step_by(ROWS) {
        let mut lines: [&[f32]; ROWS] = [&[]; ROWS];
        for (row, line) in lines.iter_mut().enumerate() {
            // The last tile may be short of rows: it computes its last one again.
            *line = left((first + row).min(rows - 1));
        }
        let output = &mut output[first * width..];
        let whole = width / pair * pair;
        for column in (0..whole).step_by(pair) {
            tile::<S, 2>(simd, lines, right, width, column, output);
        }
        for column in (whole..width).step_by(S::F32_LANES) {
            tile::<S, 1>(simd, lines, right, width, column, output);
        }
    }
}

#[inline(always)]
fn tile<S: Simd, const N: usize>(
    simd: S,
    lines: [&[f32]; ROWS],
    right: &[f32],
    width: usize,
    column: usize,
    output: &mut [f32],
) {
    let depth = lines[0].len();
    let mut checked: [&[f32]; ROWS] = [&[]; ROWS];
    for (checked, line) in checked.iter_mut().zip(lines) {
        *checked = &line[..depth]; // one check here, none in the loop
    }
    let mut sums = [[simd.splat_f32s(0.0); N]; ROWS];
    for (k, numbers) in right.chunks_exact(width).take(depth).enumerate() {
        let (vectors, _) = S::as_simd_f32s(&numbers[column..]);
        let vectors = &vectors[..N];
        for (line, sums) in checked.iter().zip(sums.iter_mut()) {
            let number = simd.splat_f32s(line[k]);
            for (sum, vector) in sums.iter_mut().zip(vectors) {
                *sum = simd.mul_add_e_f32s(number, *vector, *sum);
            }
        }
    }
    for (row, sums) in output.chunks_exact_mut(width).zip(sums) {
        let (vectors, _) = S::as_mut_simd_f32s(&mut row[column..]);
        for (place, sum) in vectors.iter_mut().zip(sums) {
            *place = sum;
        }
    }
}
