//! Convolution as a Candle operation with a backward pass of our own.

use candle_core::{CpuStorage, CustomOp2, Layout, Shape, Tensor};

use super::{
    convolution::Passes,
    geometry::{Conv2dConfig, Geometry},
    values::{Values, on_cpu, slice},
};
use crate::Result;

/// Slides a kernel over images: `output[b, y, x, o] = Σ images[b, y·stride + i, x·stride + j, c] · weight[i, j, c, o]`.
///
/// `images` is `(batch, height, width, in_channels)`, `weight` `(kernel_height, kernel_width, in_channels / groups,
/// out_channels)`, the output `(batch, out_height, out_width, out_channels)`. As everywhere in deep learning the kernel is not
/// mirrored, so that mathematicians call this a cross-correlation (Goodfellow, Bengio and Courville, 2016, equation 9.6).
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use kindling_ops::{Conv2dConfig, conv2d};
/// let images = Tensor::ones((1, 4, 4, 1), DType::F32, &Device::Cpu)?; // (batch, height, width, channels)
/// let weight = Tensor::ones((3, 3, 1, 2), DType::F32, &Device::Cpu)?; // (height, width, inputs, outputs)
/// let output = conv2d(&images, &weight, &Conv2dConfig::default())?; // (1, 2, 2, 2)
/// assert_eq!(output.flatten_all()?.to_vec1::<f32>()?, [9.0; 8]);
/// # Ok::<(), kindling_base::Error>(())
/// ```
pub fn conv2d(images: &Tensor, weight: &Tensor, config: &Conv2dConfig) -> Result<Tensor> {
    let geometry = Geometry::new(images, weight, *config)?;
    if !on_cpu(&[images, weight]) {
        return composed(images, weight, config);
    }
    if geometry.config.groups > 1 && geometry.group_inputs() == 1 && geometry.group_outputs() == 1 {
        return super::depthwise::depthwise(images, weight, geometry);
    }
    let operation = Conv2d {
        passes: Passes::new(geometry),
    };
    Ok(images
        .contiguous()?
        .apply_op2(&weight.contiguous()?, operation)?)
}

/// The same, composed of Candle's operations, which keep channels first; for other devices and number types.
pub(super) fn composed(images: &Tensor, weight: &Tensor, config: &Conv2dConfig) -> Result<Tensor> {
    let images = images.permute((0, 3, 1, 2))?.contiguous()?; // (batch, channels, height, width)
    let weight = weight.permute((3, 2, 0, 1))?.contiguous()?; // (outputs, inputs, height, width)
    let output = images.conv2d(
        &weight,
        config.padding,
        config.stride,
        config.dilation,
        config.groups,
    )?;
    Ok(output.permute((0, 2, 3, 1))?.contiguous()?) // (batch, height, width, channels)
}

struct Conv2d {
    passes: Passes,
}

impl CustomOp2 for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn cpu_fwd(
        &self,
        images: &CpuStorage,
        images_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let geometry = &self.passes.geometry;
        let per_image = geometry.positions() * geometry.out_channels;
        let mut output = vec![0.0; geometry.batch * per_image];
        self.passes.forward(
            slice(images, images_layout)?,
            slice(weight, weight_layout)?,
            (&mut output, per_image),
            (&mut vec![(); geometry.batch], 1),
            |sums, output, _| output.copy_from_slice(sums),
        );
        let shape = (
            geometry.batch,
            geometry.out_height,
            geometry.out_width,
            geometry.out_channels,
        );
        Ok((CpuStorage::F32(output), shape.into()))
    }

    fn bwd(
        &self,
        images: &Tensor,
        weight: &Tensor,
        _output: &Tensor,
        gradient: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.contiguous()?;
        let gradient_values = Values::of(&gradient)?;
        let geometry = &self.passes.geometry;
        let per_image = geometry.positions() * geometry.out_channels;
        let gradients = self.passes.backward(
            &Values::of(images)?,
            &Values::of(weight)?,
            images.track_op(),
            |few, grad_sums, _| {
                grad_sums
                    .copy_from_slice(&gradient_values[few.start * per_image..few.end * per_image]);
            },
        );
        let tensor = |values, like: &Tensor| Tensor::from_vec(values, like.shape(), like.device());
        Ok((
            gradients
                .images
                .map(|values| tensor(values, images))
                .transpose()?,
            Some(tensor(gradients.weight, weight)?),
        ))
    }
}
