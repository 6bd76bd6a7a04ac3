//! PageRank: how often a reader who follows links at random comes by each node (Page et al., 1999).

use candle_core::{DType, Device, Tensor};

use crate::{Error, Result};

/// The walk stops when a step moves less than this in all.
const TOLERANCE: f64 = 1e-12;

/// The share of time that a random walk spends at each node, by power iteration; the shares add up to 1.
///
/// `weights` are `(nodes, nodes)`: the walk goes from row `i` to column `j` with a chance in proportion to `weights[i][j]`. With the chance
/// `1 - damping` it jumps to any node instead, and so it does from a row without weights. No nodes give no shares.
/// Fails when the weights are not square, negative or not finite, and when the damping is not in `0.0..1.0`.
/// (Page et al., 1999, section 2.4; the same as `networkx.pagerank`.)
///
/// ```
/// use candle_core::{Device, Tensor};
/// use kindling::pipeline::page_rank;
/// let links = Tensor::new(&[[0_f32, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 1.0, 0.0]], &Device::Cpu)?; // (3 nodes, 3 nodes)
/// let ranks = page_rank(&links, 0.85)?;
/// assert!(ranks[1] > ranks[0] && (ranks[0] - ranks[2]).abs() < 1e-12); // both others point at the middle one
/// # Ok::<(), kindling::Error>(())
/// ```
pub fn page_rank(weights: &Tensor, damping: f64) -> Result<Vec<f64>> {
    if !(0.0..1.0).contains(&damping) {
        return Err(Error::Argument(format!(
            "damping: expected a number of at least 0 and below 1, found {damping}"
        )));
    }
    let mut rows = square(weights, "weights", "nodes")?;
    let dangling: Vec<bool> = rows.iter_mut().map(|row| !normalize(row)).collect();
    Ok(walk(&dangling, damping, |ranks, next| {
        for (row, rank) in rows.iter().zip(ranks) {
            for (next, chance) in next.iter_mut().zip(row) {
                *next += rank * chance;
            }
        }
    }))
}

/// The share of time that a random walk spends at each node, however its links are kept.
///
/// `dangling` says which nodes have no links; `follow` adds to each node the chance to come there by a link, given how much of the walk is at
/// each node. The other arguments are those of [`page_rank`].
pub(super) fn walk(
    dangling: &[bool],
    damping: f64,
    follow: impl Fn(&[f64], &mut [f64]),
) -> Vec<f64> {
    let nodes = dangling.len() as f64;
    let mut ranks = vec![1.0 / nodes; dangling.len()];
    // Each step moves at most `damping` times as much as the one before, and the first at most 2: rounding cannot keep the walk going.
    let most = ((TOLERANCE / 2.0).ln() / damping.ln()).ceil() as usize;
    for _ in 0..=most {
        let from_dangling = ranks.iter().zip(dangling).filter(|(_, lost)| **lost);
        let lost: f64 = from_dangling.map(|(rank, _)| rank).sum();
        let jump = (1.0 - damping + damping * lost) / nodes;
        let mut next = vec![0.0; ranks.len()];
        follow(&ranks, &mut next);
        next.iter_mut()
            .for_each(|next| *next = jump + damping * *next);
        let moved = ranks.iter().zip(&next).map(|(old, new)| (old - new).abs());
        let moved: f64 = moved.sum();
        ranks = next;
        if moved < TOLERANCE {
            break;
        }
    }
    ranks
}

/// The numbers of a square matrix, once it is certain that they can be weights.
pub(super) fn square(weights: &Tensor, name: &str, of: &str) -> Result<Vec<Vec<f64>>> {
    if !matches!(weights.dims(), [rows, columns] if rows == columns) {
        return Err(Error::Shape {
            what: name.to_owned(),
            expected: format!("({of}, {of})"),
            found: weights.dims().to_vec(),
        });
    }
    // On the processor first: not every graphics card has 64-bit numbers.
    let weights = weights.to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
    let rows = weights.to_vec2::<f64>()?;
    match rows.iter().flatten().find(|w| !w.is_finite() || **w < 0.0) {
        Some(weight) => Err(Error::Argument(format!(
            "{name}: expected finite numbers of at least 0, found {weight}"
        ))),
        None => Ok(rows),
    }
}

/// Makes a row add up to 1, and says whether that was possible.
fn normalize(row: &mut [f64]) -> bool {
    let largest = row.iter().copied().fold(0.0, f64::max);
    if largest == 0.0 {
        return false;
    }
    // By the largest first: a sum of huge numbers would be infinite.
    row.iter_mut().for_each(|weight| *weight /= largest);
    let sum: f64 = row.iter().sum();
    row.iter_mut().for_each(|weight| *weight /= sum);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_graph_is_refused() {
        let problem = |weights: &Tensor, damping| {
            let error = page_rank(weights, damping).unwrap_err();
            error.to_string()
        };
        let wide = Tensor::zeros((2, 3), DType::F32, &Device::Cpu).unwrap();
        assert_eq!(
            problem(&wide, 0.85),
            "weights: expected shape (nodes, nodes), found [2, 3]"
        );
        for weight in [-0.5_f32, f32::NAN, f32::INFINITY] {
            let weights = Tensor::new(&[[0.0, weight], [1.0, 0.0]], &Device::Cpu).unwrap();
            assert!(problem(&weights, 0.85).contains(&format!("at least 0, found {weight}")));
        }
        let weights = Tensor::ones((2, 2), DType::F32, &Device::Cpu).unwrap();
        for damping in [-0.1, 1.0, f64::NAN] {
            assert!(problem(&weights, damping).starts_with("damping: "));
        }
    }

    #[test]
    fn no_nodes_have_no_ranks_and_huge_weights_are_weights() {
        let none = Tensor::zeros((0, 0), DType::F32, &Device::Cpu).unwrap();
        assert!(page_rank(&none, 0.85).unwrap().is_empty());
        let huge = Tensor::new(&[[f64::MAX, f64::MAX], [0.0, 0.0]], &Device::Cpu).unwrap();
        let ranks = page_rank(&huge, 0.85).unwrap();
        assert!(
            ranks.iter().all(|rank| (rank - 0.5).abs() < 1e-9),
            "{ranks:?}"
        );
    }
}
