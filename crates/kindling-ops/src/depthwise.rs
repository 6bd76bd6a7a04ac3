//! Convolution in which each channel has a kernel of its own: all work goes along the channels.

use candle_core::{CpuStorage, CustomOp2, Layout, Shape, Tensor};
use rayon::prelude::*;

use super::{
    geometry::Geometry,
    parts::add,
    values::{Values, slice},
    vectorized::vectorized,
};
use crate::Result;

/// Gradients of the weight are summed in this many parts, whatever the number of threads.
const PARTS: usize = 8;

/// `output[b, y, x, c] = Σ images[b, y + i, x + j, c] · weight[i, j, 0, c]`.
pub(super) fn depthwise(images: &Tensor, weight: &Tensor, geometry: Geometry) -> Result<Tensor> {
    let operation = Depthwise {
        starts: geometry.window_starts(),
        taps: geometry.taps(),
        geometry,
    };
    Ok(images
        .contiguous()?
        .apply_op2(&weight.contiguous()?, operation)?)
}

struct Depthwise {
    geometry: Geometry,
    starts: Vec<usize>,
    taps: Vec<usize>,
}

impl CustomOp2 for Depthwise {
    fn name(&self) -> &'static str {
        "depthwise-conv2d"
    }

    fn cpu_fwd(
        &self,
        images: &CpuStorage,
        images_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let Geometry {
            batch,
            out_channels: channels,
            out_height,
            out_width,
            ..
        } = self.geometry;
        let weight = slice(weight, weight_layout)?;
        let per_image = self.starts.len() * channels;
        let mut output = vec![0.0; batch * per_image];
        let images = slice(images, images_layout)?.par_chunks(self.geometry.image_len());
        let results = output.par_chunks_mut(per_image);
        images
            .zip(results)
            .for_each_init(Vec::new, |padded, (image, output)| {
                self.geometry.pad(image, padded);
                convolve(&self.starts, &self.taps, padded, weight, output);
            });
        Ok((
            CpuStorage::F32(output),
            (batch, out_height, out_width, channels).into(),
        ))
    }

    fn bwd(
        &self,
        images: &Tensor,
        weight: &Tensor,
        _output: &Tensor,
        gradient: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.contiguous()?;
        let (gradient, values, weights) = (
            Values::of(&gradient)?,
            Values::of(images)?,
            Values::of(weight)?,
        );
        let (image_len, per_image) = (
            self.geometry.image_len(),
            self.starts.len() * self.geometry.out_channels,
        );
        let mut grad_images = vec![0.0; values.len()];
        let a_part = self.geometry.batch.div_ceil(PARTS).max(1);
        let given = values
            .par_chunks(a_part * image_len)
            .zip(gradient.par_chunks(a_part * per_image));
        let sums: Vec<Vec<f32>> = grad_images
            .par_chunks_mut(a_part * image_len)
            .zip(given)
            .map(|(grad_images, (images, gradient))| {
                let mut grad_weight = vec![0.0; weights.len()];
                let (mut padded, mut grad_padded) = (Vec::new(), Vec::new());
                let given = images
                    .chunks_exact(image_len)
                    .zip(gradient.chunks_exact(per_image));
                for (grad_image, (image, gradient)) in
                    grad_images.chunks_exact_mut(image_len).zip(given)
                {
                    self.geometry.pad(image, &mut padded);
                    grad_padded.clear();
                    grad_padded.resize(padded.len(), 0.0);
                    back(
                        &self.starts,
                        &self.taps,
                        gradient,
                        &padded,
                        &weights,
                        &mut grad_padded,
                        &mut grad_weight,
                    );
                    self.geometry.unpad(&grad_padded, grad_image);
                }
                grad_weight
            })
            .collect();
        let mut grad_weight = vec![0.0; weights.len()];
        sums.iter().for_each(|sums| add(&mut grad_weight, sums));
        Ok((
            Some(Tensor::from_vec(
                grad_images,
                images.shape(),
                images.device(),
            )?),
            Some(Tensor::from_vec(
                grad_weight,
                weight.shape(),
                weight.device(),
            )?),
        ))
    }
}

vectorized! {
    fn convolve(starts: &[usize], taps: &[usize], padded: &[f32], weight: &[f32], output: &mut [f32]) {
        let channels = weight.len() / taps.len();
        for (start, output) in starts.iter().zip(output.chunks_exact_mut(channels)) {
            for (tap, weight) in taps.iter().zip(weight.chunks_exact(channels)) {
                let pixel = &padded[start + tap..][..channels];
                for ((output, pixel), weight) in output.iter_mut().zip(pixel).zip(weight) {
                    *output += pixel * weight;
                }
            }
        }
    }
}

vectorized! {
    /// The backward pass for one image.
    fn back(
        starts: &[usize],
        taps: &[usize],
        gradient: &[f32],
        padded: &[f32],
        weight: &[f32],
        grad_padded: &mut [f32],
        grad_weight: &mut [f32],
    ) {
        let channels = weight.len() / taps.len();
        for (start, gradient) in starts.iter().zip(gradient.chunks_exact(channels)) {
            let weights = weight.chunks_exact(channels).zip(grad_weight.chunks_exact_mut(channels));
            for (tap, (weight, grad_weight)) in taps.iter().zip(weights) {
                let place = start + tap..start + tap + channels;
                let pixel = &padded[place.clone()];
                for ((grad_weight, pixel), gradient) in grad_weight.iter_mut().zip(pixel).zip(gradient) {
                    *grad_weight += pixel * gradient;
                }
                let grad_pixel = grad_padded[place].iter_mut();
                for ((grad_pixel, weight), gradient) in grad_pixel.zip(weight).zip(gradient) {
                    *grad_pixel += weight * gradient;
                }
            }
        }
    }
}
