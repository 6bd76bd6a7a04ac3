//! The loops over rows of channels, there and back.

use crate::vectorized::vectorized;

vectorized! {
    pub(super) fn scale(output: &mut [f32], features: &[f32], factors: &[f32], offsets: &[f32], floor: f32) {
        let channels = factors.len();
        for (output, features) in output.chunks_exact_mut(channels).zip(features.chunks_exact(channels)) {
            let channels = features.iter().zip(factors.iter().zip(offsets));
            for (output, (feature, (factor, offset))) in output.iter_mut().zip(channels) {
                let value = feature * factor + offset;
                *output = if value <= floor { floor } else { value }; // NaN stays NaN
            }
        }
    }
}

vectorized! {
    /// For each channel the sum of the gradient, and of the gradient times the centred feature.
    pub(super) fn sum_up(
        relu: bool,
        given: (&[f32], &[f32], &[f32]),
        mean: &[f32],
        plain: &mut [f32],
        weighted: &mut [f32],
    ) {
        let channels = mean.len();
        let (gradient, output, features) = given;
        let rows = gradient.chunks_exact(channels).zip(output.chunks_exact(channels));
        for ((gradient, output), features) in rows.zip(features.chunks_exact(channels)) {
            let sums = plain.iter_mut().zip(weighted.iter_mut());
            let numbers = gradient.iter().zip(output).zip(features.iter().zip(mean));
            for ((plain, weighted), ((gradient, output), (feature, mean))) in sums.zip(numbers) {
                // Where ReLU let nothing through, nothing comes back.
                let gradient = if relu && *output == 0.0 { 0.0 } else { *gradient };
                *plain += gradient;
                *weighted += gradient * (feature - mean);
            }
        }
    }
}

vectorized! {
    /// `factor · gradient + slope · (feature - mean) + offset`, the four given channel by channel.
    pub(super) fn back(
        relu: bool,
        grad_features: &mut [f32],
        given: (&[f32], &[f32], &[f32]),
        numbers: &[&[f32]; 4],
    ) {
        let channels = numbers[0].len();
        let (gradient, output, features) = given;
        let rows = gradient.chunks_exact(channels).zip(output.chunks_exact(channels));
        let rows = rows.zip(features.chunks_exact(channels));
        for (grad_features, ((gradient, output), features)) in grad_features.chunks_exact_mut(channels).zip(rows) {
            let first = gradient.iter().zip(output).zip(numbers[0]);
            let second = features.iter().zip(numbers[2]).zip(numbers[1].iter().zip(numbers[3]));
            for (grad_feature, (((gradient, output), factor), ((feature, mean), (slope, offset)))) in
                grad_features.iter_mut().zip(first.zip(second))
            {
                let gradient = if relu && *output == 0.0 { 0.0 } else { *gradient };
                *grad_feature = factor * gradient + slope * (feature - mean) + offset;
            }
        }
    }
}
