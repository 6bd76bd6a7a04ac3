//! CBOW, the *continuous bag of words*: from the mean of the words around it, tell a word from words drawn by chance.
//!
//! The context words of one example lie anywhere in the table, so examples cannot be sorted as for skip-gram. Instead, mini-batches:
//! first each example computes its gradient, with both tables only read; then the parts of the tables are
//! moved, each by one thread and in the order of the examples. Any number of threads gives the same vectors, bit for bit.
//!
//! `word2vec.c` adds the whole gradient of the mean to each context word. The chain rule says that each gets its share, as
//! İrsoy, Benton and Stratos point out (*Corrected CBOW performs as well as skip-gram*, 2021); so it is here.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::{
    kernel::{GROUP, Surprise, add, dot, missing},
    rows::{Rows, Table, place, stride},
    sampler::Sampler,
};

/// Examples in a mini-batch: few, because their steps do not know of each other.
const BATCH: usize = 256;

/// Examples that a thread takes at a time.
const PIECE: usize = 32;

/// Stands where a negative was drawn that is the word itself.
const NONE: u32 = u32::MAX;

/// What a round learns from, and where it computes.
#[derive(Debug, Default)]
pub(super) struct Cbow {
    chunks: Vec<Chunk>,
    /// The means of the contexts: `(batch, stride)`.
    means: Vec<f32>,
    /// What each context word of an example is moved by: `(batch, stride)`.
    pulls: Vec<f32>,
    /// How far the output rows are moved along the mean: `(batch, targets)`.
    steps: Vec<f32>,
}

/// The examples of one chunk.
#[derive(Debug, Default)]
struct Chunk {
    contexts: Vec<u32>,
    /// Where the context of each example ends; it begins where the one before it ends.
    ends: Vec<usize>,
    /// For each example the word itself and then the negatives: `(examples, targets)`.
    targets: Vec<u32>,
    rate: f32,
}

/// Some examples in a row.
#[derive(Clone, Copy)]
struct Examples<'a> {
    chunk: &'a Chunk,
    first: usize,
    last: usize,
    /// Targets of an example.
    width: usize,
}

impl Cbow {
    /// One round: examples for these chunks, and a step for each mini-batch. Returns how many examples that were, and the sum of their losses.
    pub(super) fn round(
        &mut self,
        sampler: &Sampler,
        epoch: usize,
        chunks: Range<usize>,
        tables: &mut [Table; 2],
    ) -> (usize, f64) {
        let (stride, width) = (
            stride(sampler.config.features),
            1 + sampler.config.negatives,
        );
        self.chunks.resize_with(chunks.len(), Chunk::default);
        self.chunks
            .par_iter_mut()
            .zip(chunks)
            .for_each(|(samples, chunk)| samples.fill(sampler, epoch, chunk));
        self.means.resize(BATCH * stride, 0.0);
        self.pulls.resize(BATCH * stride, 0.0);
        self.steps.resize(BATCH * width, 0.0);
        let (mut count, mut loss) = (0, 0.0);
        for chunk in &self.chunks {
            for first in (0..chunk.ends.len()).step_by(BATCH) {
                let last = chunk.ends.len().min(first + BATCH);
                let examples = Examples {
                    chunk,
                    first,
                    last,
                    width,
                };
                let room = (
                    &mut self.means[..],
                    &mut self.pulls[..],
                    &mut self.steps[..],
                );
                loss += examples.look(tables, room, stride);
                examples.step(tables, (&self.means, &self.pulls, &self.steps), stride);
            }
            count += chunk.ends.len();
        }
        (count, loss)
    }
}

impl Chunk {
    /// Collects the examples of a chunk of the text; a word that is alone in its window is none.
    fn fill(&mut self, sampler: &Sampler, epoch: usize, chunk: usize) {
        self.contexts.clear();
        self.ends.clear();
        self.targets.clear();
        self.rate = sampler.rate(epoch, chunk);
        let width = 1 + sampler.config.negatives;
        sampler.windows(epoch, chunk, |window, random| {
            let before = self.contexts.len();
            self.contexts.extend(window.contexts());
            if self.contexts.len() > before {
                self.ends.push(self.contexts.len());
                self.targets.push(window.word());
                sampler.negatives(window.word(), random, |word| self.targets.push(word));
                self.targets.resize(self.ends.len() * width, NONE);
            }
        });
    }

    fn context(&self, example: usize) -> &[u32] {
        let start = example.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.contexts[start..self.ends[example]]
    }
}

