//! The one way in which a picture's file is opened: whole, upright and on white, whatever its name ends in.

use std::{io::Cursor, path::Path};

use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, RgbImage};

use super::{read_file, signature};
use crate::{Error, Result};

/// What can be read, as the words of an error.
pub(super) const FORMATS: &str = "JPEG, PNG, GIF, BMP, TIFF, WebP or PNM";

/// The endings of such files; the first bytes decide in the end.
pub(super) const ENDINGS: [&str; 16] = [
    "jpg", "jpeg", "jpe", "jfif", "png", "apng", "gif", "bmp", "dib", "tif", "tiff", "webp", "ppm",
    "pgm", "pbm", "pnm",
];

/// At most so many pixels in all, as the largest cameras take them; more do not fit into the memory of a small machine.
const LARGEST: u64 = 200_000_000;

/// The picture in this file: JPEG, PNG, GIF (its first picture), BMP, TIFF, WebP or PNM.
///
/// It is turned as its camera notes, and lies on white where it is transparent. Fails when there is no such file, when it is no picture or
/// a damaged one, and when it has more than 200 million pixels.
pub fn open_picture(path: impl AsRef<Path>) -> Result<RgbImage> {
    let path = path.as_ref();
    decode_picture(&read_file(path)?).map_err(|problem| Error::Format {
        file: path.display().to_string(),
        problem,
    })
}

/// The same from the bytes of a file, or what is wrong with them, in words that lack only the file's name.
pub fn decode_picture(bytes: &[u8]) -> std::result::Result<RgbImage, String> {
    match jpeg_end(bytes) {
        JpegEnd::Missing { progressive } => {
            let found = unfinished(bytes).filter(|_| !progressive);
            found.ok_or_else(|| {
                "damaged: the JPEG file ends in the middle of the picture; copy or fetch it again"
                    .to_owned()
            })
        }
        JpegEnd::Found | JpegEnd::NoJpeg => decode_all(bytes),
    }
}

fn decode_all(bytes: &[u8]) -> std::result::Result<RgbImage, String> {
    let damaged = |error: ImageError| match error {
        ImageError::Unsupported(error) => format!(
            "expected a kind of picture that can be read, found another ({error}); save it as JPEG or PNG first"
        ),
        error => format!("damaged: {error}"),
    };
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let mut reader = reader.map_err(|error| error.to_string())?;
    if !reader
        .format()
        .is_some_and(|format| format.reading_enabled())
    {
        return Err(no_picture(bytes));
    }
    // The size stands at the beginning: a file can promise more pixels than there is memory.
    reader.no_limits();
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > LARGEST {
        return Err(format!(
            "expected a picture of at most {} million pixels, found {width} × {height}, which are {:.0} million; make it smaller first",
            LARGEST / 1_000_000,
            f64::from(width) * f64::from(height) / 1e6
        ));
    }
    if width == 0 || height == 0 {
        return Err(format!(
            "damaged: expected at least one pixel, found {width} × {height}"
        ));
    }
    let orientation = decoder.orientation().map_err(damaged)?;
    let picture = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    let mut picture = DynamicImage::ImageRgb8(on_white(picture));
    picture.apply_orientation(orientation);
    Ok(picture.into_rgb8())
}

fn no_picture(bytes: &[u8]) -> String {
    let found = signature::found(bytes);
    let advice = match found.ends_with("picture") {
        true => "; save it as JPEG or PNG first",
        false => "",
    };
    format!("expected a picture ({FORMATS}), found {found}{advice}")
}

/// What is transparent, wholly or in part, as on a white sheet.
fn on_white(picture: DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.into_rgb8();
    }
    let picture = picture.into_rgba8();
    let mut sheet = RgbImage::new(picture.width(), picture.height());
    for (above, below) in picture.pixels().zip(sheet.pixels_mut()) {
        let [colour @ .., alpha] = above.0.map(u32::from);
        below.0 = colour.map(|level| ((level * alpha + 255 * (255 - alpha) + 127) / 255) as u8);
    }
    sheet
}

/// Whether a JPEG file goes on to the mark that ends the picture. Decoders fill what is missing with grey, without a word.
enum JpegEnd {
    Found,
    Missing { progressive: bool },
    NoJpeg,
}

fn jpeg_end(bytes: &[u8]) -> JpegEnd {
    if !bytes.starts_with(&[0xff, 0xd8, 0xff]) {
        return JpegEnd::NoJpeg;
    }
    let (mut place, mut progressive) = (2, false);
    while let Some(rest) = bytes.get(place..) {
        let Some(next) = rest.iter().position(|&byte| byte == 0xff) else {
            break;
        };
        place += next + 1;
        match bytes.get(place) {
            None => break,
            Some(0xd9) => return JpegEnd::Found,
            Some(0xff) => {}
            // An escaped byte of the picture, or a mark that stands alone.
            Some(0x00 | 0x01 | 0xd0..=0xd8) => place += 1,
            // A segment says how long it is. A preview in it has an end of its own.
            Some(kind) => {
                progressive |= *kind == 0xc2;
                let length = bytes.get(place + 1..place + 3);
                place += 1 + length.map_or(2, |length| {
                    usize::from(length[0]) << 8 | usize::from(length[1])
                });
            }
        }
    }
    JpegEnd::Missing { progressive }
}

