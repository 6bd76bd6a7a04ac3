//! Words drawn at random, for a model to tell apart from the words that were really there.

use crate::data::Random;

/// Draws words with probabilities in proportion to `count^0.75` (2013b, section 2.2), each in constant time.
///
/// Where `word2vec.c` fills a table of a hundred million entries, this is the alias method (Walker, 1977; Vose, 1991): as
/// many cells as words, all equally likely, each shared by at most two words.
#[derive(Debug, Clone)]
pub(super) struct Negatives {
    cells: Vec<Cell>,
}

#[derive(Debug, Clone, Copy)]
struct Cell {
    /// Of 2³², how much of the cell belongs to the word of the same number.
    own: u32,
    /// To whom the rest belongs.
    other: u32,
}

impl Negatives {
    /// Prepares to draw; there is at least one count, and none is 0.
    pub(super) fn new(counts: &[u64]) -> Self {
        let weights: Vec<f64> = counts
            .iter()
            .map(|count| (*count as f64).powf(0.75))
            .collect();
        let mean = weights.iter().sum::<f64>() / weights.len() as f64;
        let mut left: Vec<f64> = weights.iter().map(|weight| weight / mean).collect();
        let mut cells: Vec<Cell> = (0..counts.len() as u32)
            .map(|word| Cell {
                own: u32::MAX,
                other: word,
            })
            .collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..left.len()).partition(|word| left[*word] < 1.0);
        // A cell that its own word does not fill is filled up by a word that has more than a cell.
        while let (Some(poor), Some(&rich)) = (small.pop(), large.last()) {
            cells[poor] = Cell {
                own: (left[poor] * 2_f64.powi(32)) as u32,
                other: rich as u32,
            };
            left[rich] -= 1.0 - left[poor];
            if left[rich] < 1.0 {
                large.pop();
                small.push(rich);
            }
        }
        Self { cells }
    }

    /// The next word.
    #[inline]
    pub(super) fn draw(&self, random: &mut Random) -> u32 {
        let bits = random.next_u64();
        let word = ((bits >> 32) * self.cells.len() as u64) >> 32;
        let cell = self.cells[word as usize];
        if (bits as u32) < cell.own {
            word as u32
        } else {
            cell.other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_in_proportion_to_their_counts_to_the_power_of_three_quarters() {
        let counts = [10_000, 625, 625, 81, 16, 1];
        let negatives = Negatives::new(&counts);
        let mut random = Random::new(1);
        let mut drawn = [0_u32; 6];
        for _ in 0..1_000_000 {
            drawn[negatives.draw(&mut random) as usize] += 1;
        }
        let weights = [1_000.0, 125.0, 125.0, 27.0, 8.0, 1.0];
        let total: f64 = weights.iter().sum();
        for (drawn, weight) in drawn.into_iter().zip(weights) {
            let expected = 1e6 * weight / total;
            let spread = expected.sqrt(); // the standard deviation of so rare a count
            assert!(
                (f64::from(drawn) - expected).abs() < 4.0 * spread,
                "{drawn} instead of {expected}"
            );
        }
    }
}
