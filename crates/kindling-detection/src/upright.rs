//! Pictures as a camera stores them and as they are shown: EXIF says how to turn them.
//!
//! All that asks for a picture's size goes through here, and its pixels come from [`kindling::data::decode_picture`], so that sizes, boxes and
//! pixels speak of the same, upright picture.

use std::io::{BufRead, Seek};

use image::{ImageDecoder, ImageReader, ImageResult, metadata::Orientation};

/// Height and width of a picture, without its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    /// As it is shown.
    pub(crate) upright: (usize, usize),
    /// As it is stored.
    stored: (usize, usize),
    orientation: Orientation,
}

/// Which of its two sizes an annotation means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    Upright,
    /// The tool that it was annotated with does not look at EXIF.
    Stored,
}

impl Shape {
    /// From the beginning of a file.
    pub(crate) fn read(reader: impl BufRead + Seek) -> ImageResult<Self> {
        let mut reader = ImageReader::new(reader).with_guessed_format()?;
        reader.no_limits(); // nothing is decoded here
        let mut decoder = reader.into_decoder()?;
        let orientation = decoder.orientation()?;
        let (width, height) = decoder.dimensions();
        let stored = (height as usize, width as usize);
        Ok(Self {
            upright: match lies(orientation) {
                true => (stored.1, stored.0),
                false => stored,
            },
            stored,
            orientation,
        })
    }

    /// What a stated height and width fits: the upright picture where it can, else the stored one; nothing when it fits neither.
    pub(crate) fn fit(&self, stated: (usize, usize)) -> Option<Fit> {
        if stated == self.upright {
            return Some(Fit::Upright);
        }
        (stated == self.stored).then_some(Fit::Stored)
    }

    /// A box in the stored picture, turned with it.
    pub(crate) fn turn(&self, [x1, y1, x2, y2]: [f64; 4]) -> [f64; 4] {
        let (height, width) = (self.stored.0 as f64, self.stored.1 as f64);
        match self.orientation {
            Orientation::Rotate90 => [height - y2, x1, height - y1, x2],
            Orientation::Rotate270 => [y1, width - x2, y2, width - x1],
            Orientation::Rotate90FlipH => [y1, x1, y2, x2],
            Orientation::Rotate270FlipH => [height - y2, width - x2, height - y1, width - x1],
            // Only a picture that lies has two sizes.
            _ => [x1, y1, x2, y2],
        }
    }
}

/// Whether its height is stored as its width.
fn lies(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Cursor;

    use image::{ImageFormat, Rgb, RgbImage};
    use kindling::data::decode_picture;

    use super::*;

    /// A JPEG whose EXIF says how to turn it.
    pub(crate) fn jpeg(picture: &RgbImage, orientation: u8) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
        let mut bytes = bytes.into_inner();
        let mut exif =
            b"\xFF\xE1\x00\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
        exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
        bytes.splice(2..2, exif);
        bytes
    }

    /// A box in a stored picture is where its pixels are once the picture is upright.
    #[test]
    fn boxes_turn_with_their_picture() {
        let (x1, y1, x2, y2) = (8_u32, 16, 24, 24);
        let picture = RgbImage::from_fn(48, 32, |x, y| {
            let inside = (x1..x2).contains(&x) && (y1..y2).contains(&y);
            Rgb([if inside { 255 } else { 0 }; 3])
        });
        for orientation in 1..=8 {
            let bytes = jpeg(&picture, orientation);
            let shape = Shape::read(Cursor::new(&bytes)).unwrap();
            let lies = orientation >= 5;
            let size = if lies { (48, 32) } else { (32, 48) };
            assert_eq!(shape.upright, size, "{orientation}");
            assert_eq!(shape.fit(size), Some(Fit::Upright));
            let other = (size.1, size.0);
            assert_eq!(shape.fit(other), lies.then_some(Fit::Stored));
            assert_eq!(shape.fit((1, 2)), None);
            let upright = decode_picture(&bytes).unwrap();
            assert_eq!((upright.height() as usize, upright.width() as usize), size);
            if lies {
                let corners = [x1, y1, x2, y2].map(f64::from);
                let [left, top, right, bottom] = shape.turn(corners).map(|edge| edge as u32);
                for (x, y, pixel) in upright.enumerate_pixels() {
                    let inside = (left..right).contains(&x) && (top..bottom).contains(&y);
                    assert_eq!(pixel.0[0] > 128, inside, "{orientation}: {x}, {y}");
                }
            }
        }
    }
}
