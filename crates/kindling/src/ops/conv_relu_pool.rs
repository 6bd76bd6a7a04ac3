//! Convolution, bias, ReLU and max-pooling in one operation.
//!
//! Between a convolution and its pooling lie the largest tensors of a small network, four times as many numbers as
//! what comes out. Done in one go they never leave the processor's cache, and what the backward pass needs of them is one byte
//! for each output: which pixel of the window was the largest, or that ReLU let nothing through.

use std::sync::Mutex;

use candle_core::{CpuStorage, CustomOp3, Layout, Shape, Tensor};

use super::{
    bias_relu::bias_relu,
    conv2d::conv2d,
    convolution::Passes,
    geometry::{Conv2dConfig, Geometry},
    pooling::max_pool2d,
    values::{Values, on_cpu, slice},
    vectorized::vectorized,
};
use crate::{Error, Result};

/// In the notes on what was chosen: ReLU made this output zero.
const NONE: u8 = u8::MAX;

/// The largest of each `size × size` window of `relu(conv2d(images, weight) + bias)`, in one pass over memory.
///
/// Takes what [`conv2d`] takes, and a `bias` `(out_channels)`; gives `(batch, out_height / size, out_width / size, out_channels)`.
/// Rows and columns that fill no whole window are left out, as in [`max_pool2d`].
pub fn conv_relu_pool(
    images: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    config: &Conv2dConfig,
    size: usize,
) -> Result<Tensor> {
    let geometry = Geometry::new(images, weight, *config)?;
    if bias.dims() != [geometry.out_channels] {
        return Err(Error::Shape {
            what: "bias".to_owned(),
            expected: format!("({} output channels)", geometry.out_channels),
            found: bias.dims().to_vec(),
        });
    }
    // A choice is one byte, so that larger windows go the long way.
    let fused = on_cpu(&[images, weight, bias]) && (1..=15).contains(&size);
    if !fused || geometry.out_height < size || geometry.out_width < size {
        let features = bias_relu(&conv2d(images, weight, config)?, bias)?;
        return max_pool2d(&features, size, size);
    }
    let operation = ConvReluPool {
        passes: Passes::new(geometry),
        size,
        choices: Mutex::default(),
    };
    Ok(images
        .contiguous()?
        .apply_op3(&weight.contiguous()?, &bias.contiguous()?, operation)?)
}

struct ConvReluPool {
    passes: Passes,
    size: usize,
    /// For each output which pixel of its window was the largest, or [`NONE`].
    choices: Mutex<Vec<u8>>,
}

impl ConvReluPool {
    fn pooled(&self) -> (usize, usize) {
        let geometry = &self.passes.geometry;
        (
            geometry.out_height / self.size,
            geometry.out_width / self.size,
        )
    }

    /// For each window of one image, in order, the positions of its pixels' first channels among the sums.
    fn windows(&self) -> Vec<Vec<usize>> {
        let geometry = &self.passes.geometry;
        let (rows, columns) = self.pooled();
        let size = self.size;
        let corner = move |window: usize| {
            (window / columns * size) * geometry.out_width + window % columns * size
        };
        (0..rows * columns)
            .map(|window| {
                (0..size * size)
                    .map(|pixel| corner(window) + pixel / size * geometry.out_width + pixel % size)
                    .map(|position| position * geometry.out_channels)
                    .collect()
            })
            .collect()
    }
}

