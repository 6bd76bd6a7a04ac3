//! Mini-batches of sequence pairs in which all are about equally long, so that little is spent on padding.

use super::{padding::pad, pair_batch::PairBatch};
use crate::{
    Error, Result,
    data::{BatchIterator, Loader, Random},
};

/// A source and a target, as ids.
pub type SequencePair = (Vec<u32>, Vec<u32>);

/// Pairs for an encoder and a decoder, in batches of similar lengths.
///
/// Pairs are put into buckets by length. Each epoch shuffles the pairs of each bucket, cuts them into batches that hold at
/// most `tokens_per_batch` numbers with their padding, and shuffles the batches. What a batch holds depends on seed, epoch
/// and step alone.
///
/// As a [`Loader`] its inputs are `u32`, `(batch, 2, time)`: the source and what the decoder reads, both filled up with
/// `padding` to the longer of the two; [`PairBatch::unpack`] takes them apart. Its targets are `(batch, target_time)`: what
/// the decoder should say, with `padding` where the loss must not look.
///
/// ```
/// use kindling::text::{PAD, PairLoader, Vocabulary, VocabularyConfig};
/// let vocabulary = Vocabulary::new("a b c d".split(' '), VocabularyConfig::default())?;
/// let pairs = ["a", "a b", "c d b", "d", "c a", "b b b"].map(|text| {
///     let ids = vocabulary.encode_sequence(text.split(' '));
///     (ids.clone(), ids)
/// });
/// let loader = PairLoader::new(pairs.to_vec(), 20, PAD, 1)?;
/// for batch in loader.pair_batches(1, 0) {
///     let batch = batch?;
///     assert_eq!(batch.target_input.ids.dims(), batch.target_output.dims());
/// }
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct PairLoader {
    pairs: Vec<SequencePair>,
    buckets: Vec<Bucket>,
    padding: u32,
    seed: u64,
}

/// Pairs of similar lengths.
#[derive(Debug, Clone)]
struct Bucket {
    /// Positions of the pairs.
    members: Vec<usize>,
    /// How many of them a batch has.
    batch_size: usize,
}

impl PairLoader {
    /// Targets begin and end with a token of their own, as [`super::Vocabulary::encode_sequence`] makes them.
    ///
    /// Errors: no pairs, an empty source, a target of less than two tokens, a `padding` that occurs in a sequence, a pair
    /// that alone is over the budget.
    pub fn new(
        pairs: Vec<SequencePair>,
        tokens_per_batch: usize,
        padding: u32,
        seed: u64,
    ) -> Result<Self> {
        if pairs.is_empty() {
            return Err(Error::Argument(
                "pairs: expected some, found none".to_owned(),
            ));
        }
        for (number, (source, target)) in pairs.iter().enumerate() {
            let length = cost(source, target);
            let problem = match (source.len(), target.len()) {
                (0, _) => {
                    "expected a source with at least one token, found an empty one".to_owned()
                }
                (_, 0 | 1) => {
                    format!("expected a target that begins and ends with a token, found {target:?}")
                }
                _ if source.contains(&padding) || target.contains(&padding) => {
                    format!(
                        "the padding {padding} occurs inside; choose an id that means nothing else"
                    )
                }
                _ if length > tokens_per_batch => format!(
                    "it has {length} tokens, but tokens_per_batch is {tokens_per_batch}; cut it, or allow more"
                ),
                _ => continue,
            };
            return Err(Error::Argument(format!("pair {number}: {problem}")));
        }
        let buckets = buckets(&pairs, tokens_per_batch);
        Ok(Self {
            pairs,
            buckets,
            padding,
            seed,
        })
    }

