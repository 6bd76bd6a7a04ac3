//! A fully connected layer for few rows, whose weight is not worth packing: dot products with its rows as they lie.

use pulp::Simd;
use rayon::prelude::*;

use super::Linear;
use crate::{
    parts::each_part,
    tile::{Tiles, WIDE, dots, in_wide_tiles},
};

/// Rows a thread takes at a time: whole tiles.
const ROWS: usize = 2 * WIDE;

/// Below this many multiply-adds a second thread costs more than it brings.
const WORTH_A_THREAD: usize = 1 << 20;

impl Linear {
    /// The outputs for all `inputs`.
    pub(super) fn few_rows(&self, inputs: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
        let mut output = vec![0.0; self.batch * self.outputs];
        let rows = if self.batch * self.width * self.outputs < WORTH_A_THREAD {
            self.batch
        } else {
            ROWS
        };
        let parts = output
            .par_chunks_mut(rows * self.outputs)
            .zip(inputs.par_chunks(rows * self.width));
        each_part(parts, |(output, inputs)| {
            in_wide_tiles(Forward {
                layer: self,
                inputs,
                weight,
                bias,
                output,
            });
        });
        output
    }
}

struct Forward<'a> {
    layer: &'a Linear,
    inputs: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    output: &'a mut [f32],
}

impl Tiles for Forward<'_> {
    #[inline(always)]
    fn run<S: Simd, const M: usize, const N: usize>(self, simd: S) {
        let Linear {
            width,
            outputs,
            relu,
            ..
        } = *self.layer;
        let last = self.inputs.len() / width - 1;
        for row in (0..=last).step_by(M) {
            let mut rows: [&[f32]; M] = [&[]; M];
            for (m, place) in rows.iter_mut().enumerate() {
                *place = &self.inputs[last.min(row + m) * width..][..width];
            }
            for column in (0..outputs).step_by(N) {
                let mut columns: [&[f32]; N] = [&[]; N];
                for (n, place) in columns.iter_mut().enumerate() {
                    *place = &self.weight[(outputs - 1).min(column + n) * width..][..width];
                }
                let sums = dots(simd, rows, columns);
                let output = self.output[row * outputs..].chunks_mut(outputs);
                for (output, sums) in output.zip(sums) {
                    let place = output[column..].iter_mut().zip(&self.bias[column..]);
                    for ((output, bias), sum) in place.zip(sums) {
                        let sum = sum + bias;
                        *output = if relu && sum <= 0.0 { 0.0 } else { sum };
                    }
                }
            }
        }
    }
}
