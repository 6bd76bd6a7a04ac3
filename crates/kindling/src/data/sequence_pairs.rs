//! Pairs of token sequences, such as a sentence and its translation, as mini-batches.

use candle_core::Tensor;

use super::{BatchIterator, Loader, Random};
use crate::{
    Error, Result,
    text::{SpecialTokens, pad},
};

/// How many mini-batches are sorted by length together: enough that those of a batch are alike, few enough to stay shuffled.
const POOL: usize = 50;

/// A source and its target.
type Pair = (Vec<u32>, Vec<u32>);

/// What a model with encoder and decoder reads in training: token ids, short sequences padded.
#[derive(Debug, Clone)]
pub struct SequencePair {
    /// For the encoder, `(batch, source time)`.
    pub source: Tensor,
    /// For the decoder: the token that starts a sequence, then the right tokens so far, `(batch, target time)`.
    pub decoder_input: Tensor,
}

/// A training set of pairs, for [`Seq2Seq`](crate::models::Seq2Seq) and [`Training`](crate::train::Training).
///
/// The decoder reads [`SpecialTokens::start`] and the target, and is to say the target and [`SpecialTokens::end`], which are the batch's
/// targets. Pairs of similar length come together, so little is padded.
///
/// ```
/// use kindling::data::{Loader, SequencePairs, SpecialTokens};
/// let tokens = SpecialTokens { padding: 0, start: 1, end: 2 };
/// let pairs = vec![(vec![5, 6, 7], vec![7, 6]), (vec![8], vec![9])];
/// let loader = SequencePairs::new(pairs, tokens, 2, 0)?;
/// let (inputs, labels) = loader.batches(1, 0)?.next().unwrap()?;
/// assert_eq!(inputs.source.dims(), [2, 3]); // (batch, source time)
/// assert_eq!(inputs.decoder_input.dims(), [2, 3]); // (batch, target time)
/// assert_eq!(labels.dims(), [2, 3]); // (batch, target time)
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct SequencePairs {
    pairs: Vec<Pair>,
    tokens: SpecialTokens,
    batch_size: usize,
    seed: u64,
}

impl SequencePairs {
    /// Pairs of a source, which must not be empty, and a target, both without special tokens.
    pub fn new(
        pairs: Vec<Pair>,
        tokens: SpecialTokens,
        batch_size: usize,
        seed: u64,
    ) -> Result<Self> {
        if batch_size == 0 {
            return Err(Error::Argument(
                "batch_size: expected at least 1, found 0".to_owned(),
            ));
        }
        if let Some(empty) = pairs.iter().position(|(source, _)| source.is_empty()) {
            return Err(Error::Argument(format!(
                "pairs: expected at least one token in each source, found none in pair {empty}"
            )));
        }
        Ok(Self {
            pairs,
            tokens,
            batch_size,
            seed,
        })
    }

    /// Which pairs come together in this epoch.
    fn order(&self, epoch: usize) -> Vec<Vec<usize>> {
        let mut random = Random::for_step(self.seed, epoch as u64, 0);
        let mut order = random.permutation(self.pairs.len());
        let mut batches = Vec::new();
        for pool in order.chunks_mut(self.batch_size * POOL) {
            pool.sort_by_key(|&pair| (self.pairs[pair].0.len(), self.pairs[pair].1.len()));
            batches.extend(pool.chunks(self.batch_size).map(<[usize]>::to_vec));
        }
        random.shuffle(&mut batches);
        batches
    }

    fn batch(&self, chosen: &[usize]) -> Result<(SequencePair, Tensor)> {
        let SpecialTokens {
            padding,
            start,
            end,
        } = self.tokens;
        let rows = |row: &dyn Fn(&Pair) -> Vec<u32>| {
            let rows: Vec<Vec<u32>> = chosen.iter().map(|&pair| row(&self.pairs[pair])).collect();
            pad_sequences(&rows, padding)
        };
        let source = rows(&|pair| pair.0.clone())?; // (batch, source time)
        let decoder_input = rows(&|pair| [&[start], &pair.1[..]].concat())?; // (batch, target time)
        let labels = rows(&|pair| [&pair.1[..], &[end]].concat())?; // (batch, target time)
        Ok((
            SequencePair {
                source,
                decoder_input,
            },
            labels,
        ))
    }
}