    /// The mini-batches of this epoch without its first `skip`, with masks and by name.
    pub fn pair_batches(
        &self,
        epoch: usize,
        skip: usize,
    ) -> impl Iterator<Item = Result<PairBatch>> + Send + '_ {
        let order = self.order(epoch).into_iter().skip(skip);
        order.map(|members| self.assemble(&members))
    }

    /// The positions of the pairs of each batch.
    fn order(&self, epoch: usize) -> Vec<Vec<usize>> {
        let chance = |number: usize| Random::for_step(self.seed, epoch as u64, number as u64);
        let mut batches = Vec::new();
        for (number, bucket) in self.buckets.iter().enumerate() {
            let mut members = bucket.members.clone();
            chance(number).shuffle(&mut members);
            batches.extend(members.chunks(bucket.batch_size).map(<[usize]>::to_vec));
        }
        chance(self.buckets.len()).shuffle(&mut batches);
        batches
    }

    fn assemble(&self, members: &[usize]) -> Result<PairBatch> {
        let part = |slice: fn(&SequencePair) -> &[u32]| {
            let rows: Vec<&[u32]> = members.iter().map(|&at| slice(&self.pairs[at])).collect();
            pad(&rows, self.padding, None)
        };
        Ok(PairBatch {
            source: part(|(source, _)| source)?,
            target_input: part(|(_, target)| &target[..target.len() - 1])?,
            target_output: part(|(_, target)| &target[1..])?.ids,
        })
    }
}

impl Loader for PairLoader {
    fn steps(&self) -> usize {
        let buckets = self.buckets.iter();
        let steps = buckets.map(|bucket| bucket.members.len().div_ceil(bucket.batch_size));
        steps.sum()
    }

    fn examples(&self) -> usize {
        self.pairs.len()
    }

    fn batches(&self, epoch: usize, skip: usize) -> Result<BatchIterator<'_>> {
        Ok(Box::new(self.pair_batches(epoch, skip).map(|batch| {
            let batch = batch?;
            Ok((batch.pack(self.padding)?, batch.target_output))
        })))
    }
}

/// How many numbers a pair puts into the two inputs.
fn cost(source: &[u32], target: &[u32]) -> usize {
    source.len() + target.len().saturating_sub(1)
}

