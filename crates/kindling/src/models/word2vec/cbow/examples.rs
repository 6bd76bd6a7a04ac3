//! The examples of a chunk of the text, and the mini-batches that they are taken in.

use super::super::sampler::Sampler;

/// Examples in a mini-batch: few, because their steps do not know of each other.
pub(super) const BATCH: usize = 256;

/// The examples of one chunk, in the order of the text.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    contexts: Vec<u32>,
    targets: Vec<u32>,
    /// Where context and targets of each example end; they begin where those of the one before it end.
    ends: Vec<[usize; 2]>,
    pub(super) rate: f32,
}

/// The words around a word; the word itself and then the negatives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Example<'a> {
    pub(super) context: &'a [u32],
    pub(super) targets: &'a [u32],
}

/// Some examples of one chunk, one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Batch<'a> {
    chunk: &'a Chunk,
    start: [usize; 2],
    ends: &'a [[usize; 2]],
}

impl Chunk {
    /// Collects the examples of a chunk of the text; a word that is alone in its window is none.
    pub(super) fn fill(&mut self, sampler: &Sampler, epoch: usize, chunk: usize) {
        self.contexts.clear();
        self.targets.clear();
        self.ends.clear();
        self.rate = sampler.rate(epoch, chunk);
        sampler.windows(epoch, chunk, |window, random| {
            let before = self.contexts.len();
            self.contexts.extend(window.contexts());
            if self.contexts.len() > before {
                self.targets.push(window.word());
                sampler.negatives(window.word(), random, |word| self.targets.push(word));
                self.end_example();
            }
        });
    }

    /// What was added to contexts and targets since the last example makes the next one.
    fn end_example(&mut self) {
        self.ends.push([self.contexts.len(), self.targets.len()]);
    }

    /// How many examples there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// All examples, in mini-batches.
    pub(super) fn batches(&self) -> impl Iterator<Item = Batch<'_>> {
        let mut start = [0; 2];
        self.ends.chunks(BATCH).map(move |ends| Batch {
            chunk: self,
            start: std::mem::replace(&mut start, ends[ends.len() - 1]),
            ends,
        })
    }
}

impl<'a> Batch<'a> {
    /// The learning rate of its chunk.
    pub(super) fn rate(self) -> f32 {
        self.chunk.rate
    }

    /// The examples, each with the place of its first target among those of the batch.
    #[inline(always)]
    pub(super) fn examples(self) -> impl Iterator<Item = (usize, Example<'a>)> {
        let mut start = self.start;
        self.ends.iter().map(move |&end| {
            let [from, to] = [start, end];
            start = end;
            let example = Example {
                context: &self.chunk.contexts[from[0]..to[0]],
                targets: &self.chunk.targets[from[1]..to[1]],
            };
            (from[1] - self.start[1], example)
        })
    }
}

#[cfg(test)]
impl Chunk {
    /// Adds an example that is not from a text.
    pub(super) fn push(
        &mut self,
        context: impl Iterator<Item = u32>,
        targets: impl Iterator<Item = u32>,
    ) {
        self.contexts.extend(context);
        self.targets.extend(targets);
        self.end_example();
    }
}
