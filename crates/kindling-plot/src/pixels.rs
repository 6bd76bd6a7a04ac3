//! A tensor as a picture.

use candle_core::Tensor;

use super::{png::Picture, points::values};

/// The numbers of a picture in grey or in red, green and blue.
#[derive(Debug, Clone)]
pub(super) struct Pixels {
    channels: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    /// Row by row; the channels of a pixel side by side.
    pub(super) values: Vec<f64>,
}

impl Pixels {
    pub(super) fn new(tensor: &Tensor) -> std::result::Result<Self, String> {
        let (channels, height, width, channels_last) = match *tensor.dims() {
            [height, width] => (1, height, width, true),
            [height, width, channels @ (1 | 3)] => (channels, height, width, true),
            [channels @ (1 | 3), height, width] => (channels, height, width, false),
            ref dims => {
                return Err(format!(
                    "expected a tensor (height, width) or (height, width, 3), found shape {dims:?}"
                ));
            }
        };
        if height == 0 || width == 0 || height > 1_024 || width > 1_024 {
            return Err(format!(
                "expected 1 to 1024 pixels each way, found {height} × {width}"
            ));
        }
        let mut numbers = values(tensor)?;
        let size = height * width;
        if !channels_last {
            let pixels = (0..size).flat_map(|pixel| (0..channels).map(move |c| c * size + pixel));
            numbers = pixels.map(|place| numbers[place]).collect();
        }
        if let Some(place) = numbers.iter().position(|value| !value.is_finite()) {
            let pixel = place / channels;
            return Err(format!(
                "the pixel in row {}, column {} is {}, expected a finite number",
                pixel / width,
                pixel % width,
                numbers[place]
            ));
        }
        Ok(Self {
            channels,
            height,
            width,
            values: numbers,
        })
    }

    pub(super) fn picture(&self, black: f64, white: f64) -> Picture {
        let shade = |value: &f64| {
            ((value - black) / (white - black) * 255.0)
                .round()
                .clamp(0.0, 255.0) as u8
        };
        Picture {
            width: self.width,
            height: self.height,
            channels: self.channels,
            pixels: self.values.iter().map(shade).collect(),
        }
    }
}