/// Pairs by their longer side: a bucket reaches from one length to a tenth more.
fn buckets(pairs: &[SequencePair], tokens_per_batch: usize) -> Vec<Bucket> {
    let longer = |at: usize| pairs[at].0.len().max(pairs[at].1.len());
    let mut order: Vec<usize> = (0..pairs.len()).collect();
    order.sort_by_key(|&at| longer(at));
    let buckets = order.chunk_by({
        let mut shortest = order.first().map_or(0, |&at| longer(at));
        move |_, &next| {
            let fits = longer(next) <= shortest + shortest / 10;
            if !fits {
                shortest = longer(next);
            }
            fits
        }
    });
    buckets
        .map(|members| {
            let members = members.to_vec();
            let longest = |side: fn(&SequencePair) -> usize| {
                let lengths = members.iter().map(|&at| side(&pairs[at]));
                lengths.max().unwrap_or(1)
            };
            let widest =
                longest(|(source, _)| source.len()) + longest(|(_, target)| target.len() - 1);
            let batch_size = (tokens_per_batch / widest).max(1);
            Bucket {
                members,
                batch_size,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Tensor};

    use super::*;
    use crate::text::{PAD, Padded};

    /// Pairs of lengths that vary, each with a number of its own as first and last token.
    fn pairs(count: usize) -> Vec<SequencePair> {
        let mut random = Random::new(5);
        let mut sequence = |number: usize, least: usize| {
            let mut ids = vec![7; least + random.below(20)];
            ids[0] = 10 + number as u32;
            ids
        };
        (0..count)
            .map(|number| (sequence(number, 1), sequence(number, 2)))
            .collect()
    }

    fn loader(seed: u64) -> PairLoader {
        PairLoader::new(pairs(300), 200, PAD, seed).unwrap()
    }

    /// The first tokens of each batch.
    fn firsts(loader: &PairLoader, epoch: usize, skip: usize) -> Vec<Vec<u32>> {
        let batches = loader.pair_batches(epoch, skip);
        batches
            .map(|batch| {
                let ids = batch.unwrap().source.ids;
                ids.narrow(1, 0, 1)
                    .unwrap()
                    .flatten_all()
                    .unwrap()
                    .to_vec1()
                    .unwrap()
            })
            .collect()
    }

    #[test]
    fn each_pair_comes_once_an_epoch_within_the_budget() {
        let loader = loader(1);
        let mut all = firsts(&loader, 1, 0);
        assert_eq!(all.len(), loader.steps());
        assert_eq!(firsts(&loader, 2, 0).len(), loader.steps());
        all.iter_mut().for_each(|batch| batch.sort_unstable());
        let mut all = all.concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(10..310));
        for batch in loader.pair_batches(3, 0) {
            let batch = batch.unwrap();
            let numbers = batch.source.ids.elem_count() + batch.target_input.ids.elem_count();
            assert!(numbers <= 200, "{numbers}");
            assert_eq!(batch.target_input.ids.dims(), batch.target_output.dims());
        }
    }

    #[test]
    fn seed_epoch_and_step_decide_alone() {
        let all = firsts(&loader(1), 4, 0);
        assert_eq!(all[3..], firsts(&loader(1), 4, 3));
        assert_ne!(all, firsts(&loader(1), 5, 0));
        assert_ne!(all, firsts(&loader(2), 4, 0));
    }

    #[test]
    fn packed_inputs_come_apart_again() {
        let loader = loader(1);
        for (packed, batch) in loader.batches(1, 0).unwrap().zip(loader.pair_batches(1, 0)) {
            let ((inputs, targets), batch) = (packed.unwrap(), batch.unwrap());
            let (source, target) = PairBatch::unpack(&inputs, PAD).unwrap();
            let ids = |padded: &Padded| padded.ids.to_vec2::<u32>().unwrap();
            let mask = |padded: &Padded| padded.mask.to_vec2::<f32>().unwrap();
            assert_eq!(ids(&source), ids(&batch.source));
            assert_eq!(mask(&source), mask(&batch.source));
            assert_eq!(ids(&target), ids(&batch.target_input));
            assert_eq!(mask(&target), mask(&batch.target_input));
            assert_eq!(target.ids.dims(), targets.dims());
        }
        let flat = Tensor::zeros((2, 3), DType::U32, &Device::Cpu).unwrap();
        assert!(PairBatch::unpack(&flat, PAD).is_err());
    }

    #[test]
    fn little_is_spent_on_padding() {
        let loader = PairLoader::new(pairs(5_000), 2_000, PAD, 1).unwrap();
        let (mut numbers, mut tokens) = (0, 0.0);
        for batch in loader.pair_batches(1, 0) {
            let source = batch.unwrap().source;
            numbers += source.ids.elem_count();
            tokens += source.mask.sum_all().unwrap().to_scalar::<f32>().unwrap();
        }
        assert!(tokens > 0.6 * numbers as f32, "{tokens} of {numbers}");
    }

    #[test]
    fn bad_pairs_are_named() {
        let problem = |pairs: &[(&[u32], &[u32])]| {
            let pairs = pairs.iter().map(|(a, b)| (a.to_vec(), b.to_vec()));
            PairLoader::new(pairs.collect(), 8, PAD, 0)
                .unwrap_err()
                .to_string()
        };
        assert!(problem(&[]).contains("found none"));
        assert!(
            problem(&[(&[5], &[2, 3]), (&[], &[2, 3])]).starts_with("pair 1: expected a source")
        );
        assert!(problem(&[(&[5], &[2])]).contains("begins and ends"));
        assert!(problem(&[(&[5, 0], &[2, 3])]).contains("padding 0 occurs"));
        assert!(problem(&[(&[5; 6], &[2; 4])]).contains("has 9 tokens, but tokens_per_batch is 8"));
    }
}
