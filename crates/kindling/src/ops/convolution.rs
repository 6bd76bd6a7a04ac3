//! The three passes of a convolution, as many small matrix products that never copy a window.
//!
//! In a channels-last image the pixels under one row of the kernel lie side by side in memory. A tile of the result
//! takes twelve windows and reads each where it is (an implicit version of *im2col*; Chellapilla, Puri and Simard, 2006).
//! - forward:            `output[p, o]     += window[p + tap, i] · weight[tap, i, o]`
//! - to the weight:      `d_weight[tap, i, o] += window[p + tap, i] · d_output[p, o]`
//! - to the images:      `d_images[p + tap, i] += d_output[p, o] · weight[tap, i, o]`
//!
//! Images are worked on a few at a time, so that what one pass writes is still in the cache when the next reads it.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::{
    geometry::Geometry,
    tile::{Panels, SLACK, multiply, outer, store, zeros},
};

/// About how many positions to work on at once: enough to use a loaded weight often, few enough for the cache.
const POSITIONS_AT_ONCE: usize = 256;

/// Gradients of the weight are summed in at most this many parts, whatever the number of threads, so that the result is too.
const PARTS: usize = 8;

/// What the passes of one convolution share.
pub(super) struct Passes {
    pub geometry: Geometry,
    /// Where each window begins, for as many images as are worked on at once.
    pub starts: Vec<usize>,
    pub runs: Vec<usize>,
    pub run_length: usize,
    pub images_at_once: usize,
}

impl Passes {
    pub(super) fn new(geometry: Geometry) -> Self {
        let images_at_once = POSITIONS_AT_ONCE.div_ceil(geometry.positions().max(1));
        let windows = geometry.window_starts();
        let starts = (0..images_at_once)
            .flat_map(|image| {
                let first = image * geometry.padded_len();
                windows.iter().map(move |start| first + start)
            })
            .collect();
        let (runs, run_length) = geometry.runs();
        Self {
            geometry,
            starts,
            runs,
            run_length,
            images_at_once,
        }
    }

    /// The weight of each group as panels `(kernel pixels · in_channels, out_channels)`.
    pub(super) fn pack(&self, weight: &[f32]) -> Vec<Panels> {
        let all = self.geometry.out_channels;
        let columns = self.geometry.group_outputs();
        let depth = self.runs.len() * self.run_length;
        (0..self.geometry.config.groups)
            .map(|group| {
                Panels::pack(depth, columns, |k, first, line| {
                    let start = k * all + group * columns + first;
                    line.copy_from_slice(&weight[start..start + line.len()]);
                })
            })
            .collect()
    }

    /// For each group and each pixel of the kernel the transposed weight, as panels `(out_channels, in_channels)`.
    fn pack_transposed(&self, weight: &[f32]) -> Vec<Vec<Panels>> {
        let geometry = &self.geometry;
        let (inputs, outputs) = (geometry.group_inputs(), geometry.group_outputs());
        let taps = geometry.kernel_height * geometry.kernel_width;
        (0..geometry.config.groups)
            .map(|group| {
                let pack = |tap: usize| {
                    Panels::pack(outputs, inputs, |output, first, line| {
                        let start = (tap * inputs + first) * geometry.out_channels;
                        let column = weight[start + group * outputs + output..].iter();
                        let column = column.step_by(geometry.out_channels);
                        line.iter_mut()
                            .zip(column)
                            .for_each(|(to, from)| *to = *from);
                    })
                };
                (0..taps).into_par_iter().map(pack).collect()
            })
            .collect()
    }

