//! Encoding one piece: neighbours are merged, each time the pair that was learned first, until no known pair is left.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

/// Two neighbouring tokens.
pub(super) type Pair = (u32, u32);

/// Stands for a neighbour that is not there.
const NONE: usize = usize::MAX;

/// The learned merges: each pair's rank, which is the order in which they were learned, and the token that it becomes.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Merges {
    table: HashMap<Pair, (u32, u32)>,
    order: Vec<Pair>,
}

impl Merges {
    /// Adds a merge after all others; `false` if the pair was there.
    pub(super) fn push(&mut self, pair: Pair, token: u32) -> bool {
        let rank = self.order.len() as u32;
        let is_new = self.table.insert(pair, (rank, token)).is_none();
        if is_new {
            self.order.push(pair);
        }
        is_new
    }

    /// The pairs, first learned first.
    pub(super) fn order(&self) -> &[Pair] {
        &self.order
    }

    /// Merges what can be merged in these tokens.
    ///
    /// A queue holds the mergeable pairs by rank, then from left to right. A merge changes only its two neighbours, so a
    /// piece of n bytes takes n log n steps, however long it is.
    pub(super) fn apply(&self, tokens: &mut Vec<u32>) {
        let length = tokens.len();
        let mut previous: Vec<usize> = (0..length).map(|at| at.wrapping_sub(1)).collect();
        let mut next: Vec<usize> = (1..=length).collect();
        if let Some(last) = next.last_mut() {
            *last = NONE;
        }
        let mut alive = vec![true; length];
        let candidate = |tokens: &[u32], left: usize, right: usize| {
            let &(rank, token) = self.table.get(&(tokens[left], tokens[right]))?;
            Some(Reverse((rank, left, token)))
        };
        let mut queue: BinaryHeap<_> = (1..length)
            .filter_map(|right| candidate(tokens, right - 1, right))
            .collect();
        while let Some(Reverse((_, left, token))) = queue.pop() {
            // What was queued may have been merged away meanwhile.
            let right = next[left];
            if !alive[left] || right == NONE {
                continue;
            }
            let now = self.table.get(&(tokens[left], tokens[right]));
            if now.is_none_or(|&(_, now)| now != token) {
                continue;
            }
            tokens[left] = token;
            alive[right] = false;
            next[left] = next[right];
            if next[left] != NONE {
                previous[next[left]] = left;
                queue.extend(candidate(tokens, left, next[left]));
            }
            if previous[left] != NONE {
                queue.extend(candidate(tokens, previous[left], left));
            }
        }
        let mut alive = alive.into_iter();
        tokens.retain(|_| alive.next().unwrap_or(false));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(merges: &[(Pair, u32)], tokens: &[u32]) -> Vec<u32> {
        let mut table = Merges::default();
        for &(pair, token) in merges {
            assert!(table.push(pair, token));
        }
        let mut tokens = tokens.to_vec();
        table.apply(&mut tokens);
        tokens
    }

    #[test]
    fn the_first_learned_pair_wins() {
        let merges = [((2, 3), 10), ((1, 2), 11), ((1, 10), 12)];
        assert_eq!(merged(&merges, &[1, 2, 3]), [12]);
        assert_eq!(merged(&merges, &[1, 2, 4]), [11, 4]);
        assert_eq!(merged(&merges, &[]), [0_u32; 0]);
        assert_eq!(merged(&merges, &[7]), [7]);
    }

    #[test]
    fn equal_pairs_are_merged_from_left_to_right() {
        let merges = [((1, 1), 2), ((2, 2), 3)];
        assert_eq!(merged(&merges, &[1; 7]), [3, 2, 1]);
    }

    #[test]
    fn a_very_long_piece_takes_no_quadratic_time() {
        let merges: Vec<(Pair, u32)> = (1..20).map(|token| ((token, token), token + 1)).collect();
        assert_eq!(merged(&merges, &vec![1; 1 << 20]), [20, 20]);
    }
}
