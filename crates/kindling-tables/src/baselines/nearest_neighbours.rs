//! k nearest neighbours: keep every example; the most similar ones vote.

use std::fmt;

use candle_core::Tensor;
use kindling::data::Examples;
use linfa_nn::{LinearSearch, NearestNeighbour, distance::L2Dist};
use ndarray::Array2;
use rayon::prelude::*;

use super::{accuracy, queries, training_set};
use crate::{Error, Result};

/// Linfa's nearest neighbours by Euclidean distance, found by looking at every example.
///
/// ```
/// use kindling::data::Mnist;
/// use kindling_tables::baselines::NearestNeighbours;
/// let digits = Mnist::builtin(300, 100, 1)?;
/// let model = NearestNeighbours::fit(&digits.train, 3)?;
/// assert!(model.accuracy(&digits.test)? > 0.5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct NearestNeighbours {
    neighbours: usize,
    /// `(examples, features)`
    rows: Array2<f32>,
    /// `(examples)`
    classes: Vec<u32>,
}

impl NearestNeighbours {
    /// Keeps at most 20,000 examples, of which the `neighbours` nearest will vote.
    pub fn fit(examples: &Examples, neighbours: usize) -> Result<Self> {
        let (rows, classes) = training_set(examples)?;
        if neighbours == 0 || neighbours > classes.len() {
            return Err(Error::Argument(format!(
                "neighbours: expected 1 to {}, the number of examples, found {neighbours}",
                classes.len()
            )));
        }
        Ok(Self {
            neighbours,
            rows,
            classes,
        })
    }

    /// The class of each picture: from `(examples, …)` to `(examples)`. Each is compared with every example that was kept.
    pub fn predict(&self, images: &Tensor) -> Result<Vec<u32>> {
        let queries = queries(images, self.rows.ncols())?;
        let failed =
            |error: &dyn fmt::Display| Error::Argument(format!("nearest neighbours: {error}"));
        let index = LinearSearch
            .from_batch(&self.rows, L2Dist)
            .map_err(|error| failed(&error))?;
        let predict = |query: usize| {
            let nearest = index
                .k_nearest(queries.row(query), self.neighbours)
                .map_err(|error| failed(&error))?;
            let votes: Vec<u32> = nearest
                .iter()
                .map(|(_, place)| self.classes[*place])
                .collect();
            Ok(winner(&votes))
        };
        (0..queries.nrows()).into_par_iter().map(predict).collect()
    }

    /// The share of examples that it classifies rightly.
    pub fn accuracy(&self, examples: &Examples) -> Result<f64> {
        accuracy(&self.predict(&examples.images)?, &examples.labels)
    }
}

/// The class with the most votes; of those that have as many, the one whose first vote is nearest.
fn winner(votes: &[u32]) -> u32 {
    let count = |class: u32| votes.iter().filter(|vote| **vote == class).count();
    let mut best = votes[0];
    for &vote in votes {
        if count(vote) > count(best) {
            best = vote;
        }
    }
    best
}

impl fmt::Debug for NearestNeighbours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (examples, features) = self.rows.dim();
        write!(
            f,
            "NearestNeighbours {{ neighbours: {}, examples: {examples}, features: {features} }}",
            self.neighbours
        )
    }
}

#[cfg(test)]
mod tests {
    use super::winner;

    #[test]
    fn most_votes_win_and_a_tie_goes_to_the_nearest() {
        assert_eq!(winner(&[7, 3, 3]), 3);
        assert_eq!(winner(&[7, 3, 3, 7, 1]), 7);
        assert_eq!(winner(&[5]), 5);
    }
}
