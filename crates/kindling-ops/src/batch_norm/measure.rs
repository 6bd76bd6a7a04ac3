//! What a batch says of each channel.

use rayon::prelude::*;

use super::{ROWS, Statistics};
use crate::vectorized::vectorized;

/// Mean and variance of each channel: of parts that fit the cache, then put together (Chan, Golub and LeVeque, 1979).
pub(super) fn measure(features: &[f32], channels: usize) -> Statistics {
    let parts: Vec<(usize, Vec<f32>, Vec<f32>)> = features
        .par_chunks(ROWS * channels)
        .map(|features| {
            let count = features.len() / channels;
            let (mut mean, mut squares) = (vec![0.0; channels], vec![0.0; channels]);
            sums_of(features, &mut mean, &mut squares);
            (count, mean, squares)
        })
        .collect();
    let mut together = (0.0, vec![0_f64; channels], vec![0_f64; channels]);
    for (count, mean, squares) in &parts {
        let (before, count) = (together.0, *count as f64);
        let all = before + count;
        for channel in 0..channels {
            let gap = f64::from(mean[channel]) - together.1[channel];
            together.1[channel] += gap * count / all;
            together.2[channel] += f64::from(squares[channel]) + gap * gap * before * count / all;
        }
        together.0 = all;
    }
    let (count, mean, squares) = together;
    Statistics {
        mean: mean.into_iter().map(|mean| mean as f32).collect(),
        variance: squares
            .into_iter()
            .map(|sum| (sum / count) as f32)
            .collect(),
        count: count as usize,
    }
}

vectorized! {
    /// For each channel the mean, and the sum of squared distances from it.
    fn sums_of(features: &[f32], mean: &mut [f32], squares: &mut [f32]) {
        let channels = mean.len();
        for row in features.chunks_exact(channels) {
            for (sum, value) in mean.iter_mut().zip(row) {
                *sum += value;
            }
        }
        let count = (features.len() / channels) as f32;
        for sum in mean.iter_mut() {
            *sum /= count;
        }
        for row in features.chunks_exact(channels) {
            for ((square, value), mean) in squares.iter_mut().zip(row).zip(mean.iter()) {
                *square += (value - mean) * (value - mean);
            }
        }
    }
}
