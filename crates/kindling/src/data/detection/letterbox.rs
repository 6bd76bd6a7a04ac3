//! A picture of any size on a sheet of one size, its sides in proportion, and the way back for boxes.

use image::{RgbImage, imageops};

use crate::{Error, Result};

/// The grey of the sheet where no picture lies.
const SHEET: u8 = 128;

/// Scales pictures of one size so that they just fit on a sheet; they lie in its upper left corner.
///
/// ```
/// use kindling::data::detection::Letterbox;
/// let letterbox = Letterbox::new((480, 640), (128, 128))?; // height and width: of the picture, of the sheet
/// assert_eq!(letterbox.scaled(), (96, 128));
/// let on_sheet = letterbox.to_sheet([320.0, 240.0, 640.0, 480.0]);
/// assert_eq!(on_sheet, [64.0, 48.0, 128.0, 96.0]);
/// assert_eq!(letterbox.to_picture(on_sheet), [320.0, 240.0, 640.0, 480.0]);
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Letterbox {
    picture: (usize, usize),
    scaled: (usize, usize),
    sheet: (usize, usize),
}

impl Letterbox {
    /// `(height, width)` of the pictures and of the sheet.
    pub fn new(picture: (usize, usize), sheet: (usize, usize)) -> Result<Self> {
        for (what, (height, width)) in [("picture", picture), ("sheet", sheet)] {
            if height == 0 || width == 0 {
                return Err(Error::Argument(format!(
                    "{what}: expected at least 1 × 1 pixels, found {height} × {width}"
                )));
            }
        }
        let ratio = |sheet: usize, picture: usize| sheet as f64 / picture as f64;
        let scale = ratio(sheet.0, picture.0).min(ratio(sheet.1, picture.1));
        let side = |picture: usize, sheet: usize| {
            ((picture as f64 * scale).round() as usize).clamp(1, sheet)
        };
        Ok(Self {
            picture,
            scaled: (side(picture.0, sheet.0), side(picture.1, sheet.1)),
            sheet,
        })
    }

    /// Height and width of the picture itself.
    #[must_use]
    pub fn picture(&self) -> (usize, usize) {
        self.picture
    }

    /// Height and width of the picture on the sheet.
    #[must_use]
    pub fn scaled(&self) -> (usize, usize) {
        self.scaled
    }

    /// The sheet `(height, width, 3)` with this picture on it, row by row.
    pub fn place(&self, picture: &RgbImage) -> Result<Vec<u8>> {
        let found = (picture.height() as usize, picture.width() as usize);
        if found != self.picture {
            return Err(Error::Shape {
                what: "picture".to_owned(),
                expected: format!("{} × {}", self.picture.0, self.picture.1),
                found: vec![found.0, found.1],
            });
        }
        let (height, width) = self.scaled;
        let scaled;
        let pixels: &[u8] = if self.scaled == self.picture {
            picture
        } else {
            let filter = imageops::FilterType::Triangle;
            scaled = imageops::resize(picture, width as u32, height as u32, filter);
            &scaled
        };
        let mut sheet = vec![SHEET; self.sheet.0 * self.sheet.1 * 3];
        let lines = sheet.chunks_exact_mut(self.sheet.1 * 3);
        for (line, pixels) in lines.zip(pixels.chunks_exact(width * 3)) {
            line[..width * 3].copy_from_slice(pixels);
        }
        Ok(sheet)
    }

    /// A box of the picture where it lies on the sheet.
    #[must_use]
    pub fn to_sheet(&self, corners: [f32; 4]) -> [f32; 4] {
        let (down, right) = self.scales();
        let [x1, y1, x2, y2] = corners;
        [x1 * right, y1 * down, x2 * right, y2 * down]
    }

    /// A box on the sheet where it lies in the picture, cut at the picture's edges.
    #[must_use]
    pub fn to_picture(&self, corners: [f32; 4]) -> [f32; 4] {
        let (down, right) = self.scales();
        let (height, width) = (self.picture.0 as f32, self.picture.1 as f32);
        let [x1, y1, x2, y2] = corners;
        let across = |x: f32| (x / right).clamp(0.0, width);
        let along = |y: f32| (y / down).clamp(0.0, height);
        [across(x1), along(y1), across(x2), along(y2)]
    }

    /// Down and to the right, which differ a little: both sides are whole pixels.
    fn scales(&self) -> (f32, f32) {
        let ratio = |scaled: usize, picture: usize| scaled as f32 / picture as f32;
        (
            ratio(self.scaled.0, self.picture.0),
            ratio(self.scaled.1, self.picture.1),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn the_picture_lies_in_the_corner_of_a_grey_sheet() {
        let picture = RgbImage::from_pixel(20, 10, Rgb([200, 10, 10]));
        let letterbox = Letterbox::new((10, 20), (8, 8)).unwrap();
        let sheet = letterbox.place(&picture).unwrap();
        assert_eq!(letterbox.scaled(), (4, 8));
        assert_eq!(sheet.len(), 8 * 8 * 3);
        assert!(
            sheet[..4 * 8 * 3]
                .chunks(3)
                .all(|pixel| pixel == [200, 10, 10])
        );
        assert!(sheet[4 * 8 * 3..].iter().all(|&byte| byte == SHEET));
    }

    #[test]
    fn other_sizes_are_refused() {
        assert!(Letterbox::new((0, 4), (8, 8)).is_err());
        assert!(Letterbox::new((4, 4), (8, 0)).is_err());
        let letterbox = Letterbox::new((4, 4), (8, 8)).unwrap();
        let error = letterbox.place(&RgbImage::new(5, 4)).unwrap_err();
        assert!(error.to_string().contains("4 × 4"), "{error}");
    }
}
