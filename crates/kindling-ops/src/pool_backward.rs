//! The backward pass of a convolution under max-pooling, which touches only what the pooling chose.
//!
//! Of each window of 2 × 2 sums one was the largest, and ReLU stopped some of those. So at most one sum in four has a
//! gradient, and a matrix product over all of them would multiply mostly by zero. Here each channel lists the positions that were
//! chosen: their pixels, times their gradients, add up to the gradient of the channel's weights. And each position lists the
//! channels that chose it: their weights, times their gradients, add up to what goes back to its pixels.

use pulp::{Simd, WithSimd};

use super::{
    convolution::{Gradients, Passes, Sums},
    tile::{SLACK, store, zeros},
    vectorized::vectorized,
};

/// In the notes on what was chosen: ReLU made this output zero.
pub(super) const NONE: u8 = u8::MAX;

/// What pooling noted on its way forward, and the gradient that came back.
pub(super) struct Pooled<'a> {
    /// The positions that each window of an image covers.
    pub windows: &'a [Vec<usize>],
    /// Which of them was the largest, or [`NONE`]: `(images, windows, channels)`.
    pub choices: &'a [u8],
    /// `(images, windows, channels)`.
    pub gradient: &'a [f32],
}

/// The gradients of weight, bias and (if `wanted`) images; for convolutions without groups.
pub(super) fn backward(
    passes: &Passes,
    images: &[f32],
    weight: &[f32],
    wanted: bool,
    pooled: &Pooled<'_>,
) -> Gradients {
    let channels = passes.geometry.out_channels;
    let per_image = pooled.windows.len() * channels;
    // For each run of the kernel the weights of one channel side by side: (runs, out_channels, run_length).
    let run_len = passes.run_length * channels;
    let by_channel = weight.chunks_exact(run_len);
    let by_channel: Vec<Vec<f32>> = by_channel
        .map(|run| {
            let mut weights = transposed(run, channels);
            weights.resize(weights.len() + SLACK, 0.0);
            weights
        })
        .collect();
    let starts = starts(passes, pooled.windows);
    let mut gradients = passes.in_parts(
        images,
        weight.len(),
        wanted,
        |lists: &mut Lists, few, padded, grad_padded, sums: &mut Sums| {
            let part = few.start * per_image..few.end * per_image;
            let chosen = Chosen {
                passes,
                starts: &starts,
                choices: &pooled.choices[part.clone()],
                gradient: &pooled.gradient[part],
                padded,
                by_channel: &by_channel,
                wanted,
            };
            add_up(chosen.gradient, chosen.choices, &mut sums.bias);
            crate::arch().dispatch(Chunk {
                chosen,
                lists,
                grad_weight: &mut sums.weight,
                grad_padded,
            });
        },
    );
    gradients.weight = transposed(&gradients.weight, weight.len() / channels);
    gradients
}

/// Swaps rows and columns of a matrix with so many columns.
fn transposed(matrix: &[f32], columns: usize) -> Vec<f32> {
    let rows = matrix.len() / columns;
    let mut result = vec![0.0; matrix.len()];
    for (column, result) in result.chunks_exact_mut(rows).enumerate() {
        let values = matrix[column..].iter().step_by(columns);
        let pairs = result.iter_mut().zip(values);
        pairs.for_each(|(to, from)| *to = *from);
    }
    result
}

/// Where the pixels under each position of each window begin, for as many images as are worked on at once.
fn starts(passes: &Passes, windows: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let positions = passes.geometry.positions().max(1);
    let mut all = Vec::new();
    for starts in passes.starts.chunks_exact(positions) {
        for window in windows {
            all.push(window.iter().map(|place| starts[*place]).collect());
        }
    }
    all
}

/// Where something begins that counts, and the gradient it counts with.
type Entry = (usize, f32);

/// Memory that is used again for each few images.
#[derive(Default)]
struct Lists {
    /// Of one channel, the positions that it chose.
    positions: Vec<Entry>,
    /// Window after window and position after position, the channels that chose it.
    channels: Vec<Entry>,
    /// Where the list of each position ends.
    ends: Vec<usize>,
}

/// What is known of a few images.
struct Chosen<'a> {
    passes: &'a Passes,
    starts: &'a [Vec<usize>],
    choices: &'a [u8],
    gradient: &'a [f32],
    padded: &'a [f32],
    by_channel: &'a [Vec<f32>],
    wanted: bool,
}

