//! The loops over tiles of a few images' results, and of the gradients of weight and images.

use pulp::Simd;

use super::Passes;
use crate::{
    panels::Panels,
    tile::{Tiles, multiply, outer, store, zeros},
};

pub(super) struct Forward<'a> {
    pub(super) passes: &'a Passes,
    pub(super) panels: &'a [Panels],
    pub(super) padded: &'a [f32],
    /// The position that the sums begin with.
    pub(super) first: usize,
    /// `(positions, out_channels)`.
    pub(super) sums: &'a mut [f32],
}

impl Tiles for Forward<'_> {
    #[inline(always)]
    fn run<S: Simd, const M: usize, const N: usize>(mut self, simd: S) {
        let width = self.passes.geometry.group_outputs();
        for (group, panels) in self.panels.iter().enumerate() {
            for (first, used, panel) in panels.iter() {
                let place = (group, group * width + first, used);
                // The last panel may need only half of a tile's width.
                if used > panels.width() / 2 {
                    self.panel::<S, M, N>(simd, place, panel);
                } else {
                    self.panel::<S, M, 1>(simd, place, panel);
                }
            }
        }
    }
}

impl Forward<'_> {
    // ANCHOR: forward
    /// The sums of all positions for the output channels of one panel.
    #[inline(always)]
    fn panel<S: Simd, const M: usize, const N: usize>(
        &mut self,
        simd: S,
        (group, first, used): (usize, usize, usize),
        panel: &[f32],
    ) {
        let Passes {
            geometry,
            starts,
            runs,
            run_length,
            ..
        } = self.passes;
        let channel = group * geometry.group_inputs();
        let part = panel.len() / runs.len();
        let last = self.sums.len() / geometry.out_channels - 1;
        let starts = &starts[self.first..];
        for position in (0..=last).step_by(M) {
            // Behind the last position the last one is computed again, and not stored.
            let mut windows = [0; M];
            for (m, window) in windows.iter_mut().enumerate() {
                *window = starts[last.min(position + m)] + channel;
            }
            let mut tile = zeros::<S, M, N>(simd);
            for (run, panel) in runs.iter().zip(panel.chunks_exact(part)) {
                let mut rows: [&[f32]; M] = [&[]; M];
                for (row, window) in rows.iter_mut().zip(windows) {
                    *row = &self.padded[window + run..][..*run_length];
                }
                multiply(simd, rows, panel, &mut tile);
            }
            let rows =
                self.sums[position * geometry.out_channels..].chunks_mut(geometry.out_channels);
            for (row, sums) in rows.zip(tile) {
                store(simd, sums, &mut row[first..first + used], false);
            }
        }
    }
    // ANCHOR_END: forward
}

pub(super) struct Backward<'a> {
    pub(super) passes: &'a Passes,
    pub(super) positions: usize,
    pub(super) padded: &'a [f32],
    /// `(positions, out_channels)` and some slack.
    pub(super) grad_sums: &'a [f32],
    pub(super) transposed: &'a [Vec<Panels>],
    pub(super) grad_weight: &'a mut [f32],
    /// Empty if not wanted.
    pub(super) grad_padded: &'a mut [f32],
}

impl Tiles for Backward<'_> {
    #[inline(always)]
    fn run<S: Simd, const M: usize, const N: usize>(mut self, simd: S) {
        let outputs = self.passes.geometry.group_outputs();
        let width = N * S::F32_LANES;
        for group in 0..self.passes.geometry.config.groups {
            for first in (0..outputs).step_by(width) {
                let used = width.min(outputs - first);
                let place = (group, group * outputs + first, used);
                if used > width / 2 {
                    self.weight::<S, M, N>(simd, place);
                } else {
                    self.weight::<S, M, 1>(simd, place);
                }
            }
        }
        let taps = self.passes.geometry.taps();
        for (group, transposed) in self.transposed.iter().enumerate() {
            for (tap, panels) in taps.iter().zip(transposed) {
                for (first, used, panel) in panels.iter() {
                    let place = (group, *tap, first, used);
                    if used > width / 2 {
                        self.images::<S, M, N>(simd, place, panel);
                    } else {
                        self.images::<S, M, 1>(simd, place, panel);
                    }
                }
            }
        }
    }
}

impl Backward<'_> {
    /// Adds to the gradient of the weight, for the output channels of one panel.
    #[inline(always)]
    fn weight<S: Simd, const M: usize, const N: usize>(
        &mut self,
        simd: S,
        (group, first, used): (usize, usize, usize),
    ) {
        let Passes {
            geometry,
            starts,
            runs,
            run_length,
            ..
        } = self.passes;
        let outputs = geometry.out_channels;
        let channel = group * geometry.group_inputs();
        let starts = &starts[..self.positions];
        for (number, run) in runs.iter().enumerate() {
            for row in (0..*run_length).step_by(M) {
                let mut tile = zeros::<S, M, N>(simd);
                let offset = run + channel + row;
                let left = |position: usize| &self.padded[starts[position] + offset..][..M];
                let right = |position: usize| {
                    &self.grad_sums[position * outputs + first..][..N * S::F32_LANES]
                };
                outer(simd, self.positions, left, right, &mut tile);
                let rows = M.min(run_length - row);
                let weights = self.grad_weight[(number * run_length + row) * outputs..]
                    .chunks_mut(outputs)
                    .take(rows);
                for (weights, sums) in weights.zip(tile) {
                    store(simd, sums, &mut weights[first..first + used], true);
                }
            }
        }
    }

    /// Adds to the gradient of the images what one pixel of the kernel passes back, for the input channels of one panel.
    #[inline(always)]
    fn images<S: Simd, const M: usize, const N: usize>(
        &mut self,
        simd: S,
        (group, tap, first, used): (usize, usize, usize, usize),
        panel: &[f32],
    ) {
        let Passes {
            geometry, starts, ..
        } = self.passes;
        let (all, outputs) = (geometry.out_channels, geometry.group_outputs());
        let channel = group * geometry.group_inputs() + first;
        for position in (0..self.positions).step_by(M) {
            let mut rows: [&[f32]; M] = [&[]; M];
            for (m, row) in rows.iter_mut().enumerate() {
                let start = (position + m).min(self.positions - 1) * all + group * outputs;
                *row = &self.grad_sums[start..][..outputs];
            }
            let mut tile = zeros::<S, M, N>(simd);
            multiply(simd, rows, panel, &mut tile);
            for (start, sums) in starts[position..self.positions].iter().zip(tile) {
                let pixel = start + tap + channel;
                store(simd, sums, &mut self.grad_padded[pixel..][..used], true);
            }
        }
    }
}