/// A JPEG picture of which only the mark at the end is missing, as some cameras write them.
///
/// Whatever follows the bytes that are there, the picture is the same one.
fn unfinished(bytes: &[u8]) -> Option<RgbImage> {
    let bytes = bytes.strip_suffix(&[0xff]).unwrap_or(bytes);
    let followed_by = |filling: &[u8]| decode_all(&[bytes, filling, &[0xff, 0xd9]].concat()).ok();
    let picture = followed_by(&[])?;
    (followed_by(&[0x5a; 64])? == picture).then_some(picture)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayAlphaImage, ImageEncoder, ImageFormat, Rgba, RgbaImage, codecs};

    /// Every pixel another one, so that no byte of a file is without use.
    fn noise(width: u32, height: u32) -> RgbImage {
        let mut state = 1_u32;
        RgbImage::from_fn(width, height, |_, _| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            image::Rgb([(state >> 24) as u8, (state >> 16) as u8, (state >> 8) as u8])
        })
    }

    fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn problem(bytes: &[u8]) -> String {
        decode_picture(bytes).unwrap_err()
    }

    /// A camera's note, as TIFF has it: one entry, the orientation.
    fn exif(orientation: u8) -> Vec<u8> {
        let mut note = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0".to_vec();
        note[19] = orientation;
        note
    }

    #[test]
    fn a_picture_is_upright_however_the_camera_was_held() {
        // Dark at the upper left, 16 × 8 blocks of one brightness each, so that JPEG changes little.
        let upright = RgbImage::from_fn(32, 16, |x, y| {
            image::Rgb([(40 * (x / 8) + 100 * (y / 8)) as u8; 3])
        });
        for orientation in 0..=9_u8 {
            let turned = DynamicImage::ImageRgb8(upright.clone());
            // How it is stored: the camera undoes what the note asks for.
            let stored = match orientation {
                2 => turned.fliph(),
                3 => turned.rotate180(),
                4 => turned.flipv(),
                5 => turned.rotate90().fliph(),
                6 => turned.rotate270(),
                7 => turned.rotate270().fliph(),
                8 => turned.rotate90(),
                _ => turned,
            };
            let (mut jpeg, mut png, mut webp) = (Vec::new(), Vec::new(), Vec::new());
            let mut encoder = codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 100);
            encoder.set_exif_metadata(exif(orientation)).unwrap();
            stored.write_with_encoder(encoder).unwrap();
            let mut encoder = codecs::png::PngEncoder::new(&mut png);
            encoder.set_exif_metadata(exif(orientation)).unwrap();
            stored.write_with_encoder(encoder).unwrap();
            let mut encoder = codecs::webp::WebPEncoder::new_lossless(&mut webp);
            encoder.set_exif_metadata(exif(orientation)).unwrap();
            stored.write_with_encoder(encoder).unwrap();
            for bytes in [jpeg, png, webp] {
                let found = decode_picture(&bytes).unwrap();
                assert_eq!(found.dimensions(), (32, 16), "{orientation}");
                let far = found.as_raw().iter().zip(upright.as_raw());
                let far = far.map(|(one, other)| one.abs_diff(*other)).max();
                assert!(far < Some(9), "{orientation}: {far:?}");
            }
        }
    }

    #[test]
    fn a_cut_file_is_damaged_in_every_format() {
        let picture = DynamicImage::ImageRgb8(noise(40, 32));
        for format in [
            ImageFormat::Jpeg,
            ImageFormat::Png,
            ImageFormat::Gif,
            ImageFormat::Bmp,
            ImageFormat::Tiff,
            ImageFormat::WebP,
            ImageFormat::Pnm,
        ] {
            let whole = encoded(&picture, format);
            assert_eq!(
                decode_picture(&whole).unwrap().dimensions(),
                (40, 32),
                "{format:?}"
            );
            for share in [0.02, 0.2, 0.5, 0.8, 0.97] {
                let cut = &whole[..(whole.len() as f64 * share) as usize];
                assert!(decode_picture(cut).is_err(), "{share} of {format:?}");
            }
        }
    }

    #[test]
    fn a_jpeg_is_whole_when_nothing_but_its_last_mark_is_missing() {
        let picture = noise(40, 32);
        let whole = encoded(&DynamicImage::ImageRgb8(picture), ImageFormat::Jpeg);
        let expected = decode_picture(&whole).unwrap();
        let end = whole.len();
        for cut in [end - 1, end - 2] {
            assert_eq!(decode_picture(&whole[..cut]).unwrap(), expected);
        }
        for cut in [end - 6, end - 40, end / 2] {
            let problem = problem(&whole[..cut]);
            assert!(
                problem.starts_with("damaged: the JPEG file ends in the middle"),
                "{problem}"
            );
        }
        // A preview in the camera's notes ends as a picture does, and what follows the end does not matter.
        let preview = [&[0xff, 0xe1, 0, 6, 0xff, 0xd9, 0, 0][..], &whole[2..]].concat();
        let with = |body: &[u8]| [&[0xff, 0xd8][..], body].concat();
        assert_eq!(decode_picture(&with(&preview)).unwrap(), expected);
        assert!(problem(&with(&preview[..preview.len() / 2])).contains("damaged"));
        assert_eq!(
            decode_picture(&[&whole[..], &[0; 999]].concat()).unwrap(),
            expected
        );
    }

    #[test]
    fn what_is_transparent_is_white() {
        let colour = RgbaImage::from_fn(2, 1, |x, _| Rgba([0, 0, 0, 255 * (x as u8)]));
        let half = RgbaImage::from_pixel(2, 1, Rgba([0, 100, 255, 128]));
        let grey = GrayAlphaImage::from_fn(2, 1, |x, _| image::LumaA([0, 255 * (x as u8)]));
        let expected = [255, 255, 255, 0, 0, 0];
        for format in [
            ImageFormat::Png,
            ImageFormat::WebP,
            ImageFormat::Gif,
            ImageFormat::Tiff,
        ] {
            let bytes = encoded(&DynamicImage::ImageRgba8(colour.clone()), format);
            assert_eq!(
                decode_picture(&bytes).unwrap().as_raw()[..],
                expected,
                "{format:?}"
            );
        }
        let bytes = encoded(&DynamicImage::ImageLumaA8(grey.clone()), ImageFormat::Png);
        assert_eq!(decode_picture(&bytes).unwrap().as_raw()[..], expected);
        let deep = DynamicImage::ImageLumaA8(grey).into_rgba16();
        let bytes = encoded(&DynamicImage::ImageRgba16(deep), ImageFormat::Png);
        assert_eq!(decode_picture(&bytes).unwrap().as_raw()[..], expected);
        let bytes = encoded(&DynamicImage::ImageRgba8(half), ImageFormat::Png);
        assert_eq!(
            decode_picture(&bytes).unwrap().as_raw()[..3],
            [127, 177, 255]
        );
    }

    #[test]
    fn a_size_that_is_too_large_is_said_before_anything_is_decoded() {
        // A header that promises 20,000 × 20,000 pixels.
        let mut huge = encoded(&DynamicImage::ImageRgb8(noise(40, 30)), ImageFormat::Png);
        huge[16..24].copy_from_slice(&[0, 0, 0x4e, 0x20, 0, 0, 0x4e, 0x20]);
        let mut check = flate2::Crc::new();
        check.update(&huge[12..29]);
        huge[29..33].copy_from_slice(&check.sum().to_be_bytes());
        assert_eq!(
            problem(&huge),
            "expected a picture of at most 200 million pixels, found 20000 × 20000, which are 400 million; make it smaller first"
        );
    }

    #[test]
    fn what_is_no_picture_is_named() {
        for (bytes, expected) in [
            (&b""[..], "found an empty file"),
            (b"words", "found text"),
            (b"<html>", "found an HTML page"),
            (
                b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
                "found a HEIC picture; save it as JPEG or PNG first",
            ),
            (
                b"\0\0\0\x18ftypavif\0\0\0\0mif1avif",
                "found an AVIF picture; save it as JPEG or PNG first",
            ),
            (
                b"version https://git-lfs.github.com/spec/v1\n",
                "git lfs pull",
            ),
        ] {
            let problem = problem(bytes);
            assert!(
                problem.starts_with("expected a picture") && problem.contains(expected),
                "{problem}"
            );
        }
    }

    #[test]
    fn deep_and_grey_pictures_keep_their_brightness() {
        let grey = image::ImageBuffer::from_fn(3, 1, |x, _| image::Luma([65_535 / 2 * x as u16]));
        let bytes = encoded(&DynamicImage::ImageLuma16(grey), ImageFormat::Png);
        assert_eq!(
            decode_picture(&bytes).unwrap().as_raw()[..],
            [0, 0, 0, 127, 127, 127, 255, 255, 255]
        );
    }

    #[test]
    fn a_missing_file_is_named() {
        let problem = open_picture("nowhere/blood.png").unwrap_err();
        assert!(problem.to_string().starts_with("nowhere/blood.png: "));
    }
}
