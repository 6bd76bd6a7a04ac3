//! From a picture of any size and polarity to a digit as MNIST has them.
//!
//! MNIST's digits are bright on black, fit a box of 20 × 20 pixels, and have their centre of mass in the middle of
//! 28 × 28 (LeCun and others, 1998). A network that has only seen such digits should be shown nothing else.

use std::path::Path;

use anyhow::{Context, Result, bail};
use image::{
    DynamicImage, GrayImage, RgbImage,
    imageops::{self, FilterType},
};
use kindling::data::open_picture;

/// Height and width of a picture of MNIST.
pub const SIDE: u32 = 28;

/// The box that its digit fits.
const BOX: f32 = 20.0;

/// What is less bright than this, the brightest ink being 255, is paper.
const PAPER: u8 = 64;

/// The largest side that is worked on: a digit needs no more.
const LARGEST: u32 = 512;

/// Reads the picture and turns it into a digit of 28 × 28 pixels, bright on black.
pub fn read(file: &Path) -> Result<GrayImage> {
    let picture = open_picture(file)?;
    let (width, height) = picture.dimensions();
    let picture = if width.max(height) > LARGEST {
        DynamicImage::ImageRgb8(picture)
            .resize(LARGEST, LARGEST, FilterType::Triangle)
            .into_rgb8()
    } else {
        picture
    };
    digit(&ink(&picture)).with_context(|| file.display().to_string())
}

/// How much ink there is at each pixel, from 0 for paper to 255, whether the ink is darker or brighter.
fn ink(picture: &RgbImage) -> GrayImage {
    let (width, height) = picture.dimensions();
    let mut gray = GrayImage::new(width, height);
    for (x, y, pixel) in picture.enumerate_pixels() {
        let [red, green, blue] = pixel.0.map(f32::from);
        let brightness = 0.299 * red + 0.587 * green + 0.114 * blue;
        gray.put_pixel(x, y, image::Luma([brightness.round() as u8]));
    }
    let paper = paper(&gray);
    let contrast = gray.pixels().map(|pixel| pixel.0[0].abs_diff(paper)).max();
    let contrast = f32::from(contrast.unwrap_or(0).max(1));
    let dark_ink = paper > 127;
    for pixel in gray.pixels_mut() {
        let ink = match dark_ink {
            true => paper.saturating_sub(pixel.0[0]),
            false => pixel.0[0].saturating_sub(paper),
        };
        // A contrast of a few levels is no ink but noise: it is not blown up.
        let scaled = f32::from(ink) * 255.0 / contrast.max(25.0);
        pixel.0[0] = scaled.min(255.0) as u8;
    }
    gray
}

/// The brightness of the paper: the middle one along the border.
fn paper(gray: &GrayImage) -> u8 {
    let (width, height) = gray.dimensions();
    let mut border: Vec<u8> = gray
        .enumerate_pixels()
        .filter(|(x, y, _)| *x == 0 || *y == 0 || x + 1 == width || y + 1 == height)
        .map(|(_, _, pixel)| pixel.0[0])
        .collect();
    border.sort_unstable();
    border.get(border.len() / 2).copied().unwrap_or(255)
}

/// Cuts the digit out, scales it into the box and puts its centre of mass in the middle.
fn digit(ink: &GrayImage) -> Result<GrayImage> {
    let mut cleaned = ink.clone();
    cleaned
        .pixels_mut()
        .filter(|pixel| pixel.0[0] < PAPER)
        .for_each(|pixel| pixel.0[0] = 0);
    let inked = cleaned
        .enumerate_pixels()
        .filter(|(_, _, pixel)| pixel.0[0] > 127);
    let bounds = inked.fold(None, |bounds, (x, y, _)| {
        let (left, top, right, bottom) = bounds.unwrap_or((x, y, x, y));
        Some((left.min(x), top.min(y), right.max(x), bottom.max(y)))
    });
    let Some((left, top, right, bottom)) = bounds else {
        bail!(
            "expected a digit that is darker or brighter than its paper, found one brightness everywhere"
        );
    };
    let (width, height) = (right - left + 1, bottom - top + 1);
    let part = imageops::crop_imm(&cleaned, left, top, width, height).to_image();
    let scale = BOX / width.max(height) as f32;
    let scaled = |side: u32| ((side as f32 * scale).round() as u32).max(1);
    let small = imageops::resize(&part, scaled(width), scaled(height), FilterType::Triangle);
    let mut seen = GrayImage::new(SIDE, SIDE);
    let (x, y) = centre_of_mass(&small);
    let place = |centre: f32, side: u32| {
        let start = (SIDE as f32 / 2.0 - centre).round();
        start.clamp(0.0, (SIDE - side) as f32) as i64
    };
    imageops::replace(
        &mut seen,
        &small,
        place(x, small.width()),
        place(y, small.height()),
    );
    Ok(seen)
}

