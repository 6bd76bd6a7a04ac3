//! The longest common subsequence: the most tokens that two sequences share in the same order, with gaps allowed.

/// How long it is: time `(one * other)`, memory for the shorter of both.
pub(super) fn length<T: PartialEq>(one: &[T], other: &[T]) -> usize {
    let (long, short) = if one.len() < other.len() {
        (other, one)
    } else {
        (one, other)
    };
    let mut row = vec![0; short.len() + 1]; // row[j]: with the first j of the short one
    for token in long {
        let mut diagonal = 0;
        for (column, peer) in short.iter().enumerate() {
            let above = row[column + 1];
            row[column + 1] = if token == peer {
                diagonal + 1
            } else {
                above.max(row[column])
            };
            diagonal = above;
        }
    }
    row[short.len()]
}

/// The positions in `one` of a longest common subsequence, last first; time and memory `(one * other)`.
///
/// There may be several. This takes the one that `rouge-score` finds on its way back from the end: it drops a token of `other` only when
/// dropping one of `one` would cost a match.
pub(super) fn positions<T: PartialEq>(one: &[T], other: &[T]) -> Vec<usize> {
    let columns = other.len();
    let mut row = vec![0_usize; columns + 1];
    let mut drop_other = vec![false; one.len() * columns]; // (one, other), one bit of what a whole table would hold
    for (line, token) in one.iter().enumerate() {
        let mut diagonal = 0;
        for (column, peer) in other.iter().enumerate() {
            let above = row[column + 1];
            drop_other[line * columns + column] = row[column] > above;
            row[column + 1] = if token == peer {
                diagonal + 1
            } else {
                above.max(row[column])
            };
            diagonal = above;
        }
    }
    let (mut line, mut column) = (one.len(), columns);
    let mut found = Vec::with_capacity(row[columns]);
    while line > 0 && column > 0 {
        if one[line - 1] == other[column - 1] {
            line -= 1;
            column -= 1;
            found.push(line);
        } else if drop_other[(line - 1) * columns + column - 1] {
            column -= 1;
        } else {
            line -= 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Random;

    /// By trying all 2ⁿ subsequences of one.
    fn by_trying(one: &[u64], other: &[u64]) -> usize {
        let is_part = |choice: usize| {
            let mut rest = other.iter();
            let mut chosen = (0..one.len()).filter(|place| choice >> place & 1 == 1);
            chosen.all(|place| rest.any(|token| *token == one[place]))
        };
        let parts = (0..1_usize << one.len()).filter(|&choice| is_part(choice));
        parts.map(usize::count_ones).max().unwrap() as usize
    }

    #[test]
    fn it_is_as_long_as_the_longest_of_all_subsequences() {
        let mut random = Random::new(3);
        for _ in 0..200 {
            let mut sequence = || -> Vec<u64> {
                let length = random.next_u64() % 9;
                (0..length).map(|_| random.next_u64() % 4).collect()
            };
            let (one, other) = (sequence(), sequence());
            let expected = by_trying(&one, &other);
            assert_eq!(length(&one, &other), expected, "{one:?} {other:?}");
            assert_eq!(length(&other, &one), expected, "{one:?} {other:?}");
            let places = positions(&one, &other);
            assert_eq!(places.len(), expected, "{one:?} {other:?}");
            let mut rest = other.iter();
            let found = |&place: &usize| rest.any(|token| *token == one[place]);
            assert!(places.iter().rev().all(found), "{one:?} {other:?}");
        }
    }
}
