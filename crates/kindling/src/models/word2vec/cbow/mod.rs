//! CBOW, the *continuous bag of words*: from the mean of the words around it, tell a word from words drawn at random.
//!
//! The context words of one example lie anywhere in the table, so examples cannot be sorted as for skip-gram. Instead, the
//! tables are cut the other way: each thread owns some columns of all rows, and goes through all examples. The one thing that
//! it needs from the others is their part of each dot product. So a mini-batch has two halves: each thread writes down its
//! partial products; all meet; each adds up the products of all and moves its columns. With large models this is called
//! *tensor parallelism*. The sums do not depend on who computed their parts, so any number of threads gives the same vectors,
//! bit for bit.
//!
//! `word2vec.c` adds the whole gradient of the mean to each context word. The chain rule says that each gets its share, as
//! İrsoy, Benton and Stratos point out (*Corrected CBOW performs as well as skip-gram*, 2021); so it is here.

mod columns;
mod examples;
mod team;

use std::{
    ops::Range,
    sync::{Mutex, PoisonError},
};

use rayon::prelude::*;

use self::{
    columns::{Columns, spans},
    examples::{BATCH, Chunk},
    team::{Barrier, Products},
};
use super::{Word2VecConfig, rows::Table, sampler::Sampler};

/// Both tables, dealt out by columns, and what a round learns from.
#[derive(Debug)]
pub(super) struct Cbow {
    chunks: Vec<Chunk>,
    /// Each is locked by the thread that works on it, for a whole round.
    columns: Vec<Mutex<Columns>>,
    /// Those of this mini-batch and those of the next one, which a thread may begin while others still read.
    products: [Products; 2],
    barrier: Barrier,
}

impl Cbow {
    /// Deals out the tables to the threads of the current pool, as far as there are columns.
    pub(super) fn new(tables: &[Table; 2], config: &Word2VecConfig) -> Self {
        let (spans, targets) = (spans(config.features), 1 + config.negatives);
        let threads = rayon::current_num_threads().min(spans);
        let columns = (0..threads).map(|thread| {
            let own = thread * spans / threads..(thread + 1) * spans / threads;
            Mutex::new(Columns::copy(tables, own, targets))
        });
        Self {
            chunks: Vec::new(),
            columns: columns.collect(),
            products: [(); 2].map(|()| Products::new(spans, BATCH * targets)),
            barrier: Barrier::new(threads),
        }
    }

    /// One round: examples for these chunks, and a step for each mini-batch. Returns how many examples that were, and the sum of their losses.
    pub(super) fn round(
        &mut self,
        sampler: &Sampler,
        epoch: usize,
        chunks: Range<usize>,
    ) -> (usize, f64) {
        self.chunks.resize_with(chunks.len(), Chunk::default);
        self.chunks
            .par_iter_mut()
            .zip(chunks)
            .for_each(|(samples, chunk)| samples.fill(sampler, epoch, chunk));
        // Threads that wait for each other must all be running. A broadcast runs on each thread of the pool at the same time.
        let losses = rayon::broadcast(|thread| {
            let columns = self.columns.get(thread.index());
            columns.map_or(0.0, |columns| {
                let mut columns = columns.lock().unwrap_or_else(PoisonError::into_inner);
                self.learn(&mut columns)
            })
        });
        let count = self.chunks.iter().map(Chunk::len).sum();
        (count, losses.first().copied().unwrap_or_default())
    }

    /// What one thread does in a round; returns the sum of the losses, which all threads see.
    fn learn(&self, columns: &mut Columns) -> f64 {
        let batches = self.chunks.iter().flat_map(Chunk::batches);
        let mut loss = 0.0;
        for (batch, products) in batches.zip(self.products.iter().cycle()) {
            columns.look(batch, products);
            self.barrier.wait();
            loss += columns.step(batch, products);
        }
        loss
    }

    /// Writes what was learned back to the tables.
    pub(super) fn write(&self, tables: &mut [Table; 2]) {
        for columns in &self.columns {
            let columns = columns.lock().unwrap_or_else(PoisonError::into_inner);
            columns.write(tables);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Fixture, close, words};
    use super::*;

    #[test]
    fn a_step_is_that_of_automatic_differentiation() {
        let fixture = Fixture::read();
        let mut tables = fixture.tables();
        let expected = &fixture.json["cbow"];
        let mut chunk = Chunk::default();
        chunk.rate = fixture.rate;
        for example in expected["examples"].as_array().unwrap() {
            chunk.push(words(&example[0]), words(&example[1]));
        }
        let config = Word2VecConfig {
            features: fixture.features,
            negatives: 2,
            ..Word2VecConfig::default()
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1);
        let mut cbow = pool
            .build()
            .unwrap()
            .install(|| Cbow::new(&tables, &config));
        cbow.chunks.push(chunk);
        let loss = cbow.learn(&mut cbow.columns[0].lock().unwrap());
        cbow.write(&mut tables);
        assert!((loss - expected["loss"].as_f64().unwrap()).abs() < 1e-5);
        close(&tables[0], &expected["inputs"]);
        close(&tables[1], &expected["outputs"]);
    }
}