impl<'a> Examples<'a> {
    fn targets(self, example: usize) -> &'a [u32] {
        &self.chunk.targets[example * self.width..][..self.width]
    }

    /// The first half of a step: means, gradients and losses, with the tables only read.
    fn look(
        self,
        tables: &[Table; 2],
        (means, pulls, steps): (&mut [f32], &mut [f32], &mut [f32]),
        stride: usize,
    ) -> f64 {
        let losses: Vec<f64> = means
            .par_chunks_mut(PIECE * stride)
            .zip(pulls.par_chunks_mut(PIECE * stride))
            .zip(steps.par_chunks_mut(PIECE * self.width))
            .enumerate()
            .map(|(piece, ((means, pulls), steps))| {
                let first = (self.first + piece * PIECE).min(self.last);
                let last = self.last.min(first + PIECE);
                let examples = Self {
                    first,
                    last,
                    ..self
                };
                Arch::new().dispatch(Look {
                    examples,
                    tables,
                    means,
                    pulls,
                    steps,
                    stride,
                })
            })
            .collect();
        losses.iter().sum()
    }

    /// The second half: each part of both tables takes the steps of its rows.
    fn step(
        self,
        [inputs, outputs]: &mut [Table; 2],
        (means, pulls, steps): (&[f32], &[f32], &[f32]),
        stride: usize,
    ) {
        let count = self.last - self.first;
        rayon::join(
            || {
                let parts = outputs.parts.par_iter_mut().enumerate();
                parts.for_each(|(part, rows)| {
                    let moves = (0..count).flat_map(|index| {
                        let mean = &means[index * stride..][..stride];
                        let targets = self.targets(self.first + index).iter();
                        let steps = &steps[index * self.width..][..self.width];
                        targets
                            .zip(steps)
                            .filter(|(word, _)| **word != NONE)
                            .map(move |(word, step)| (*word, *step, mean))
                    });
                    Arch::new().dispatch(Move { part, rows, moves });
                });
            },
            || {
                let parts = inputs.parts.par_iter_mut().enumerate();
                parts.for_each(|(part, rows)| {
                    let moves = (0..count).flat_map(|index| {
                        let pull = &pulls[index * stride..][..stride];
                        let context = self.chunk.context(self.first + index).iter();
                        context.map(move |word| (*word, 1.0, pull))
                    });
                    Arch::new().dispatch(Move { part, rows, moves });
                });
            },
        );
    }
}

struct Look<'a> {
    examples: Examples<'a>,
    tables: &'a [Table; 2],
    means: &'a mut [f32],
    pulls: &'a mut [f32],
    steps: &'a mut [f32],
    stride: usize,
}

impl WithSimd for Look<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let [inputs, outputs] = self.tables;
        let mut surprise = Surprise::new();
        let rows = self.means.chunks_exact_mut(self.stride);
        let rows = rows.zip(self.pulls.chunks_exact_mut(self.stride));
        let rows = rows.zip(self.steps.chunks_exact_mut(self.examples.width));
        for (example, ((mean, pull), steps)) in (self.examples.first..self.examples.last).zip(rows)
        {
            let context = self.examples.chunk.context(example);
            let share = 1.0 / context.len() as f32;
            mean.fill(0.0);
            for word in context {
                add(simd, share, inputs.row(*word), mean);
            }
            pull.fill(0.0);
            let (mut label, rate) = (1.0, self.examples.chunk.rate);
            let targets = self.examples.targets(example).chunks(GROUP);
            for (targets, steps) in targets.zip(steps.chunks_mut(GROUP)) {
                let (mut logits, mut labels) = ([0.0; GROUP], [0.0; GROUP]);
                for (place, target) in targets
                    .iter()
                    .enumerate()
                    .filter(|(_, word)| **word != NONE)
                {
                    logits[place] = dot(simd, mean, outputs.row(*target));
                    labels[place] = label;
                    label = 0.0; // only the first target is the word itself
                }
                let missing = missing(logits, labels);
                for ((target, step), missing) in targets.iter().zip(steps).zip(missing) {
                    if *target != NONE {
                        *step = rate * missing;
                        add(simd, *step * share, outputs.row(*target), pull);
                        surprise.add(missing);
                    }
                }
            }
        }
        surprise.total()
    }
}

/// Moves the rows of one part: `row ← row + step · direction`.
struct Move<'a, I> {
    part: usize,
    rows: &'a mut Rows,
    moves: I,
}

impl<'a, I: Iterator<Item = (u32, f32, &'a [f32])>> WithSimd for Move<'_, I> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for (word, step, direction) in self.moves {
            let (part, row) = place(word);
            if part == self.part {
                add(simd, step, direction, self.rows.row_mut(row));
            }
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
        let mut chunk = Chunk {
            rate: fixture.rate,
            ..Chunk::default()
        };
        let width = 4;
        for example in expected["examples"].as_array().unwrap() {
            chunk.contexts.extend(words(&example[0]));
            chunk.ends.push(chunk.contexts.len());
            chunk.targets.extend(words(&example[1]));
            chunk.targets.push(NONE); // one negative less than there is room for
        }
        let examples = Examples {
            chunk: &chunk,
            first: 0,
            last: chunk.ends.len(),
            width,
        };
        let stride = stride(fixture.features);
        let (mut means, mut pulls) = (vec![9.0; BATCH * stride], vec![9.0; BATCH * stride]);
        let mut steps = vec![9.0; BATCH * width];
        let room = (&mut means[..], &mut pulls[..], &mut steps[..]);
        let loss = examples.look(&tables, room, stride);
        examples.step(&mut tables, (&means, &pulls, &steps), stride);
        assert!((loss - expected["loss"].as_f64().unwrap()).abs() < 1e-5);
        close(&tables[0], &expected["inputs"]);
        close(&tables[1], &expected["outputs"]);
    }
}