    /// Convolves; `finish` turns the sums `(images, out_height, out_width, out_channels)` of a few images into their
    /// part of `result`, which has `result_len` numbers an image, and of `note`, which has `note_len`.
    pub(super) fn forward<T: Send>(
        &self,
        images: &[f32],
        weight: &[f32],
        (result, result_len): (&mut [f32], usize),
        (note, note_len): (&mut [T], usize),
        finish: impl Fn(&[f32], &mut [f32], &mut [T]) + Sync,
    ) {
        let geometry = &self.geometry;
        let panels = self.pack(weight);
        let image_len = geometry.image_len();
        let at_once = self.images_at_once;
        images
            .par_chunks((at_once * image_len).max(1))
            .zip(result.par_chunks_mut((at_once * result_len).max(1)))
            .zip(note.par_chunks_mut((at_once * note_len).max(1)))
            .for_each_init(
                || (Vec::new(), Vec::new()),
                |(padded, sums), ((images, result), note)| {
                    geometry.pad(images, padded);
                    let count = images.len() / image_len;
                    sums.resize(count * geometry.positions() * geometry.out_channels, 0.0);
                    Arch::new().dispatch(Forward {
                        passes: self,
                        panels: &panels,
                        padded,
                        sums,
                    });
                    finish(sums, result, note);
                },
            );
    }

    /// The gradients of weight, bias and (if `wanted`) images.
    ///
    /// `gradient` writes that of the sums `(images, out_height, out_width, out_channels)` for some images, given as a range, and adds
    /// up that of the bias `(out_channels)`.
    pub(super) fn backward(
        &self,
        images: &[f32],
        weight: &[f32],
        wanted: bool,
        gradient: impl Fn(Range, &mut [f32], &mut [f32]) + Sync,
    ) -> Gradients {
        let geometry = &self.geometry;
        let transposed = if wanted {
            self.pack_transposed(weight)
        } else {
            Vec::new()
        };
        self.in_parts(
            images,
            weight.len(),
            wanted,
            |to_sums: &mut Vec<f32>, few, padded, to_padded, sums| {
                let positions = few.len() * geometry.positions();
                let used = positions * geometry.out_channels;
                to_sums.resize(used + SLACK, 0.0);
                gradient(few, &mut to_sums[..used], &mut sums.bias);
                Arch::new().dispatch(Backward {
                    passes: self,
                    positions,
                    padded,
                    to_sums,
                    transposed: &transposed,
                    to_weight: &mut sums.weight,
                    to_padded,
                });
            },
        )
    }

    /// A backward pass over a few images at a time: `pass` is given some scratch memory, which images, these with their zeros around
    /// them, and where to add the gradients of all three: of the padded images (empty if not `wanted`), of weight and bias.
    pub(super) fn in_parts<Scratch: Default>(
        &self,
        images: &[f32],
        weight_len: usize,
        wanted: bool,
        pass: impl Fn(&mut Scratch, Range, &[f32], &mut [f32], &mut Sums) + Sync,
    ) -> Gradients {
        let geometry = &self.geometry;
        let image_len = geometry.image_len();
        let mut to_images = vec![0.0; if wanted { images.len() } else { 0 }];
        let a_part = geometry.batch.div_ceil(PARTS).max(1);
        let parts: Vec<Range> = (0..geometry.batch)
            .step_by(a_part)
            .map(|first| first..geometry.batch.min(first + a_part))
            .collect();
        let pieces: Vec<&mut [f32]> = if wanted {
            to_images.chunks_mut((a_part * image_len).max(1)).collect()
        } else {
            parts.iter().map(|_| Default::default()).collect()
        };
        let empty = || Sums {
            weight: vec![0.0; weight_len],
            bias: vec![0.0; geometry.out_channels],
        };
        let sums: Vec<Sums> = parts
            .into_par_iter()
            .zip(pieces)
            .map(|(part, to_images)| {
                let mut sums = empty();
                let (mut scratch, mut padded, mut to_padded) = (Scratch::default(), vec![], vec![]);
                for first in part.clone().step_by(self.images_at_once) {
                    let few = first..part.end.min(first + self.images_at_once);
                    let place = few.start * image_len..few.end * image_len;
                    geometry.pad(&images[place], &mut padded);
                    if wanted {
                        to_padded.clear();
                        to_padded.resize(few.len() * geometry.padded_len() + SLACK, 0.0);
                    }
                    pass(
                        &mut scratch,
                        few.clone(),
                        &padded,
                        &mut to_padded,
                        &mut sums,
                    );
                    if wanted {
                        let offset = first - part.start;
                        let place = offset * image_len..(offset + few.len()) * image_len;
                        geometry.unpad(&to_padded, &mut to_images[place]);
                    }
                }
                sums
            })
            .collect();
        let mut parts = sums.into_iter();
        let mut sums = parts.next().unwrap_or_else(empty);
        for part in parts {
            add(&mut sums.weight, &part.weight);
            add(&mut sums.bias, &part.bias);
        }
        Gradients {
            weight: sums.weight,
            bias: sums.bias,
            images: wanted.then_some(to_images),
        }
    }
}

