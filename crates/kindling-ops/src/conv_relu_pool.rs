//! Convolution and max-pooling in one operation, with bias and ReLU in between or without.
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
    pool_backward::{self, NONE, Pooled},
    pooling::max_pool2d,
    values::{Values, on_cpu, slice},
    vectorized::vectorized,
};
use crate::{Error, Result};

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
    if !on_cpu(&[bias]) || !can_be_fused(images, weight, &geometry, size) {
        let features = bias_relu(&conv2d(images, weight, config)?, bias)?;
        return max_pool2d(&features, size, size);
    }
    let operation = ConvReluPool::new(geometry, size, true);
    Ok(images
        .contiguous()?
        .apply_op3(&weight.contiguous()?, &bias.contiguous()?, operation)?)
}

/// The largest of each `size × size` window of `conv2d(images, weight)`; as [`conv_relu_pool`], without bias and ReLU.
///
/// Made for a normalisation that follows: it has a quarter of the numbers to look at.
pub fn conv_pool(
    images: &Tensor,
    weight: &Tensor,
    config: &Conv2dConfig,
    size: usize,
) -> Result<Tensor> {
    let geometry = Geometry::new(images, weight, *config)?;
    if !can_be_fused(images, weight, &geometry, size) {
        return max_pool2d(&conv2d(images, weight, config)?, size, size);
    }
    let bias = Tensor::zeros(geometry.out_channels, weight.dtype(), weight.device())?;
    let operation = ConvReluPool::new(geometry, size, false);
    Ok(images
        .contiguous()?
        .apply_op3(&weight.contiguous()?, &bias, operation)?)
}

/// A choice is one byte, so that windows larger than 15 × 15 go the long way; so do groups.
fn can_be_fused(images: &Tensor, weight: &Tensor, geometry: &Geometry, size: usize) -> bool {
    on_cpu(&[images, weight])
        && (1..=15).contains(&size)
        && geometry.config.groups == 1
        && geometry.out_height >= size
        && geometry.out_width >= size
}

struct ConvReluPool {
    passes: Passes,
    size: usize,
    relu: bool,
    /// For each output which pixel of its window was the largest, or [`NONE`].
    choices: Mutex<Vec<u8>>,
}

impl ConvReluPool {
    fn new(geometry: Geometry, size: usize, relu: bool) -> Self {
        Self {
            passes: Passes::new(geometry),
            size,
            relu,
            choices: Mutex::default(),
        }
    }

    fn pooled(&self) -> (usize, usize) {
        let geometry = &self.passes.geometry;
        (
            geometry.out_height / self.size,
            geometry.out_width / self.size,
        )
    }

    /// For each window of one image, in order, the positions that it covers.
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
                    self.relu,
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
        let (images_values, weight_values) = (Values::of(images)?, Values::of(weight)?);
        let pooled = Pooled {
            windows: &self.windows(),
            choices: &choices,
            gradient: &gradient_values,
        };
        let wanted = images.track_op();
        let gradients = pool_backward::backward(
            &self.passes,
            &images_values,
            &weight_values,
            wanted,
            &pooled,
        );
        let tensor = |values, like: &Tensor| Tensor::from_vec(values, like.shape(), like.device());
        Ok((
            gradients
                .images
                .map(|values| tensor(values, images))
                .transpose()?,
            Some(tensor(gradients.weight, weight)?),
            bias.track_op()
                .then(|| tensor(gradients.bias, bias))
                .transpose()?,
        ))
    }
}

vectorized! {
    /// For each window and channel the largest sum, with bias and (if wanted) ReLU, and which pixel it was.
    fn choose(
        sums: &[f32],
        of_image: usize,
        windows: &[Vec<usize>],
        bias: &[f32],
        relu: bool,
        output: &mut [f32],
        choices: &mut [u8],
    ) {
        let channels = bias.len();
        let results = output.chunks_exact_mut(channels).zip(choices.chunks_exact_mut(channels));
        for (number, (output, choices)) in results.enumerate() {
            let sums = &sums[number / windows.len() * of_image..];
            let window = &windows[number % windows.len()];
            output.copy_from_slice(&sums[window[0] * channels..][..channels]);
            choices.fill(0);
            for (pixel, position) in window.iter().enumerate().skip(1) {
                let candidates = &sums[position * channels..][..channels];
                for ((best, choice), candidate) in output.iter_mut().zip(choices.iter_mut()).zip(candidates) {
                    let better = *candidate > *best;
                    *best = if better { *candidate } else { *best };
                    *choice = if better { pixel as u8 } else { *choice };
                }
            }
            for ((best, choice), bias) in output.iter_mut().zip(choices.iter_mut()).zip(bias) {
                let sum = *best + bias;
                let cut = relu && sum <= 0.0;
                *best = if cut { 0.0 } else { sum };
                *choice = if cut { NONE } else { *choice };
            }
        }
    }
}
