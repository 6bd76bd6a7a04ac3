//! Some columns of both tables: what one thread owns, and the two halves of its part in a step.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::{
    super::{
        kernel::{GROUP, NegativeLogLikelihood, add, dot, residuals},
        rows::{Rows, Table, stride},
    },
    examples::{BATCH, Batch},
    team::Products,
};

/// How many features a partial dot product covers, a multiple of every vector's length.
///
/// It is the same for any number of threads, because it decides the order of a sum and with it the last bits.
const SPAN: usize = 32;

/// How many spans a row has.
pub(super) fn spans(features: usize) -> usize {
    stride(features).div_ceil(SPAN)
}

/// Columns of both tables, with what a step needs of them.
#[derive(Debug)]
pub(super) struct Columns {
    spans: Range<usize>,
    /// `(vocabulary, columns)`
    inputs: Rows,
    outputs: Rows,
    /// The means of the contexts: `(batch, columns)`.
    means: Rows,
    /// What the targets do to the mean of one context: `(1, columns)`.
    pull: Rows,
    /// How far each target's row is moved along the mean.
    steps: Vec<f32>,
}

impl Columns {
    /// Copies the columns of these spans from both tables; an example has at most so many targets.
    pub(super) fn copy(tables: &[Table; 2], spans: Range<usize>, targets: usize) -> Self {
        let place = Self::place(&tables[0], &spans);
        let [inputs, outputs] = tables.each_ref().map(|table| {
            let mut rows = Rows::zeros(table.words(), place.len());
            for word in 0..table.words() {
                rows.row_mut(word)
                    .copy_from_slice(&table.row(word as u32)[place.clone()]);
            }
            rows
        });
        Self {
            spans,
            inputs,
            outputs,
            means: Rows::zeros(BATCH, place.len()),
            pull: Rows::zeros(1, place.len()),
            steps: vec![0.0; BATCH * targets],
        }
    }

    /// Writes the columns back to where they are from.
    pub(super) fn write(&self, tables: &mut [Table; 2]) {
        let place = Self::place(&tables[0], &self.spans);
        for (table, rows) in tables.iter_mut().zip([&self.inputs, &self.outputs]) {
            for word in 0..table.words() {
                table.row_mut(word as u32)[place.clone()].copy_from_slice(rows.row(word));
            }
        }
    }

    /// Where in a row these spans are.
    fn place(table: &Table, spans: &Range<usize>) -> Range<usize> {
        spans.start * SPAN..table.stride().min(spans.end * SPAN)
    }

    /// The first half of a step: means and partial dot products, with both tables only read.
    pub(super) fn look(&mut self, batch: Batch, products: &Products) {
        crate::ops::arch().dispatch(Look {
            columns: self,
            batch,
            products,
        });
    }

    /// The second half: from the products of the whole team the gradients, and a step against them. Returns the sum of the losses.
    pub(super) fn step(&mut self, batch: Batch, products: &Products) -> f64 {
        crate::ops::arch().dispatch(Step {
            columns: self,
            batch,
            products,
        })
    }
}

struct Look<'a> {
    columns: &'a mut Columns,
    batch: Batch<'a>,
    products: &'a Products,
}

impl WithSimd for Look<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let columns = self.columns;
        for (index, (first, example)) in self.batch.examples().enumerate() {
            let mean = columns.means.row_mut(index);
            mean.fill(0.0);
            let share = 1.0 / example.context.len() as f32;
            for word in example.context {
                add(simd, share, columns.inputs.row(*word as usize), mean);
            }
            for (place, target) in example.targets.iter().enumerate() {
                let output = columns.outputs.row(*target as usize).chunks(SPAN);
                let spans = columns.spans.clone().zip(mean.chunks(SPAN));
                for ((span, mean), output) in spans.zip(output) {
                    self.products
                        .set(span, first + place, dot(simd, mean, output));
                }
            }
        }
    }
}

struct Step<'a> {
    columns: &'a mut Columns,
    batch: Batch<'a>,
    products: &'a Products,
}

impl WithSimd for Step<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let Columns {
            inputs,
            outputs,
            means,
            pull,
            steps,
            ..
        } = self.columns;
        let (mut surprise, pull) = (NegativeLogLikelihood::new(), pull.row_mut(0));
        for (first, example) in self.batch.examples() {
            pull.fill(0.0);
            let share = 1.0 / example.context.len() as f32;
            let steps = &mut steps[first..][..example.targets.len()];
            let groups = example.targets.chunks(GROUP).zip(steps.chunks_mut(GROUP));
            for (group, (targets, steps)) in groups.enumerate() {
                let (mut logits, mut labels) = ([0.0; GROUP], [0.0; GROUP]);
                let first_of_group = first + group * GROUP;
                self.products
                    .add_to(first_of_group, &mut logits[..targets.len()]);
                if group == 0 {
                    labels[0] = 1.0; // only the first target is the word itself
                }
                let residual = residuals(logits, labels);
                for ((target, step), residual) in targets.iter().zip(steps).zip(residual) {
                    *step = self.batch.rate() * residual;
                    add(simd, *step * share, outputs.row(*target as usize), pull);
                    surprise.add(residual);
                }
            }
            for word in example.context {
                add(simd, 1.0, pull, inputs.row_mut(*word as usize));
            }
        }
        // Only now may the outputs move: the gradients of all examples are those of the tables before the step.
        for (index, (first, example)) in self.batch.examples().enumerate() {
            for (target, step) in example.targets.iter().zip(&steps[first..]) {
                add(
                    simd,
                    *step,
                    means.row(index),
                    outputs.row_mut(*target as usize),
                );
            }
        }
        surprise.total()
    }
}
