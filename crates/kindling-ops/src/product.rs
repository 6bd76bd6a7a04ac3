//! Products of large matrices, `left · right` and `leftᵀ · right`, in tiles and in parts for all threads.
//!
//! Rows that are known to be zero are left out: what the loss does not look at, such as padding, has a gradient of zero, and costs
//! nothing.

mod columns;
mod outer;
mod rows;

pub(super) use self::{
    columns::columns_by_rows,
    rows::{Finish, rows_by_panels},
};

/// Multiply-adds below which a second thread costs more than it brings.
const WORTH_A_THREAD: usize = 1 << 20;

/// How many rows of a result to give to one task, so that each thread has some and no tile of this many rows is cut in two.
///
/// No sum depends on it: each number of the result is summed in one tile, in the order of the depth.
fn share(rows: usize, tile: usize, work: usize) -> usize {
    let threads = rayon::current_num_threads();
    if work < WORTH_A_THREAD || threads == 1 {
        return rows.max(1);
    }
    rows.div_ceil(4 * threads).next_multiple_of(tile)
}

/// The rows of a matrix `(rows, width)` that have a number that is not zero.
pub(super) fn used_rows(matrix: &[f32], width: usize) -> Vec<usize> {
    let rows = matrix.chunks_exact(width).enumerate();
    let used = rows.filter(|(_, row)| row.iter().any(|number| *number != 0.0));
    used.map(|(number, _)| number).collect()
}
