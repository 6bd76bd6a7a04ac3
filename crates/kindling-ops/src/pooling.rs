//! Max-pooling that remembers which pixel was the largest.

use std::sync::Mutex;

use candle_core::{CpuStorage, CustomOp1, Layout, Shape, Tensor};
use rayon::prelude::*;

use super::{
    values::{Values, on_cpu, slice},
    vectorized::vectorized,
};
use crate::{Error, Result};

/// The largest number of each `size × size` window, every `stride` pixels, for each channel.
///
/// Takes `(batch, height, width, channels)` and gives `(batch, (height - size) / stride + 1, …, channels)`; rows and columns that fill
/// no whole window are left out. The gradient goes to the first of the largest pixels.
///
/// ```
/// use candle_core::{Device, Tensor};
/// let image = Tensor::arange(0_f32, 16.0, &Device::Cpu)?.reshape((1, 4, 4, 1))?;
/// let pooled = kindling_ops::max_pool2d(&image, 2, 2)?; // (1, 2, 2, 1)
/// assert_eq!(pooled.flatten_all()?.to_vec1::<f32>()?, [5.0, 7.0, 13.0, 15.0]);
/// # Ok::<(), kindling_base::Error>(())
/// ```
pub fn max_pool2d(images: &Tensor, size: usize, stride: usize) -> Result<Tensor> {
    let &[batch, height, width, channels] = images.dims() else {
        return Err(shape("(batch, height, width, channels)", images));
    };
    for (name, value) in [("size", size), ("stride", stride)] {
        if value == 0 {
            return Err(Error::Argument(format!(
                "{name}: expected at least 1, found 0"
            )));
        }
    }
    if size > height || size > width || channels == 0 {
        let expected = format!("images of at least {size} by {size} pixels for this window");
        return Err(shape(&expected, images));
    }
    // A choice is kept in one byte.
    if !on_cpu(&[images]) || size > 15 {
        let images = images.permute((0, 3, 1, 2))?.contiguous()?; // (batch, channels, height, width)
        let pooled = images.max_pool2d_with_stride(size, stride)?;
        return Ok(pooled.permute((0, 2, 3, 1))?.contiguous()?);
    }
    let pool = MaxPool {
        batch,
        width,
        channels,
        image_len: height * width * channels,
        rows: (height - size) / stride + 1,
        columns: (width - size) / stride + 1,
        size,
        stride,
        choices: Mutex::default(),
    };
    Ok(images.contiguous()?.apply_op1(pool)?)
}

fn shape(expected: &str, found: &Tensor) -> Error {
    Error::Shape {
        what: "images".to_owned(),
        expected: expected.to_owned(),
        found: found.dims().to_vec(),
    }
}

struct MaxPool {
    batch: usize,
    width: usize,
    channels: usize,
    image_len: usize,
    rows: usize,
    columns: usize,
    size: usize,
    stride: usize,
    choices: Mutex<Vec<u8>>,
}

impl MaxPool {
    fn output_len(&self) -> usize {
        self.rows * self.columns * self.channels
    }

    /// Where a pixel of a window, counted row by row, lies in its image.
    fn place(&self, window: usize, pixel: usize) -> usize {
        let row = window / self.columns * self.stride + pixel / self.size;
        let column = window % self.columns * self.stride + pixel % self.size;
        (row * self.width + column) * self.channels
    }
}

impl CustomOp1 for MaxPool {
    fn name(&self) -> &'static str {
        "max-pool2d"
    }

    fn cpu_fwd(
        &self,
        images: &CpuStorage,
        layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let channels = self.channels;
        let mut output = vec![0.0; self.batch * self.output_len()];
        let mut choices = vec![0_u8; output.len()];
        let images = slice(images, layout)?.par_chunks(self.image_len);
        let results = output
            .par_chunks_mut(self.output_len())
            .zip(choices.par_chunks_mut(self.output_len()));
        images.zip(results).for_each(|(image, (output, choices))| {
            choose(self, image, output, choices);
        });
        if let Ok(mut kept) = self.choices.lock() {
            *kept = choices;
        }
        let shape = (self.batch, self.rows, self.columns, channels);
        Ok((CpuStorage::F32(output), shape.into()))
    }

    fn bwd(
        &self,
        images: &Tensor,
        _output: &Tensor,
        gradient: &Tensor,
    ) -> candle_core::Result<Option<Tensor>> {
        let gradient = gradient.contiguous()?;
        let gradient = Values::of(&gradient)?;
        let Ok(choices) = self.choices.lock() else {
            candle_core::bail!("max-pool2d: another thread failed while it held the choices");
        };
        let mut grad_images = vec![0.0; images.elem_count()];
        let given = gradient
            .par_chunks(self.output_len())
            .zip(choices.par_chunks(self.output_len()));
        let places = grad_images.par_chunks_mut(self.image_len);
        places
            .zip(given)
            .for_each(|(grad_image, (gradient, choices))| {
                spread(self, grad_image, gradient, choices);
            });
        Ok(Some(Tensor::from_vec(
            grad_images,
            images.shape(),
            images.device(),
        )?))
    }
}

vectorized! {
    fn choose(pool: &MaxPool, image: &[f32], output: &mut [f32], choices: &mut [u8]) {
        let channels = pool.channels;
        let windows = output.chunks_exact_mut(channels).zip(choices.chunks_exact_mut(channels));
        for (window, (output, choices)) in windows.enumerate() {
            output.copy_from_slice(&image[pool.place(window, 0)..][..channels]);
            for pixel in 1..pool.size * pool.size {
                let candidates = &image[pool.place(window, pixel)..][..channels];
                for ((best, choice), candidate) in output.iter_mut().zip(choices.iter_mut()).zip(candidates) {
                    // NaN wins, so that it is not hidden.
                    let better = *candidate > *best || candidate.is_nan();
                    *best = if better { *candidate } else { *best };
                    *choice = if better { pixel as u8 } else { *choice };
                }
            }
        }
    }
}

vectorized! {
    fn spread(pool: &MaxPool, grad_image: &mut [f32], gradient: &[f32], choices: &[u8]) {
        let channels = pool.channels;
        let windows = gradient.chunks_exact(channels).zip(choices.chunks_exact(channels));
        for (window, (gradient, choices)) in windows.enumerate() {
            for pixel in 0..pool.size * pool.size {
                let place = &mut grad_image[pool.place(window, pixel)..][..channels];
                for ((grad_pixel, gradient), choice) in place.iter_mut().zip(gradient).zip(choices) {
                    *grad_pixel += if *choice == pixel as u8 { *gradient } else { 0.0 };
                }
            }
        }
    }
}
