//! Mini-batches: a few examples at a time, in a new order each time through the data.

use candle_core::Tensor;

use super::{Examples, Random};
use crate::{Error, Result};

/// Goes once through the examples in random order, `batch_size` at a time; the last batch may be smaller.
///
/// ```
/// use kindling::data::{Batches, Mnist};
/// let mnist = Mnist::builtin(100, 10, 0)?;
/// let sizes = Batches::new(&mnist.train, 32, 1)?.map(|batch| Ok(batch?.0.dim(0)?));
/// assert_eq!(sizes.collect::<kindling::Result<Vec<_>>>()?, [32, 32, 32, 4]);
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Batches {
    examples: Examples,
    order: Vec<usize>,
    batch_size: usize,
    next: usize,
}

impl Batches {
    /// Takes `&Examples`, or a pair of tensors `(&inputs, &targets)` whose first dimension counts the examples.
    pub fn new(
        examples: impl TryInto<Examples, Error = Error>,
        batch_size: usize,
        seed: u64,
    ) -> Result<Self> {
        if batch_size == 0 {
            return Err(Error::Argument(
                "batch_size: expected at least 1, found 0".to_owned(),
            ));
        }
        let examples = examples.try_into()?;
        let order = Random::new(seed).permutation(examples.len());
        Ok(Self {
            examples,
            order,
            batch_size,
            next: 0,
        })
    }
}

impl Iterator for Batches {
    type Item = Result<(Tensor, Tensor)>;

    fn next(&mut self) -> Option<Self::Item> {
        let end = self.order.len().min(self.next + self.batch_size);
        let chosen = self
            .order
            .get(self.next..end)
            .filter(|chosen| !chosen.is_empty())?;
        self.next = end;
        Some(
            self.examples
                .select(chosen)
                .map(|batch| (batch.images, batch.labels)),
        )
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.order.len() - self.next).div_ceil(self.batch_size);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Batches {}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn numbers(batch_size: usize, seed: u64) -> Vec<f32> {
        let inputs = Tensor::arange(0_f32, 10.0, &Device::Cpu).unwrap();
        let targets = (&inputs * 2.0).unwrap();
        let mut seen = Vec::new();
        for batch in Batches::new((&inputs, &targets), batch_size, seed).unwrap() {
            let (inputs, targets) = batch.unwrap();
            assert_eq!(
                (&inputs * 2.0).unwrap().to_vec1::<f32>().unwrap(),
                targets.to_vec1::<f32>().unwrap()
            );
            seen.extend(inputs.to_vec1::<f32>().unwrap());
        }
        seen
    }

    #[test]
    fn each_example_comes_once_with_its_own_target() {
        for batch_size in [1, 3, 10, 11] {
            let mut seen = numbers(batch_size, 4);
            seen.sort_by(f32::total_cmp);
            assert!(
                seen.into_iter().eq((0..10).map(|number| number as f32)),
                "batch size {batch_size}"
            );
        }
    }

    #[test]
    fn the_seed_decides_the_order() {
        assert_eq!(numbers(3, 1), numbers(3, 1));
        assert_eq!(numbers(3, 1), numbers(5, 1));
        assert_ne!(numbers(3, 1), numbers(3, 2));
    }

    #[test]
    fn bad_arguments_are_named() {
        let three = Tensor::new(&[1_f32, 2.0, 3.0], &Device::Cpu).unwrap();
        let two = three.narrow(0, 0, 2).unwrap();
        assert!(
            Batches::new((&three, &two), 1, 0)
                .unwrap_err()
                .to_string()
                .contains("labels: expected shape")
        );
        assert!(
            Batches::new((&three, &three), 0, 0)
                .unwrap_err()
                .to_string()
                .contains("batch_size")
        );
        let examples = Examples::new(three.clone(), three).unwrap();
        assert!(
            examples
                .subset(1..4)
                .unwrap_err()
                .to_string()
                .contains("within 0..3, found 1..4")
        );
        assert!(
            examples
                .select(&[3])
                .unwrap_err()
                .to_string()
                .contains("below 3, found 3")
        );
    }
}
