//! Parting pairs into sets, so that no sentence that is learned from comes back in the test.

use std::collections::HashMap;

use super::{Random, SentencePair};

/// Two parts of about `held_out` pairs and the rest. Pairs that share a sentence, in either language, stay together.
pub(super) fn split(
    pairs: Vec<SentencePair>,
    held_out: usize,
    seed: u64,
) -> [Vec<SentencePair>; 3] {
    let groups = groups(&pairs);
    let mut sizes: HashMap<usize, usize> = HashMap::new();
    groups
        .iter()
        .for_each(|group| *sizes.entry(*group).or_default() += 1);
    let mut order: Vec<usize> = sizes.keys().copied().collect();
    order.sort_unstable();
    Random::new(seed).shuffle(&mut order);
    let mut part_of = HashMap::new();
    let (mut part, mut taken) = (0, 0);
    for group in order {
        while part < 2 && taken >= held_out {
            (part, taken) = (part + 1, 0);
        }
        part_of.insert(group, part);
        taken += sizes[&group];
    }
    let mut parts = [Vec::new(), Vec::new(), Vec::new()];
    for (pair, group) in pairs.into_iter().zip(groups) {
        parts[part_of[&group]].push(pair);
    }
    parts
}

/// For each pair the first pair with which it is connected by shared sentences.
fn groups(pairs: &[SentencePair]) -> Vec<usize> {
    let mut leader: Vec<usize> = (0..pairs.len()).collect();
    let find = |leader: &mut Vec<usize>, mut at: usize| {
        while leader[at] != at {
            leader[at] = leader[leader[at]]; // shortens the way for the next
            at = leader[at];
        }
        at
    };
    let mut seen: HashMap<(bool, &str), usize> = HashMap::new();
    for (number, pair) in pairs.iter().enumerate() {
        for key in [(false, pair.source.as_str()), (true, &pair.target)] {
            let other = *seen.entry(key).or_insert(number);
            let (a, b) = (find(&mut leader, other), find(&mut leader, number));
            leader[a.max(b)] = a.min(b);
        }
    }
    (0..pairs.len()).map(|at| find(&mut leader, at)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connected_pairs_stay_together() {
        let chain = [
            ("a", "1"),
            ("b", "2"),
            ("a", "2"),
            ("c", "3"),
            ("d", "3"),
            ("e", "5"),
        ];
        let pairs = chain.map(|(source, target)| SentencePair {
            source: source.to_owned(),
            target: target.to_owned(),
            attribution: None,
        });
        assert_eq!(groups(&pairs), [0, 0, 0, 3, 3, 5]);
        for seed in 0..10 {
            let parts = split(pairs.to_vec(), 1, seed);
            let mut sizes = parts.map(|part| part.len());
            sizes.sort_unstable();
            assert_eq!(sizes, [1, 2, 3]);
        }
    }

    #[test]
    fn a_long_chain_takes_no_quadratic_time() {
        let number = |number: usize| number.to_string();
        let pairs = (0..200_000).map(|at| SentencePair {
            source: number(at / 2),
            target: number(at.div_ceil(2)),
            attribution: None,
        });
        assert!(
            groups(&pairs.collect::<Vec<_>>())
                .iter()
                .all(|&leader| leader == 0)
        );
        assert!(groups(&[]).is_empty());
    }
}