impl Chosen<'_> {
    /// Lists the positions that a channel chose; returns how many.
    #[inline(always)]
    fn list_positions(&self, channel: usize, list: &mut Vec<Entry>) -> usize {
        let channels = self.passes.geometry.out_channels;
        list.resize(self.choices.len() / channels, (0, 0.0));
        let choices = self.choices[channel..].iter().step_by(channels);
        let gradient = self.gradient[channel..].iter().step_by(channels);
        let mut count = 0;
        for ((choice, gradient), starts) in choices.zip(gradient).zip(self.starts) {
            // Written in any case and counted only if chosen: a branch would be guessed wrong half of the time.
            let chosen = *choice != NONE;
            let position = if chosen { usize::from(*choice) } else { 0 };
            list[count] = (starts[position], *gradient);
            count += usize::from(chosen);
        }
        count
    }

    /// Lists for each position of each window the channels that chose it, sorted by counting.
    #[inline(always)]
    fn list_channels(&self, lists: &mut Lists) {
        let channels = self.passes.geometry.out_channels;
        let run_length = self.passes.run_length;
        lists.channels.resize(self.choices.len(), (0, 0.0));
        lists.ends.clear();
        let windows = self
            .choices
            .chunks_exact(channels)
            .zip(self.gradient.chunks_exact(channels));
        for ((number, (choices, gradient)), starts) in windows.enumerate().zip(self.starts) {
            let last = starts.len(); // for what no position gets
            let mut next = [0; 256];
            for choice in choices {
                next[last.min(usize::from(*choice))] += 1;
            }
            let mut end = number * channels;
            for next in &mut next[..last] {
                (*next, end) = (end, end + *next);
                lists.ends.push(end);
            }
            next[last] = end;
            for (channel, (choice, gradient)) in choices.iter().zip(gradient).enumerate() {
                let next = &mut next[last.min(usize::from(*choice))];
                lists.channels[*next] = (channel * run_length, *gradient);
                *next += 1;
            }
        }
    }
}

/// A few images, and what their gradients are added to.
struct Chunk<'a> {
    chosen: Chosen<'a>,
    lists: &'a mut Lists,
    /// `(out_channels, kernel pixels · in_channels)`.
    grad_weight: &'a mut [f32],
    grad_padded: &'a mut [f32],
}

impl WithSimd for Chunk<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            chosen,
            lists,
            grad_weight,
            grad_padded,
        } = self;
        let Passes {
            runs, run_length, ..
        } = chosen.passes;
        for (channel, grad_weight) in grad_weight
            .chunks_exact_mut(runs.len() * run_length)
            .enumerate()
        {
            let count = chosen.list_positions(channel, &mut lists.positions);
            let list = &lists.positions[..count];
            for (run, grad_weight) in runs.iter().zip(grad_weight.chunks_exact_mut(*run_length)) {
                gather(simd, chosen.padded, *run, list, grad_weight);
            }
        }
        if !chosen.wanted {
            return;
        }
        chosen.list_channels(lists);
        // Run by run, because the weights of one fit the first cache.
        for (run, weights) in runs.iter().zip(chosen.by_channel) {
            let mut ends = lists.ends.iter();
            let windows = chosen.choices.len() / chosen.passes.geometry.out_channels;
            for (window, starts) in chosen.starts[..windows].iter().enumerate() {
                let mut first = window * chosen.passes.geometry.out_channels;
                for (start, end) in starts.iter().zip(&mut ends) {
                    let list = &lists.channels[first..*end];
                    if !list.is_empty() {
                        let grad_pixels = &mut grad_padded[start + run..][..*run_length];
                        gather(simd, weights, 0, list, grad_pixels);
                    }
                    first = *end;
                }
            }
        }
    }
}

/// All of such a sum, in tiles of as many vectors as there are registers for.
#[inline(always)]
fn gather<S: Simd>(simd: S, source: &[f32], offset: usize, list: &[Entry], sums: &mut [f32]) {
    let mut first = 0;
    while first < sums.len() {
        let (sums, offset) = (&mut sums[first..], offset + first);
        let vectors = match sums.len().div_ceil(S::F32_LANES) {
            12.. => tile::<S, 12>(simd, source, offset, list, sums),
            6.. => tile::<S, 6>(simd, source, offset, list, sums),
            3.. => tile::<S, 3>(simd, source, offset, list, sums),
            _ => tile::<S, 1>(simd, source, offset, list, sums),
        };
        first += vectors * S::F32_LANES;
    }
}

// ANCHOR: tile
/// Adds `Σ gradient · source[start + offset..]` over the list to `sums`, as far as `N` vectors
/// reach; returns `N`.
#[inline(always)]
fn tile<S: Simd, const N: usize>(
    simd: S,
    source: &[f32],
    offset: usize,
    list: &[Entry],
    sums: &mut [f32],
) -> usize {
    let [mut tile] = zeros::<S, 1, N>(simd);
    for (start, gradient) in list {
        let (vectors, _) = S::as_simd_f32s(&source[start + offset..][..N * S::F32_LANES]);
        let gradient = simd.splat_f32s(*gradient);
        for (sum, vector) in tile.iter_mut().zip(&vectors[..N]) {
            *sum = simd.mul_add_e_f32s(gradient, *vector, *sum);
        }
    }
    let used = sums.len().min(N * S::F32_LANES);
    store(simd, tile, &mut sums[..used], true);
    N
}
// ANCHOR_END: tile

vectorized! {
    /// Adds the gradients that count to those of the biases.
    fn add_up(gradient: &[f32], choices: &[u8], grad_bias: &mut [f32]) {
        let channels = grad_bias.len();
        for (gradient, choices) in gradient.chunks_exact(channels).zip(choices.chunks_exact(channels)) {
            for ((grad_bias, gradient), choice) in grad_bias.iter_mut().zip(gradient).zip(choices) {
                *grad_bias += if *choice == NONE { 0.0 } else { *gradient };
            }
        }
    }
}
