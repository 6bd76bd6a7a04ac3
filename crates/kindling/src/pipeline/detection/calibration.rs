//! From scores to probabilities: how often a box with such a score is right.

use serde::{Deserialize, Serialize};

/// Steps of Newton's method; the curve is so smooth that far fewer would do.
const STEPS: usize = 100;

/// Keeps a step from being one by zero where all scores are the same.
const RIDGE: f64 = 1e-6;

/// Scores are kept so far from 0 and 1, so that their log-odds are numbers.
const MARGIN: f64 = 1e-4;

/// The probability that a box is right, as a curve over its score: `sigmoid(slope · ln(score / (1 - score)) + intercept)` (Platt, 1999).
///
/// ```
/// use kindling::pipeline::ScoreCurve;
/// // Of the boxes with a score of 0.9 three of four are right, of those with 0.2 one of four.
/// let right = [true, true, true, false, true, false, false, false];
/// let scores = [0.9, 0.9, 0.9, 0.9, 0.2, 0.2, 0.2, 0.2];
/// let curve = ScoreCurve::fit(scores.into_iter().zip(right));
/// assert!((curve.probability(0.9) - 0.75).abs() < 0.1);
/// assert!((curve.probability(0.2) - 0.25).abs() < 0.1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ScoreCurve {
    /// How steeply probabilities rise with scores.
    pub slope: f64,
    /// The log-odds of a score of one half.
    pub intercept: f64,
}

impl Default for ScoreCurve {
    /// The score itself.
    fn default() -> Self {
        Self {
            slope: 1.0,
            intercept: 0.0,
        }
    }
}

impl ScoreCurve {
    /// The likeliest curve for boxes that were right or not; without both kinds, the score itself.
    ///
    /// Instead of 1 and 0 it aims at `(right + 1) / (right + 2)` and `1 / (wrong + 2)`, as few boxes do not make sure (Platt, 1999, equation 4).
    #[must_use]
    pub fn fit(boxes: impl IntoIterator<Item = (f32, bool)>) -> Self {
        let boxes: Vec<(f32, bool)> = boxes.into_iter().collect();
        let right = boxes.iter().filter(|(_, right)| *right).count() as f64;
        let wrong = boxes.len() as f64 - right;
        if right == 0.0 || wrong == 0.0 {
            return Self::default();
        }
        let (yes, no) = ((right + 1.0) / (right + 2.0), 1.0 / (wrong + 2.0));
        let points = boxes.iter().map(|&(score, right)| {
            let aim = if right { yes } else { no };
            (log_odds(f64::from(score)), aim)
        });
        let points: Vec<(f64, f64)> = points.collect();
        let mut curve = Self::default();
        for _ in 0..STEPS {
            curve = curve.step(&points);
        }
        match curve.slope.is_finite() && curve.intercept.is_finite() && curve.slope > 0.0 {
            true => curve,
            false => Self::default(),
        }
    }

    /// One step of Newton's method towards the smallest cross-entropy.
    fn step(self, points: &[(f64, f64)]) -> Self {
        let (mut slope, mut intercept) = (0.0, 0.0); // the gradient
        let (mut both, mut one, mut count) = (RIDGE, 0.0, RIDGE); // the second derivatives
        for &(odds, aim) in points {
            let said = sigmoid(self.slope * odds + self.intercept);
            let (missing, weight) = (said - aim, said * (1.0 - said));
            slope += missing * odds;
            intercept += missing;
            both += weight * odds * odds;
            one += weight * odds;
            count += weight;
        }
        let determinant = both * count - one * one;
        // Short steps: where boxes are told apart perfectly, whole ones would overshoot.
        let limit = |step: f64| step.clamp(-1.0, 1.0);
        Self {
            slope: self.slope - limit((count * slope - one * intercept) / determinant),
            intercept: self.intercept - limit((both * intercept - one * slope) / determinant),
        }
    }

    /// How likely a box with this score is right.
    #[must_use]
    pub fn probability(&self, score: f32) -> f64 {
        sigmoid(self.slope * log_odds(f64::from(score)) + self.intercept)
    }

    /// The score from which on a box is more likely right than wrong.
    #[must_use]
    pub fn even_score(&self) -> f64 {
        sigmoid(-self.intercept / self.slope)
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn log_odds(probability: f64) -> f64 {
    let inside = probability.clamp(MARGIN, 1.0 - MARGIN);
    (inside / (1.0 - inside)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Random;

    #[test]
    fn a_known_curve_is_found_again() {
        let truth = ScoreCurve {
            slope: 1.7,
            intercept: -0.6,
        };
        let mut random = Random::new(1);
        let boxes = (0..20_000).map(|_| {
            let score = random.next_f64() as f32;
            (score, random.next_f64() < truth.probability(score))
        });
        let found = ScoreCurve::fit(boxes.collect::<Vec<_>>());
        assert!((found.slope - truth.slope).abs() < 0.1, "{found:?}");
        assert!((found.intercept - truth.intercept).abs() < 0.1, "{found:?}");
        let even = truth.even_score();
        assert!((truth.probability(even as f32) - 0.5).abs() < 1e-6);
    }

    #[test]
    fn boxes_that_teach_nothing_leave_the_score() {
        for boxes in [vec![], vec![(0.4, true)], vec![(0.4, false), (0.9, false)]] {
            assert_eq!(ScoreCurve::fit(boxes), ScoreCurve::default());
        }
        // The surer, the wronger: no curve that rises.
        let upside_down = [(0.9, false), (0.8, false), (0.1, true), (0.2, true)];
        assert_eq!(ScoreCurve::fit(upside_down), ScoreCurve::default());
        let curve = ScoreCurve::default();
        assert!(curve.probability(0.0) > 0.0 && curve.probability(1.0) < 1.0);
        assert!((curve.probability(0.3) - 0.3).abs() < 1e-6);
    }

    #[test]
    fn perfect_scores_give_a_finite_curve() {
        let boxes = (0..50).map(|number| (number as f32 / 50.0, number >= 25));
        let curve = ScoreCurve::fit(boxes);
        assert!(curve.slope.is_finite() && curve.slope > 1.0);
        assert!(curve.probability(0.95) > 0.9 && curve.probability(0.05) < 0.1);
    }
}
