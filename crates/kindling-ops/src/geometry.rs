//! The sizes of a convolution, and where in memory its window lies.

use candle_core::Tensor;

use crate::{Error, Result};

// ANCHOR: config
/// How the kernel of a convolution moves over an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv2dConfig {
    /// How many pixels it moves at a time.
    pub stride: usize,
    /// How many rows and columns of zeros surround the image.
    pub padding: usize,
    /// How far apart the pixels are that it looks at; 1 is next to each other.
    pub dilation: usize,
    /// Into how many groups the channels are split; each output channel sees the input channels of its own group.
    pub groups: usize,
}

impl Default for Conv2dConfig {
    fn default() -> Self {
        Self {
            stride: 1,
            padding: 0,
            dilation: 1,
            groups: 1,
        }
    }
}
// ANCHOR_END: config

/// All sizes of one convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Geometry {
    pub batch: usize,
    pub height: usize,
    pub width: usize,
    pub in_channels: usize,
    pub kernel_height: usize,
    pub kernel_width: usize,
    pub out_channels: usize,
    pub out_height: usize,
    pub out_width: usize,
    pub config: Conv2dConfig,
}

impl Geometry {
    /// Checks that `images` `(batch, height, width, in_channels)` and `weight`
    /// `(kernel_height, kernel_width, in_channels / groups, out_channels)` fit each other.
    pub(super) fn new(images: &Tensor, weight: &Tensor, config: Conv2dConfig) -> Result<Self> {
        let &[batch, height, width, in_channels] = images.dims() else {
            return Err(shape("images", "(batch, height, width, channels)", images));
        };
        let &[kernel_height, kernel_width, group_channels, out_channels] = weight.dims() else {
            let expected = "(kernel_height, kernel_width, in_channels, out_channels)";
            return Err(shape("weight", expected, weight));
        };
        let Conv2dConfig {
            stride,
            padding,
            dilation,
            groups,
        } = config;
        for (name, value) in [
            ("stride", stride),
            ("dilation", dilation),
            ("groups", groups),
        ] {
            if value == 0 {
                return Err(Error::Argument(format!(
                    "{name}: expected at least 1, found 0"
                )));
            }
        }
        if group_channels * groups != in_channels
            || !out_channels.is_multiple_of(groups)
            || weight.elem_count() == 0
        {
            let expected = format!(
                "(kernel_height, kernel_width, {in_channels} input channels / {groups} groups, a multiple of {groups} output channels)"
            );
            return Err(shape("weight", &expected, weight));
        }
        let covered = |kernel: usize| dilation * kernel.saturating_sub(1) + 1;
        let fits = |size: usize, kernel: usize| kernel > 0 && size + 2 * padding >= covered(kernel);
        if !fits(height, kernel_height) || !fits(width, kernel_width) {
            let expected = format!(
                "(batch, height, width, channels) with at least {} rows and {} columns for this kernel and a padding of {padding}",
                covered(kernel_height),
                covered(kernel_width)
            );
            return Err(shape("images", &expected, images));
        }
        Ok(Self {
            batch,
            height,
            width,
            in_channels,
            kernel_height,
            kernel_width,
            out_channels,
            out_height: (height + 2 * padding - covered(kernel_height)) / stride + 1,
            out_width: (width + 2 * padding - covered(kernel_width)) / stride + 1,
            config,
        })
    }

    pub(super) fn padded_width(&self) -> usize {
        self.width + 2 * self.config.padding
    }

    /// How many numbers one image has, with the zeros around it.
    pub(super) fn padded_len(&self) -> usize {
        (self.height + 2 * self.config.padding) * self.padded_width() * self.in_channels
    }

    pub(super) fn image_len(&self) -> usize {
        self.height * self.width * self.in_channels
    }

    /// How many positions the kernel takes on one image.
    pub(super) fn positions(&self) -> usize {
        self.out_height * self.out_width
    }

    /// How many input channels one group has.
    pub(super) fn group_inputs(&self) -> usize {
        self.in_channels / self.config.groups
    }

    /// How many output channels one group has.
    pub(super) fn group_outputs(&self) -> usize {
        self.out_channels / self.config.groups
    }

    /// Where the window of each position begins in a padded image.
    pub(super) fn window_starts(&self) -> Vec<usize> {
        let step = self.config.stride * self.in_channels;
        (0..self.out_height)
            .flat_map(|row| (0..self.out_width).map(move |column| (row, column)))
            .map(|(row, column)| row * step * self.padded_width() + column * step)
            .collect()
    }

    /// How far each pixel of the kernel, row by row, lies behind the start of the window.
    pub(super) fn taps(&self) -> Vec<usize> {
        let step = self.config.dilation * self.in_channels;
        (0..self.kernel_height)
            .flat_map(|row| (0..self.kernel_width).map(move |column| (row, column)))
            .map(|(row, column)| row * step * self.padded_width() + column * step)
            .collect()
    }

    /// Runs of numbers that lie side by side both in a window and in the weight: where each begins, and their length.
    ///
    /// A whole row of the kernel is one run, unless gaps (dilation) or other groups' channels lie in between.
    pub(super) fn runs(&self) -> (Vec<usize>, usize) {
        if self.config.dilation == 1 && self.config.groups == 1 {
            let starts = self.taps().into_iter().step_by(self.kernel_width).collect();
            (starts, self.kernel_width * self.in_channels)
        } else {
            (self.taps(), self.group_inputs())
        }
    }

    /// Copies whole images `(images, height, width, channels)` into the middle of zeros.
    pub(super) fn pad(&self, images: &[f32], padded: &mut Vec<f32>) {
        let count = images.len() / self.image_len().max(1);
        padded.clear();
        padded.resize(count * self.padded_len() + super::tile::SLACK, 0.0);
        self.rows(count, |image, inside| {
            padded[inside..inside + self.width * self.in_channels]
                .copy_from_slice(&images[image..image + self.width * self.in_channels]);
        });
    }

    /// Copies the images out of the middle of their zeros again.
    pub(super) fn unpad(&self, padded: &[f32], images: &mut [f32]) {
        let count = images.len() / self.image_len().max(1);
        self.rows(count, |image, inside| {
            images[image..image + self.width * self.in_channels]
                .copy_from_slice(&padded[inside..inside + self.width * self.in_channels]);
        });
    }

    /// Calls `visit` for each row of each image: where it begins without, and with, the zeros around it.
    fn rows(&self, count: usize, mut visit: impl FnMut(usize, usize)) {
        let (line, padding) = (self.width * self.in_channels, self.config.padding);
        for image in 0..count {
            for row in 0..self.height {
                let inside = ((row + padding) * self.padded_width() + padding) * self.in_channels;
                visit(
                    image * self.image_len() + row * line,
                    image * self.padded_len() + inside,
                );
            }
        }
    }
}

fn shape(what: &str, expected: &str, found: &Tensor) -> Error {
    Error::Shape {
        what: what.to_owned(),
        expected: expected.to_owned(),
        found: found.dims().to_vec(),
    }
}
