//! Learning the merges (Sennrich et al., 2016, algorithm 1): the most frequent pair of neighbours becomes a new token, and again.
//!
//! Counting all pairs again after each merge would take hours. A merge changes only the pairs around the places where it
//! happens, so each pair's count and places are kept, and only these are touched.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

use super::{merge::Pair, split::pieces};

/// Stands for a neighbour that is not there.
const NONE: usize = usize::MAX;

/// Stands for a token that was merged into the one before it.
const MERGED: u32 = u32::MAX;

/// How often each piece occurs in the texts.
pub(super) fn count_pieces<T: AsRef<str>>(
    texts: impl IntoIterator<Item = T>,
) -> Vec<(String, u64)> {
    let mut counts: HashMap<String, u64> = HashMap::new();
    for text in texts {
        for piece in pieces(text.as_ref(), false) {
            match counts.get_mut(piece) {
                Some(count) => *count += 1,
                None => _ = counts.insert(piece.to_owned(), 1),
            }
        }
    }
    let mut counts: Vec<(String, u64)> = counts.into_iter().collect();
    counts.sort_unstable(); // a hash map's order differs from run to run
    counts
}

/// The tokens of all different pieces, one piece after the other, and what is known of their pairs.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    tokens: Vec<u32>,
    previous: Vec<usize>,
    next: Vec<usize>,
    /// How often the piece of this place occurs.
    weights: Vec<u64>,
    counts: HashMap<Pair, u64>,
    /// Where a pair begins; places where it no longer stands are passed over.
    places: HashMap<Pair, Vec<usize>>,
    /// Most frequent first, then lowest numbers first. A count in it may be too high, never too low.
    queue: BinaryHeap<(u64, Reverse<Pair>)>,
}

impl Pairs {
    /// Counts the pairs of these pieces, whose bytes have the tokens `byte_ids`.
    pub(super) fn new(pieces: &[(String, u64)], byte_ids: &[u32; 256]) -> Self {
        let mut pairs = Self::default();
        for (piece, count) in pieces {
            let start = pairs.tokens.len();
            for (offset, &byte) in piece.as_bytes().iter().enumerate() {
                let place = start + offset;
                pairs.tokens.push(byte_ids[usize::from(byte)]);
                pairs.weights.push(*count);
                let is_last = offset + 1 == piece.len();
                pairs.next.push(if is_last { NONE } else { place + 1 });
                pairs
                    .previous
                    .push(if offset == 0 { NONE } else { place - 1 });
            }
            for left in start..pairs.tokens.len().saturating_sub(1) {
                pairs.add(left, left + 1);
            }
        }
        let counts = pairs.counts.iter();
        pairs.queue = counts
            .map(|(&pair, &count)| (count, Reverse(pair)))
            .collect();
        pairs
    }

    /// The most frequent pair, if it occurs at least `min_count` times; the lowest numbers win between equals.
    pub(super) fn most_frequent(&mut self, min_count: u64) -> Option<Pair> {
        while let Some((count, Reverse(pair))) = self.queue.pop() {
            let now = self.counts.get(&pair).copied().unwrap_or(0);
            if now == count {
                return (count >= min_count).then_some(pair);
            }
            if now > 0 {
                self.queue.push((now, Reverse(pair)));
            }
        }
        None
    }

    /// Forgets a pair that is not to become a token.
    pub(super) fn forget(&mut self, pair: Pair) {
        self.counts.remove(&pair);
        self.places.remove(&pair);
    }

    /// Replaces this pair everywhere, from left to right, by the new token.
    pub(super) fn merge(&mut self, pair: Pair, token: u32) {
        let mut places = self.places.remove(&pair).unwrap_or_default();
        places.sort_unstable();
        let mut grown = Vec::new();
        for left in places {
            let right = self.next[left];
            if self.tokens[left] != pair.0 || right == NONE || self.tokens[right] != pair.1 {
                continue;
            }
            let (before, after) = (self.previous[left], self.next[right]);
            if before != NONE {
                self.remove(before, left);
            }
            if after != NONE {
                self.remove(right, after);
                self.previous[after] = left;
            }
            self.tokens[left] = token;
            self.tokens[right] = MERGED;
            self.next[left] = after;
            if before != NONE {
                grown.push(self.add(before, left));
            }
            if after != NONE {
                grown.push(self.add(left, after));
            }
        }
        self.counts.remove(&pair);
        grown.sort_unstable();
        grown.dedup();
        for pair in grown {
            if let Some(&count) = self.counts.get(&pair) {
                self.queue.push((count, Reverse(pair)));
            }
        }
    }

    fn add(&mut self, left: usize, right: usize) -> Pair {
        let pair = (self.tokens[left], self.tokens[right]);
        *self.counts.entry(pair).or_default() += self.weights[left];
        self.places.entry(pair).or_default().push(left);
        pair
    }

    fn remove(&mut self, left: usize, right: usize) {
        let pair = (self.tokens[left], self.tokens[right]);
        if let Some(count) = self.counts.get_mut(&pair) {
            *count = count.saturating_sub(self.weights[left]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Pairs {
        Pairs::new(
            &count_pieces([text]),
            &std::array::from_fn(|byte| byte as u32),
        )
    }

    #[test]
    fn counts_follow_each_merge() {
        let mut pairs = pairs("abab ab cab");
        let (a, b) = (u32::from(b'a'), u32::from(b'b'));
        assert_eq!(pairs.most_frequent(2), Some((a, b)));
        pairs.merge((a, b), 256);
        let space = u32::from(b' ');
        assert_eq!(pairs.counts.get(&(256, 256)), Some(&1));
        assert_eq!(pairs.counts.get(&(space, 256)), Some(&1));
        assert_eq!(pairs.counts.get(&(space, a)), Some(&0));
        assert_eq!(pairs.most_frequent(2), None);
    }

    #[test]
    fn overlapping_pairs_are_merged_from_the_left() {
        let mut pairs = pairs("aaaaa");
        pairs.merge((97, 97), 256);
        let left: Vec<u32> = pairs
            .tokens
            .iter()
            .copied()
            .filter(|t| *t != MERGED)
            .collect();
        assert_eq!(left, [256, 256, 97]);
        assert_eq!(pairs.counts.get(&(256, 97)), Some(&1));
    }

    #[test]
    fn equals_are_decided_by_the_lower_numbers() {
        assert_eq!(pairs("zyzy abab").most_frequent(1), Some((97, 98)));
    }
}
