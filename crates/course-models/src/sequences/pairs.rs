//! Pairs of sequences as tokens, and somebody's own pairs.

use std::path::Path;

use anyhow::{Context, Result, bail};
use kindling::{
    data::{SequencePairs, SpecialTokens, Translations, parse_pairs, read_file},
    text::Bpe,
};

/// How many of somebody's own pairs are kept aside for each measurement, at most.
const HELD_OUT: usize = 1_000;

/// The fewest pairs of somebody's own: a tenth is kept aside, and there must be one to measure by.
const FEWEST: usize = 10;

/// Sources and targets as tokens, without special ones.
type Tokens = Vec<(Vec<u32>, Vec<u32>)>;

/// What is learned from, and what it is called.
#[derive(Debug)]
pub struct Pairs {
    /// Trained on what is learned from; source and target share it.
    pub tokenizer: Bpe,
    pub training: Tokens,
    pub validation: Tokens,
    /// How many examples the test set has.
    pub test: usize,
    pub name: String,
    pub licence: &'static str,
}

impl Pairs {
    /// Mini-batches of the training set, and of the validation set.
    pub fn loaders(&self, batch_size: usize, seed: u64) -> Result<(SequencePairs, SequencePairs)> {
        let loader = |pairs: &Tokens| {
            SequencePairs::new(pairs.clone(), SpecialTokens::FIRST, batch_size, seed)
        };
        Ok((loader(&self.training)?, loader(&self.validation)?))
    }
}

/// The pairs in a file, a pair a line with a tab between; a part is kept aside for each measurement.
pub fn own_pairs(file: &Path) -> Result<Translations> {
    let shown = file.display().to_string();
    let bytes = read_file(file).context("--data: expected a file of pairs")?;
    let pairs = parse_pairs(&shown, &bytes).context("--data")?;
    if pairs.len() < FEWEST {
        bail!(
            "--data {shown}: expected at least {FEWEST} pairs, so that some can be kept aside to measure by, found {}",
            pairs.len()
        );
    }
    let held_out = HELD_OUT.min(pairs.len() / FEWEST);
    Translations::from_pairs(pairs, held_out, 0).context("--data")
}
