//! A fully connected layer for few rows, whose weight is not worth packing: dot products with its rows as they lie.

use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::Linear;
use crate::{
    parts::{each_part, side_by_side},
    tile::{Tiles, WIDE, dots, in_wide_tiles},
};

/// Rows a thread takes at a time: whole tiles. Of fewer rows each thread takes some of the outputs.
const ROWS: usize = 2 * WIDE;

/// Below this many multiply-adds a second thread costs more than it brings.
const WORTH_A_THREAD: usize = 1 << 20;

impl Linear {
    /// The outputs for all `inputs`.
    pub(super) fn few_rows(&self, inputs: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
        let threads = rayon::current_num_threads();
        let work = self.batch * self.width * self.outputs;
        let layer = (weight, bias);
        if work >= WORTH_A_THREAD && self.batch <= ROWS && threads > 1 {
            return self.by_outputs(threads, |columns| {
                let mut output = vec![0.0; self.batch * columns.len()];
                let some = self.some(layer, inputs, columns, &mut output);
                in_low_tiles(self.batch, some);
                output
            });
        }
        let mut output = vec![0.0; self.batch * self.outputs];
        let rows = if work < WORTH_A_THREAD {
            self.batch
        } else {
            ROWS
        };
        let parts = output
            .par_chunks_mut(rows * self.outputs)
            .zip(inputs.par_chunks(rows * self.width));
        each_part(parts, |(output, inputs)| {
            in_wide_tiles(self.some(layer, inputs, 0..self.outputs, output));
        });
        output
    }

    /// These columns for these inputs.
    fn some<'a>(
        &'a self,
        (weight, bias): (&'a [f32], &'a [f32]),
        inputs: &'a [f32],
        columns: Range<usize>,
        output: &'a mut [f32],
    ) -> Forward<'a> {
        Forward {
            layer: self,
            inputs,
            weight,
            bias,
            columns,
            output,
        }
    }

    /// Puts the outputs `(batch, columns)` of all ranges of columns side by side.
    fn by_outputs(
        &self,
        threads: usize,
        some: impl Fn(Range<usize>) -> Vec<f32> + Sync,
    ) -> Vec<f32> {
        let each = self.outputs.div_ceil(2 * threads).next_multiple_of(WIDE);
        let starts = (0..self.outputs).into_par_iter().step_by(each);
        let range = |start: usize| start..self.outputs.min(start + each);
        let parts: Vec<Vec<f32>> = starts.map(|start| some(range(start))).collect();
        side_by_side(&parts, self.batch, self.outputs)
    }
}

/// Runs loops with tiles that are no higher than there are rows: a row more would be computed and forgotten.
fn in_low_tiles(rows: usize, loops: Forward<'_>) {
    struct Low<'a>(usize, Forward<'a>);
    impl WithSimd for Low<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            match self.0 {
                1 => self.1.run::<S, 1, 4>(simd),
                2 => self.1.run::<S, 2, 4>(simd),
                3 | 4 => self.1.run::<S, 4, 2>(simd),
                _ => in_wide_tiles(self.1),
            }
        }
    }
    crate::arch().dispatch(Low(rows, loops));
}

/// Some of the outputs for some of the rows.
struct Forward<'a> {
    layer: &'a Linear,
    inputs: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    columns: Range<usize>,
    /// `(rows, columns)`
    output: &'a mut [f32],
}

impl Tiles for Forward<'_> {
    #[inline(always)]
    fn run<S: Simd, const M: usize, const N: usize>(self, simd: S) {
        let Linear { width, relu, .. } = *self.layer;
        let outputs = self.columns.len();
        let last = self.inputs.len() / width - 1;
        for row in (0..=last).step_by(M) {
            let mut rows: [&[f32]; M] = [&[]; M];
            for (m, place) in rows.iter_mut().enumerate() {
                *place = &self.inputs[last.min(row + m) * width..][..width];
            }
            for column in (0..outputs).step_by(N) {
                let first = self.columns.start;
                let mut columns: [&[f32]; N] = [&[]; N];
                for (n, place) in columns.iter_mut().enumerate() {
                    let column = first + (outputs - 1).min(column + n);
                    *place = &self.weight[column * width..][..width];
                }
                let sums = dots(simd, rows, columns);
                let bias = &self.bias[first..][..outputs];
                let output = self.output[row * outputs..].chunks_mut(outputs);
                for (output, sums) in output.zip(sums) {
                    let place = output[column..].iter_mut().zip(&bias[column..]);
                    for ((output, bias), sum) in place.zip(sums) {
                        let sum = sum + bias;
                        *output = if relu && sum <= 0.0 { 0.0 } else { sum };
                    }
                }
            }
        }
    }
}