fn centre_of_mass(picture: &GrayImage) -> (f32, f32) {
    let (mut mass, mut across, mut down) = (0.0, 0.0, 0.0);
    for (x, y, pixel) in picture.enumerate_pixels() {
        let ink = f32::from(pixel.0[0]);
        mass += ink;
        across += ink * (x as f32 + 0.5);
        down += ink * (y as f32 + 0.5);
    }
    (across / mass, down / mass)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageEncoder, Luma, Rgb, codecs::png::PngEncoder};

    /// An upright bar of this ink, somewhere in a picture of this paper.
    fn bar(side: u32, paper: u8, ink: u8) -> RgbImage {
        RgbImage::from_fn(side, side, |x, y| {
            let inside =
                (side / 2..side * 5 / 8).contains(&x) && (side / 4..side * 3 / 4).contains(&y);
            let gray = if inside { ink } else { paper };
            Rgb([gray; 3])
        })
    }

    #[test]
    fn size_and_polarity_and_contrast_do_not_matter() {
        let reference = digit(&ink(&bar(400, 255, 0))).unwrap();
        for (side, paper, ink_of) in [(400, 0, 255), (200, 230, 40), (400, 60, 140), (80, 255, 0)] {
            let seen = digit(&ink(&bar(side, paper, ink_of))).unwrap();
            assert_eq!(seen, reference, "{side} {paper} {ink_of}");
        }
        let bounds: Vec<u32> = reference
            .enumerate_pixels()
            .filter(|(_, _, pixel)| pixel.0[0] > 0)
            .map(|(_, y, _)| y)
            .collect();
        assert_eq!(
            (bounds.iter().min(), bounds.iter().max()),
            (Some(&4), Some(&23))
        );
    }

    #[test]
    fn paper_may_be_transparent_and_the_camera_upside_down() {
        // Not the same upside down: a part of the bar is missing.
        let mut upright = bar(100, 255, 0);
        for y in 60..75 {
            (50..56).for_each(|x| upright.put_pixel(x, y, Rgb([255; 3])));
        }
        let mut transparent = DynamicImage::ImageRgb8(upright.clone()).into_rgba8();
        for pixel in transparent.pixels_mut() {
            pixel.0 = [0, 0, 0, 255 - pixel.0[0]];
        }
        let turned = DynamicImage::ImageRgba8(transparent).rotate180();
        let mut bytes = Vec::new();
        let mut encoder = PngEncoder::new(&mut bytes);
        let note = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x03\0\0\0\0\0\0";
        encoder.set_exif_metadata(note.to_vec()).unwrap();
        turned.write_with_encoder(encoder).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("six.jpg");
        std::fs::write(&file, bytes).unwrap();
        assert_eq!(read(&file).unwrap(), digit(&ink(&upright)).unwrap());
    }

    #[test]
    fn an_empty_picture_is_refused() {
        let noise = GrayImage::from_fn(50, 50, |x, y| Luma([200 + ((x * y) % 7) as u8]));
        let noise = image::DynamicImage::ImageLuma8(noise).to_rgb8();
        let error = digit(&ink(&noise)).unwrap_err().to_string();
        assert!(error.contains("one brightness everywhere"), "{error}");
    }
}