impl Loader<SequencePair> for SequencePairs {
    fn steps(&self) -> usize {
        self.pairs.len().div_ceil(self.batch_size)
    }

    fn examples(&self) -> usize {
        self.pairs.len()
    }

    fn batches(&self, epoch: usize, skip: usize) -> Result<BatchIterator<'_, SequencePair>> {
        let batches = self.order(epoch).into_iter().skip(skip);
        Ok(Box::new(batches.map(|chosen| self.batch(&chosen))))
    }
}

/// Sequences of any lengths as `(batch, longest)`, each followed by padding: the ids that [`pad`] gives, without its mask.
pub fn pad_sequences(sequences: &[Vec<u32>], padding: u32) -> Result<Tensor> {
    Ok(pad(sequences, padding, None)?.ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKENS: SpecialTokens = SpecialTokens {
        padding: 0,
        start: 1,
        end: 2,
    };

    fn pairs(count: u32) -> Vec<Pair> {
        let pair = |number: u32| {
            (
                vec![number + 3; 1 + number as usize % 7],
                vec![number + 3; number as usize % 5],
            )
        };
        (0..count).map(pair).collect()
    }

    #[test]
    fn each_pair_comes_once_and_whole() {
        let loader = SequencePairs::new(pairs(200), TOKENS, 3, 5).unwrap();
        let mut seen = Vec::new();
        for batch in loader.batches(1, 0).unwrap() {
            let (inputs, labels) = batch.unwrap();
            let SequencePair {
                source,
                decoder_input,
            } = &inputs;
            let rows = |tensor: &Tensor| tensor.to_vec2::<u32>().unwrap();
            let pairs = rows(source).into_iter().zip(rows(decoder_input));
            for ((source, read), said) in pairs.zip(rows(&labels)) {
                let length = |row: &[u32], used: u32| row.iter().filter(|&&id| id == used).count();
                let number = source[0] - 3;
                assert_eq!(length(&source, source[0]), 1 + number as usize % 7);
                let target = length(&read, source[0]);
                assert_eq!(target, number as usize % 5);
                assert_eq!((read[0], said[target]), (1, 2));
                assert_eq!(read[1..=target], said[..target]);
                assert!(
                    read[target + 1..]
                        .iter()
                        .chain(&said[target + 1..])
                        .all(|&id| id == 0)
                );
                seen.push(number);
            }
        }
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..200));
        assert_eq!((loader.steps(), loader.examples()), (67, 200));
    }

    #[test]
    fn the_epoch_decides_the_order_and_skipping_keeps_it() {
        let loader = SequencePairs::new(pairs(90), TOKENS, 4, 5).unwrap();
        let all = |epoch, skip| -> Vec<Vec<Vec<u32>>> {
            let batches = loader.batches(epoch, skip).unwrap();
            batches
                .map(|batch| batch.unwrap().1.to_vec2().unwrap())
                .collect()
        };
        assert_eq!(all(1, 0), all(1, 0));
        assert_eq!(all(1, 0)[7..], all(1, 7));
        assert_ne!(all(1, 0), all(2, 0));
    }

    #[test]
    fn senseless_pairs_are_named() {
        let error = |pairs, batch_size| {
            SequencePairs::new(pairs, TOKENS, batch_size, 0)
                .unwrap_err()
                .to_string()
        };
        assert!(error(pairs(2), 0).starts_with("batch_size"));
        assert!(error(vec![(vec![3], vec![]), (vec![], vec![3])], 1).ends_with("none in pair 1"));
        assert!(pad_sequences(&[vec![], vec![]], 0).is_err());
    }
}
