//! Pixels as a PNG data URI: a picture of 28 × 28 is then one element of a few hundred bytes.

use data_encoding::BASE64;
use image::{
    ExtendedColorType, ImageEncoder, ImageResult,
    codecs::png::{CompressionType, FilterType, PngEncoder},
};

/// `pixels` row by row: one byte each is grey, three bytes each are red, green, blue.
pub(super) struct Picture {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) channels: usize,
    pub(super) pixels: Vec<u8>,
}

impl Picture {
    /// `data:image/png;base64,…`
    pub(super) fn data_uri(&self) -> ImageResult<String> {
        let color = match self.channels {
            1 => ExtendedColorType::L8,
            _ => ExtendedColorType::Rgb8,
        };
        let mut png = Vec::new();
        PngEncoder::new_with_quality(&mut png, CompressionType::Level(9), FilterType::NoFilter)
            .write_image(&self.pixels, self.width as u32, self.height as u32, color)?;
        Ok(format!("data:image/png;base64,{}", BASE64.encode(&png)))
    }
}