impl CustomOp3 for ConvReluPool {
    fn name(&self) -> &'static str {
        "conv-relu-pool"
    }

    fn cpu_fwd(
        &self,
        images: &CpuStorage,
        images_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let geometry = &self.passes.geometry;
        let channels = geometry.out_channels;
        let (rows, columns) = self.pooled();
        let per_image = rows * columns * channels;
        let mut output = vec![0.0; geometry.batch * per_image];
        let mut choices = vec![0; geometry.batch * per_image];
        let bias = slice(bias, bias_layout)?;
        let windows = self.windows();
        self.passes.forward(
            slice(images, images_layout)?,
            slice(weight, weight_layout)?,
            (&mut output, per_image),
            (&mut choices, per_image),
            |sums, output, choices| {
                choose(
                    sums,
                    geometry.positions() * channels,
                    &windows,
                    bias,
                    output,
                    choices,
                );
            },
        );
        if let Ok(mut kept) = self.choices.lock() {
            *kept = choices;
        }
        let shape = (geometry.batch, rows, columns, channels);
        Ok((CpuStorage::F32(output), shape.into()))
    }

    fn bwd(
        &self,
        images: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _output: &Tensor,
        gradient: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.contiguous()?;
        let gradient_values = Values::of(&gradient)?;
        let Ok(choices) = self.choices.lock() else {
            candle_core::bail!("conv-relu-pool: another thread failed while it held the choices");
        };
        let geometry = &self.passes.geometry;
        let channels = geometry.out_channels;
        let (rows, columns) = self.pooled();
        let per_image = rows * columns * channels;
        let windows = self.windows();
        // Rows and columns behind the last whole window pass nothing back.
        let uncovered = rows * columns * self.size * self.size < geometry.positions();
        let gradients = self.passes.backward(
            &Values::of(images)?,
            &Values::of(weight)?,
            images.track_op(),
            |few, to_sums, to_bias| {
                let part = few.start * per_image..few.end * per_image;
                if uncovered {
                    to_sums.fill(0.0);
                }
                spread(
                    to_sums,
                    geometry.positions() * channels,
                    &windows,
                    &gradient_values[part.clone()],
                    &choices[part],
                    to_bias,
                );
            },
        );
        let tensor = |values, like: &Tensor| Tensor::from_vec(values, like.shape(), like.device());
        Ok((
            gradients
                .images
                .map(|values| tensor(values, images))
                .transpose()?,
            Some(tensor(gradients.weight, weight)?),
            Some(tensor(gradients.bias, bias)?),
        ))
    }
}

vectorized! {
    /// For each window and channel the largest sum, with bias and ReLU, and which pixel it was.
    fn choose(
        sums: &[f32],
        of_image: usize,
        windows: &[Vec<usize>],
        bias: &[f32],
        output: &mut [f32],
        choices: &mut [u8],
    ) {
        let channels = bias.len();
        let results = output.chunks_exact_mut(channels).zip(choices.chunks_exact_mut(channels));
        for (number, (output, choices)) in results.enumerate() {
            let sums = &sums[number / windows.len() * of_image..];
            let window = &windows[number % windows.len()];
            output.copy_from_slice(&sums[window[0]..][..channels]);
            choices.fill(0);
            for (pixel, start) in window.iter().enumerate().skip(1) {
                let candidates = &sums[*start..][..channels];
                for ((best, choice), candidate) in output.iter_mut().zip(choices.iter_mut()).zip(candidates) {
                    let better = *candidate > *best;
                    *best = if better { *candidate } else { *best };
                    *choice = if better { pixel as u8 } else { *choice };
                }
            }
            for ((best, choice), bias) in output.iter_mut().zip(choices.iter_mut()).zip(bias) {
                let sum = *best + bias;
                let cut = sum <= 0.0;
                *best = if cut { 0.0 } else { sum };
                *choice = if cut { NONE } else { *choice };
            }
        }
    }
}

vectorized! {
    /// Gives the gradient of each output to the pixel that was chosen, and zero to the others of its window.
    fn spread(
        to_sums: &mut [f32],
        of_image: usize,
        windows: &[Vec<usize>],
        gradient: &[f32],
        choices: &[u8],
        to_bias: &mut [f32],
    ) {
        let channels = to_bias.len();
        let given = gradient.chunks_exact(channels).zip(choices.chunks_exact(channels));
        for (number, (gradient, choices)) in given.enumerate() {
            let to_sums = &mut to_sums[number / windows.len() * of_image..];
            for (pixel, start) in windows[number % windows.len()].iter().enumerate() {
                let place = &mut to_sums[*start..][..channels];
                for ((to_sum, gradient), choice) in place.iter_mut().zip(gradient).zip(choices) {
                    *to_sum = if *choice == pixel as u8 { *gradient } else { 0.0 };
                }
            }
            for ((to_bias, gradient), choice) in to_bias.iter_mut().zip(gradient).zip(choices) {
                *to_bias += if *choice == NONE { 0.0 } else { *gradient };
            }
        }
    }
}
