//! The IDX format, in which MNIST comes: a small header and then the bytes of one array.
//!
//! | bytes | meaning |
//! |---|---|
//! | 2 | zero |
//! | 1 | type of the numbers; 8 is unsigned bytes, the only one read here |
//! | 1 | number of dimensions |
//! | 4 each | the dimensions, big-endian |
//! | the rest | the numbers, last dimension fastest |

use super::signature;
use crate::{Error, Result};

const UNSIGNED_BYTES: u8 = 8;

/// Splits an IDX file of unsigned bytes into its dimensions, of which there must be `rank`, and its numbers.
///
/// `file` is only named in errors. Nothing is allocated by what the header claims: it must fit the bytes that are there.
pub fn parse_idx<'a>(file: &str, bytes: &'a [u8], rank: usize) -> Result<(Vec<usize>, &'a [u8])> {
    let wrong = |problem: String| Error::Format {
        file: file.to_owned(),
        problem,
    };
    let Some((magic, rest)) = bytes.split_first_chunk::<4>() else {
        return Err(wrong(format!(
            "expected an IDX header, found a file of {} bytes",
            bytes.len()
        )));
    };
    let expected = [0, 0, UNSIGNED_BYTES, rank as u8];
    if *magic != expected {
        let kind = signature::known(bytes).filter(|kind| *kind != "an IDX file");
        let kind = kind.map_or(String::new(), |kind| format!(", {kind}"));
        return Err(wrong(format!(
            "expected the first bytes {expected:?} of an IDX file with {rank} dimensions, found {magic:?}{kind}"
        )));
    }
    let Some((header, numbers)) = rest.split_at_checked(4 * rank) else {
        return Err(wrong(format!(
            "expected {rank} dimensions, but the file ends after {} bytes",
            bytes.len()
        )));
    };
    let dimensions: Vec<usize> = header
        .chunks_exact(4)
        .map(|four| {
            four.iter()
                .fold(0, |number, &byte| number << 8 | usize::from(byte))
        })
        .collect();
    let count = dimensions
        .iter()
        .try_fold(1_usize, |product, &size| product.checked_mul(size));
    if count != Some(numbers.len()) {
        return Err(wrong(format!(
            "its header claims the dimensions {dimensions:?}, but {} numbers follow; fetch the file again",
            numbers.len()
        )));
    }
    Ok((dimensions, numbers))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABELS: [u8; 11] = [0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1];

    fn problem(bytes: &[u8], rank: usize) -> String {
        parse_idx("labels", bytes, rank).unwrap_err().to_string()
    }

    #[test]
    fn reads_dimensions_and_numbers() {
        assert_eq!(
            parse_idx("labels", &LABELS, 1).unwrap(),
            (vec![3], &[7, 2, 1][..])
        );
        let images = [
            &[0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3][..],
            &[9; 6],
        ]
        .concat();
        assert_eq!(
            parse_idx("images", &images, 3).unwrap(),
            (vec![1, 2, 3], &[9; 6][..])
        );
    }

    #[test]
    fn a_truncated_file_is_refused_wherever_it_ends() {
        for length in 0..LABELS.len() {
            assert!(
                problem(&LABELS[..length], 1).starts_with("labels: "),
                "{length}"
            );
        }
    }

    #[test]
    fn bytes_after_the_end_are_refused() {
        assert!(
            problem(&[&LABELS[..], &[0]].concat(), 1)
                .contains("claims the dimensions [3], but 4 numbers follow")
        );
    }

    #[test]
    fn a_wrong_magic_is_shown() {
        let text = problem(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0], 1);
        assert!(
            text.contains("expected the first bytes [0, 0, 8, 1]")
                && text.ends_with("found [31, 139, 8, 0], a gzip file"),
            "{text}"
        );
        assert!(problem(&LABELS, 3).contains("with 3 dimensions"));
        assert!(
            problem(&[0, 0, 13, 1, 0, 0, 0, 0], 1).contains("[0, 0, 13, 1]"),
            "floats are not read"
        );
    }

    #[test]
    fn sizes_that_lie_are_refused_without_allocating() {
        let huge = [&[0, 0, 8, 3][..], &[255; 12], &[0; 10]].concat();
        assert!(problem(&huge, 3).contains("but 10 numbers follow"));
        let product_overflows = [&[0, 0, 8, 3][..], &[128, 0, 0, 0].repeat(3)].concat();
        assert!(problem(&product_overflows, 3).contains("but 0 numbers follow"));
    }
}
