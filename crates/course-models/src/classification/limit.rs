//! How far a training step is from what the machine could do: its operations a second over those of a matrix product.

use std::time::Instant;

use anyhow::Result;
use kindling::{
    data::Random,
    models::{CnnConfig, MlpConfig},
    ops::{Conv2dConfig, conv2d},
};

/// Rows, depth and columns of the matrix product that stands for the machine's peak: it fits the caches and shares well.
const PRODUCT: (usize, usize, usize) = (4_096, 256, 128);

/// How often it is measured; the best counts.
const REPEATS: usize = 200;

/// The most floating-point operations a second that our own loops reach, in GFLOP/s.
pub fn peak() -> Result<f64> {
    let (rows, depth, columns) = PRODUCT;
    let mut random = Random::new(0);
    let left = random.uniform((rows / 64, 8, 8, depth), 0.0, 1.0)?; // (batch, height, width, channels)
    let right = random.uniform((1, 1, depth, columns), 0.0, 1.0)?; // (1, 1, in, out)
    let mut best = f64::INFINITY;
    for _ in 0..REPEATS {
        let started = Instant::now();
        std::hint::black_box(conv2d(&left, &right, &Conv2dConfig::default())?);
        best = best.min(started.elapsed().as_secs_f64());
    }
    Ok((2 * rows * depth * columns) as f64 / best / 1e9)
}

/// The operations of a training step of the outline's convolutional network, in GFLOP.
///
/// Each layer multiplies three times: forward, towards its weights, towards its inputs; the first layer's inputs are
/// pictures, which need no gradient.
pub fn cnn_step(config: &CnnConfig, batch: usize) -> f64 {
    let (mut height, mut width, mut inputs) = config.image;
    let mut products = 0;
    for (layer, &outputs) in config.channels.iter().enumerate() {
        let passes = if layer == 0 { 2 } else { 3 };
        products += passes * (height - 2) * (width - 2) * 9 * inputs * outputs;
        (height, width, inputs) = ((height - 2) / 2, (width - 2) / 2, outputs);
    }
    products += 3 * (height * width * inputs * config.hidden + config.hidden * config.classes);
    (2 * batch * products) as f64 / 1e9
}

/// The operations of a training step of the outline's perceptron, in GFLOP.
pub fn mlp_step(config: &MlpConfig, batch: usize) -> f64 {
    let products = 2 * config.inputs * config.hidden + 3 * config.hidden * config.classes;
    (2 * batch * products) as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_counted_as_by_hand() {
        let config = CnnConfig {
            image: (4, 4, 1),
            channels: vec![2],
            hidden: 3,
            classes: 5,
        };
        // 2 × 2 places, 9 weights, 2 channels, twice; then 2 features to 3 to 5, three times.
        let expected = 2 * 10 * (2 * 4 * 9 * 2 + 3 * (2 * 3 + 3 * 5));
        assert_eq!((cnn_step(&config, 10) * 1e9).round(), f64::from(expected));
        let config = MlpConfig {
            inputs: 7,
            hidden: 3,
            classes: 2,
        };
        let expected = 2 * (2 * 21 + 3 * 6);
        assert_eq!((mlp_step(&config, 1) * 1e9).round(), f64::from(expected));
    }

    #[test]
    fn the_peak_is_a_positive_number() {
        assert!(peak().unwrap() > 0.0);
    }
}
