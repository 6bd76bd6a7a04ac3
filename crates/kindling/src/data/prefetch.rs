//! Mini-batches that a thread of their own prepares while the ones before them are learned from.

use std::{sync::mpsc, thread};

use candle_core::Tensor;

use super::{BatchIterator, Random};
use crate::{Error, Result};

/// How many batches lie ready at most.
const DEPTH: usize = 2;

/// Which examples come when, and all other chance; both depend on seed, epoch and step alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prefetch {
    /// How many examples there are.
    pub examples: usize,
    pub batch_size: usize,
    pub seed: u64,
    pub epoch: usize,
    /// How many of the epoch's first batches are left out.
    pub skip: usize,
}

impl Prefetch {
    /// The batches that `assemble` makes of the examples it is given.
    pub fn batches(
        self,
        assemble: impl Fn(&[usize], &mut Random) -> Result<(Tensor, Tensor)> + Send + 'static,
    ) -> Result<BatchIterator<'static>> {
        let (sender, receiver) = mpsc::sync_channel(DEPTH);
        let prepare = move || {
            let mut order = Random::new(self.seed.wrapping_add(self.epoch as u64));
            let order = order.permutation(self.examples);
            for (step, chosen) in order.chunks(self.batch_size).enumerate().skip(self.skip) {
                let mut random = Random::for_step(self.seed, self.epoch as u64, step as u64);
                // Whoever no longer listens has stopped early.
                if sender.send(assemble(chosen, &mut random)).is_err() {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("batches".to_owned());
        let started = thread.spawn(prepare);
        started.map_err(|error| Error::Argument(format!("no thread for batches: {error}")))?;
        Ok(Box::new(receiver.into_iter()))
    }
}
