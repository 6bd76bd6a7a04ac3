//! Counting n-grams, on which BLEU, chrF and ROUGE-N rest.

use std::{collections::HashMap, hash::Hash};

/// How often each run of `order` neighbours stands in a sequence; `order` is at least 1.
pub(super) type Counts<'a, T> = HashMap<&'a [T], usize>;

pub(super) fn count<T: Eq + Hash>(items: &[T], order: usize) -> Counts<'_, T> {
    let mut counts = Counts::new();
    for ngram in items.windows(order) {
        *counts.entry(ngram).or_default() += 1;
    }
    counts
}

/// How many n-grams of `one` are also in `other`, each at most as often as it stands there.
pub(super) fn matches<T: Eq + Hash>(one: &Counts<'_, T>, other: &Counts<'_, T>) -> usize {
    one.iter()
        .map(|(ngram, &count)| count.min(other.get(ngram).copied().unwrap_or(0)))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_match_counts_as_often_as_both_sides_have_it() {
        let (one, other) = (["a", "b", "a", "b", "a"], ["b", "a", "b", "b"]);
        let (one, other) = (count(&one, 2), count(&other, 2)); // ab ba ab ba, and ba ab bb
        assert_eq!(one[&["a", "b"][..]], 2);
        assert_eq!(matches(&one, &other), 2);
        assert_eq!(matches(&other, &one), 2);
    }

    #[test]
    fn a_sequence_shorter_than_the_order_has_none() {
        assert!(count(&["a", "b"], 3).is_empty());
        assert!(count::<&str>(&[], 1).is_empty());
    }
}
