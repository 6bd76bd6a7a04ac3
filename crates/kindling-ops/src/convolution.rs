//! The three passes of a convolution, as many small matrix products that never copy a window.
//!
//! In a channels-last image the pixels under one row of the kernel lie side by side in memory. A tile of the result
//! takes twelve windows and reads each where it is (an implicit version of *im2col*; Chellapilla, Puri and Simard, 2006).
//! - forward:            `output[p, o]     += window[p + tap, i] · weight[tap, i, o]`
//! - to the weight:      `d_weight[tap, i, o] += window[p + tap, i] · d_output[p, o]`
//! - to the images:      `d_images[p + tap, i] += d_output[p, o] · weight[tap, i, o]`
//!
//! Images are worked on a few at a time, so that what one pass writes is still in the cache when the next reads it.

mod in_parts;
mod tiles;

use rayon::prelude::*;

pub(super) use self::in_parts::{Gradients, Sums};
use self::{
    in_parts::Range,
    tiles::{Backward, Forward},
};
use super::{
    geometry::Geometry,
    panels::Panels,
    parts::each_part,
    tile::{SLACK, in_tall_tiles},
};

/// About how many positions to work on at once: enough to use a loaded weight often, few enough for the cache.
const POSITIONS_AT_ONCE: usize = 256;

/// So many positions of a large image go to one thread, so that a single photograph keeps all of them busy.
const POSITIONS_IN_A_BAND: usize = 1024;

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
                    let bands =
                        sums.par_chunks_mut((POSITIONS_IN_A_BAND * geometry.out_channels).max(1));
                    each_part(bands.enumerate(), |(band, sums)| {
                        in_tall_tiles(Forward {
                            passes: self,
                            panels: &panels,
                            padded,
                            first: band * POSITIONS_IN_A_BAND,
                            sums,
                        });
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
            |grad_sums: &mut Vec<f32>, few, padded, grad_padded, sums| {
                let positions = few.len() * geometry.positions();
                let used = positions * geometry.out_channels;
                grad_sums.resize(used + SLACK, 0.0);
                gradient(few, &mut grad_sums[..used], &mut sums.bias);
                in_tall_tiles(Backward {
                    passes: self,
                    positions,
                    padded,
                    grad_sums,
                    transposed: &transposed,
                    grad_weight: &mut sums.weight,
                    grad_padded,
                });
            },
        )
    }
}
