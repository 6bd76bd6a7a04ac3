//! Which class is taken for which.

use std::fmt;

use candle_core::Tensor;

use super::pairs;
use crate::{
    Error, Result,
    plot::{Figure, Heatmap},
};

/// Counts, for each true class (row), how often each class was predicted (column).
#[derive(Clone, PartialEq)]
pub struct ConfusionMatrix {
    /// `counts[label][prediction]`.
    pub counts: Vec<Vec<usize>>,
}

impl ConfusionMatrix {
    /// Counts over logits `(examples, classes)` and labels `(examples)`.
    pub fn new(logits: &Tensor, labels: &Tensor) -> Result<Self> {
        let (predictions, labels) = pairs(logits, labels)?;
        let classes = logits.dim(1)?;
        let mut counts = vec![vec![0; classes]; classes];
        for (prediction, label) in predictions.into_iter().zip(labels) {
            let Some(row) = counts.get_mut(label as usize) else {
                return Err(Error::Argument(format!(
                    "labels: expected numbers below {classes}, found {label}"
                )));
            };
            row[prediction as usize] += 1;
        }
        Ok(Self { counts })
    }

    /// The share of examples on the diagonal, which are the right ones.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        let right: usize = self
            .counts
            .iter()
            .enumerate()
            .map(|(class, row)| row[class])
            .sum();
        right as f64 / self.counts.iter().flatten().sum::<usize>() as f64
    }

    /// The confusions, most frequent first: `(label, prediction, count)`.
    #[must_use]
    pub fn confusions(&self) -> Vec<(usize, usize, usize)> {
        let cells = self.counts.iter().enumerate().flat_map(|(label, row)| {
            row.iter()
                .enumerate()
                .map(move |(prediction, &count)| (label, prediction, count))
        });
        let mut wrong: Vec<_> = cells
            .filter(|(label, prediction, count)| label != prediction && *count > 0)
            .collect();
        wrong.sort_by_key(|&(_, _, count)| std::cmp::Reverse(count));
        wrong
    }

    /// The matrix as a coloured table.
    pub fn plot(&self) -> Result<Figure> {
        let rows: Vec<Vec<f64>> = self
            .counts
            .iter()
            .map(|row| row.iter().map(|&count| count as f64).collect())
            .collect();
        let classes: Vec<String> = (0..rows.len()).map(|class| class.to_string()).collect();
        let heatmap = Heatmap::new("Confusion matrix", &rows, &classes, &classes);
        // By logarithm: otherwise a handful of confusions would be as pale as none beside a thousand right answers.
        heatmap
            .axes("predicted class", "true class")
            .log_color()
            .draw()
    }
}

impl fmt::Debug for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self
            .counts
            .iter()
            .flatten()
            .max()
            .map_or(1, |most| most.to_string().len().max(2));
        write!(f, "true\\predicted")?;
        (0..self.counts.len()).try_for_each(|class| write!(f, " {class:>width$}"))?;
        for (class, row) in self.counts.iter().enumerate() {
            write!(f, "\n{class:>14}")?;
            row.iter()
                .try_for_each(|count| write!(f, " {count:>width$}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn example() -> ConfusionMatrix {
        let logits = [
            [9_f32, 1.0, 0.0],
            [9.0, 1.0, 0.0],
            [0.0, 5.0, 4.0],
            [0.0, 1.0, 2.0],
            [3.0, 1.0, 2.0],
        ];
        let logits = Tensor::new(&logits, &Device::Cpu).unwrap(); // (5 examples, 3 classes): 0 0 1 2 0
        let labels = Tensor::new(&[0_u32, 1, 1, 2, 1], &Device::Cpu).unwrap();
        ConfusionMatrix::new(&logits, &labels).unwrap()
    }

    #[test]
    fn counts_labels_by_rows_and_predictions_by_columns() {
        assert_eq!(example().counts, [[1, 0, 0], [2, 1, 0], [0, 0, 1]]);
        assert_eq!(example().accuracy(), 0.6);
        assert_eq!(example().confusions(), [(1, 0, 2)]);
    }

    #[test]
    fn is_printed_as_a_table() {
        let table = format!("{:?}", example());
        assert_eq!(table.lines().nth(2).unwrap(), "             1  2  1  0");
    }

    #[test]
    fn a_label_beyond_the_classes_is_refused() {
        let logits = Tensor::new(&[[1_f32, 0.0]], &Device::Cpu).unwrap();
        let labels = Tensor::new(&[2_u32], &Device::Cpu).unwrap();
        assert!(
            ConfusionMatrix::new(&logits, &labels)
                .unwrap_err()
                .to_string()
                .contains("below 2, found 2")
        );
    }
}