type Range = std::ops::Range<usize>;

/// What is added up over the images.
pub(super) struct Sums {
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
}

/// The gradients of one convolution, each in the layout of what it belongs to.
pub(super) struct Gradients {
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
    pub images: Option<Vec<f32>>,
}

pub(super) fn add(sums: &mut [f32], more: &[f32]) {
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum += more;
    }
}

struct Forward<'a> {
    passes: &'a Passes,
    panels: &'a [Panels],
    padded: &'a [f32],
    /// `(positions, out_channels)`.
    sums: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let width = self.passes.geometry.group_outputs();
        for (group, panels) in self.panels.iter().enumerate() {
            for (first, used, panel) in panels.iter() {
                let place = (group, group * width + first, used);
                // The tile is as large as the registers allow; the last panel may need only half of them.
                match (S::REGISTER_COUNT >= 32, used > panels.width() / 2) {
                    (true, true) => self.panel::<S, 12, 2>(simd, place, panel),
                    (true, false) => self.panel::<S, 12, 1>(simd, place, panel),
                    (false, true) => self.panel::<S, 6, 2>(simd, place, panel),
                    (false, false) => self.panel::<S, 6, 1>(simd, place, panel),
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

struct Backward<'a> {
    passes: &'a Passes,
    positions: usize,
    padded: &'a [f32],
    /// `(positions, out_channels)` and some slack.
    to_sums: &'a [f32],
    transposed: &'a [Vec<Panels>],
    to_weight: &'a mut [f32],
    /// Empty if not wanted.
    to_padded: &'a mut [f32],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let outputs = self.passes.geometry.group_outputs();
        let width = 2 * S::F32_LANES;
        for group in 0..self.passes.geometry.config.groups {
            for first in (0..outputs).step_by(width) {
                let used = width.min(outputs - first);
                let place = (group, group * outputs + first, used);
                match (S::REGISTER_COUNT >= 32, used > width / 2) {
                    (true, true) => self.weight::<S, 12, 2>(simd, place),
                    (true, false) => self.weight::<S, 12, 1>(simd, place),
                    (false, true) => self.weight::<S, 6, 2>(simd, place),
                    (false, false) => self.weight::<S, 6, 1>(simd, place),
                }
            }
        }
        let taps = self.passes.geometry.taps();
        for (group, transposed) in self.transposed.iter().enumerate() {
            for (tap, panels) in taps.iter().zip(transposed) {
                for (first, used, panel) in panels.iter() {
                    let place = (group, *tap, first, used);
                    match (S::REGISTER_COUNT >= 32, used > width / 2) {
                        (true, true) => self.images::<S, 12, 2>(simd, place, panel),
                        (true, false) => self.images::<S, 12, 1>(simd, place, panel),
                        (false, true) => self.images::<S, 6, 2>(simd, place, panel),
                        (false, false) => self.images::<S, 6, 1>(simd, place, panel),
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
                    &self.to_sums[position * outputs + first..][..N * S::F32_LANES]
                };
                outer(simd, self.positions, left, right, &mut tile);
                let rows = M.min(run_length - row);
                let weights = self.to_weight[(number * run_length + row) * outputs..]
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
                *row = &self.to_sums[start..][..outputs];
            }
            let mut tile = zeros::<S, M, N>(simd);
            multiply(simd, rows, panel, &mut tile);
            for (start, sums) in starts[position..self.positions].iter().zip(tile) {
                let pixel = start + tap + channel;
                store(simd, sums, &mut self.to_padded[pixel..][..used], true);
            }
        }
    }
}
