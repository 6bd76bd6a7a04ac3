//! Skip-gram: from a word, tell the words around it from words drawn at random (2013b, equation 4).
//!
//! Each step changes a few rows only: the input row of a word, and the output rows of its targets. Threads may work side
//! by side as long as no row belongs to two of them. So both tables are dealt out to parts, and the samples are sorted
//! by the parts of their two words. In a round, thread `i` holds input part `i` and output part `i + turn`; after as many
//! turns as there are parts, every pair has met. The order of the steps is thereby fixed: any number of threads gives the
//! same vectors, bit for bit, and no row is ever read while it is written.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{
    kernel::{GROUP, NegativeLogLikelihood, add, dot, exchange, residuals},
    rows::{PARTS, Rows, Table, place, stride},
    sampler::Sampler,
};

/// What a round learns from: the samples of some chunks of the text.
#[derive(Debug, Default)]
pub(super) struct SkipGram {
    chunks: Vec<Chunk>,
}

/// The samples of one chunk.
#[derive(Debug)]
struct Chunk {
    /// By input part and then by output part.
    blocks: Vec<Block>,
    rate: f32,
    pairs: usize,
}

/// Samples whose input rows lie in one part, and whose output rows lie in one part.
#[derive(Debug, Clone, Default)]
struct Block {
    runs: Vec<Run>,
    targets: Vec<Target>,
}

/// The targets of one word of the text.
#[derive(Debug, Clone, Copy)]
struct Run {
    /// Which word of the chunk it is.
    position: usize,
    input: u32,
    /// Where its targets end in the block; they begin where those before it end.
    end: usize,
}

/// An output row, and in the lowest bit whether its word was really there.
#[derive(Debug, Clone, Copy)]
struct Target(u32);

impl Target {
    fn new(row: usize, positive: bool) -> Self {
        Self((row as u32) << 1 | u32::from(positive))
    }

    #[inline(always)]
    fn row(self) -> usize {
        (self.0 >> 1) as usize
    }

    #[inline(always)]
    fn label(self) -> f32 {
        (self.0 & 1) as f32
    }
}

impl SkipGram {
    /// One round: samples for these chunks, and a step for each. Returns how many pairs of words that were, and the sum of their losses.
    pub(super) fn round(
        &mut self,
        sampler: &Sampler,
        epoch: usize,
        chunks: std::ops::Range<usize>,
        [inputs, outputs]: &mut [Table; 2],
    ) -> (usize, f64) {
        let features = sampler.config.features;
        self.chunks.resize_with(chunks.len(), Chunk::new);
        self.chunks
            .par_iter_mut()
            .zip(chunks)
            .for_each(|(samples, chunk)| samples.fill(sampler, epoch, chunk));
        let samples = &self.chunks;
        let mut loss = 0.0;
        for turn in 0..PARTS {
            let losses: Vec<f64> = inputs
                .parts
                .par_iter_mut()
                .zip(&mut outputs.parts)
                .enumerate()
                .map(|(part, (inputs, outputs))| {
                    let pair = part * PARTS + (part + turn) % PARTS;
                    let mut pull = vec![0.0; stride(features)];
                    let mut loss = 0.0;
                    for chunk in samples {
                        loss += chunk.blocks[pair].learn(inputs, outputs, chunk.rate, &mut pull);
                    }
                    loss
                })
                .collect();
            loss += losses.iter().sum::<f64>();
            outputs.parts.rotate_left(1);
        }
        (samples.iter().map(|chunk| chunk.pairs).sum(), loss)
    }
}

impl Chunk {
    fn new() -> Self {
        Self {
            blocks: vec![Block::default(); PARTS * PARTS],
            rate: 0.0,
            pairs: 0,
        }
    }

    /// Sorts the samples of a chunk of the text into blocks.
    fn fill(&mut self, sampler: &Sampler, epoch: usize, chunk: usize) {
        for block in &mut self.blocks {
            block.runs.clear();
            block.targets.clear();
        }
        self.rate = sampler.rate(epoch, chunk);
        self.pairs = 0;
        let mut position = 0;
        sampler.windows(epoch, chunk, |window, random| {
            let (part, input) = place(window.word());
            let blocks = &mut self.blocks[part * PARTS..][..PARTS];
            for context in window.contexts() {
                self.pairs += 1;
                let mut push = |word, positive| {
                    let (part, row) = place(word);
                    blocks[part].push(position, input, Target::new(row, positive));
                };
                push(context, true);
                sampler.negatives(context, random, |negative| push(negative, false));
            }
            position += 1;
        });
    }
}

impl Block {
    #[inline]
    fn push(&mut self, position: usize, input: usize, target: Target) {
        self.targets.push(target);
        let end = self.targets.len();
        match self.runs.last_mut() {
            Some(run) if run.position == position => run.end = end,
            _ => self.runs.push(Run {
                position,
                input: input as u32,
                end,
            }),
        }
    }

    /// Takes a step for each run; returns the sum of the losses.
    fn learn(&self, inputs: &mut Rows, outputs: &mut Rows, rate: f32, pull: &mut [f32]) -> f64 {
        crate::ops::arch().dispatch(Learn {
            block: self,
            inputs,
            outputs,
            rate,
            pull,
        })
    }
}

struct Learn<'a> {
    block: &'a Block,
    inputs: &'a mut Rows,
    outputs: &'a mut Rows,
    rate: f32,
    /// What a run's targets do to its input, collected before it moves.
    pull: &'a mut [f32],
}

impl WithSimd for Learn<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let mut surprise = NegativeLogLikelihood::new();
        let mut start = 0;
        // ANCHOR: learn
        for run in &self.block.runs {
            let input = self.inputs.row_mut(run.input as usize);
            self.pull.fill(0.0);
            for targets in self.block.targets[start..run.end].chunks(GROUP) {
                let (mut logits, mut labels) = ([0.0; GROUP], [0.0; GROUP]);
                for (place, target) in targets.iter().enumerate() {
                    logits[place] = dot(simd, input, self.outputs.row(target.row()));
                    labels[place] = target.label();
                }
                let residual = residuals(logits, labels);
                for (target, residual) in targets.iter().zip(residual) {
                    let output = self.outputs.row_mut(target.row());
                    exchange(simd, self.rate * residual, input, output, self.pull);
                    surprise.add(residual);
                }
            }
            add(simd, 1.0, self.pull, input);
            start = run.end;
        }
        // ANCHOR_END: learn
        surprise.total()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Fixture, close};
    use super::*;

    #[test]
    fn steps_are_those_of_automatic_differentiation() {
        let fixture = Fixture::read();
        let [mut inputs, mut outputs] = fixture.tables();
        let expected = &fixture.json["skip_gram"];
        let mut block = Block::default();
        for (position, run) in expected["runs"].as_array().unwrap().iter().enumerate() {
            let (part, input) = place(run[0].as_u64().unwrap() as u32);
            assert_eq!(part, 1);
            for target in run[1].as_array().unwrap() {
                let (part, row) = place(target[0].as_u64().unwrap() as u32);
                assert_eq!(part, 3);
                block.push(position, input, Target::new(row, target[1] == 1));
            }
        }
        let (inputs_part, outputs_part) = (&mut inputs.parts[1], &mut outputs.parts[3]);
        let mut pull = vec![0.0; stride(fixture.features)];
        let loss = block.learn(inputs_part, outputs_part, fixture.rate, &mut pull);
        assert!((loss - expected["loss"].as_f64().unwrap()).abs() < 1e-5);
        close(&inputs, &expected["inputs"]);
        close(&outputs, &expected["outputs"]);
    }
}
