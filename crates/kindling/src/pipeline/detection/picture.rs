//! Pictures from files, with a clear word for each that cannot be used.

use std::path::Path;

use image::RgbImage;

use crate::{Error, Result, data::open_picture};

/// A picture must have so many pixels on each side: on fewer there is nothing to be seen.
const SMALLEST: u32 = 8;

/// The picture in this file, as [`open_picture`] reads it.
pub(super) fn read(file: &Path) -> Result<RgbImage> {
    let picture = open_picture(file)?;
    let (width, height) = picture.dimensions();
    if width.min(height) < SMALLEST {
        return Err(Error::Format {
            file: file.display().to_string(),
            problem: format!(
                "expected a picture of at least {SMALLEST} × {SMALLEST} pixels, found {width} × {height}"
            ),
        });
    }
    Ok(picture)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn problem(bytes: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("picture.png");
        std::fs::write(&file, bytes).unwrap();
        let problem = read(&file).unwrap_err().to_string();
        assert!(problem.contains("picture.png"), "{problem}");
        problem
    }

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let picture = RgbImage::new(width, height);
        picture
            .write_to(&mut bytes, image::ImageFormat::Png)
            .unwrap();
        bytes.into_inner()
    }

    #[test]
    fn each_picture_that_cannot_be_used_is_told_why() {
        assert!(problem(b"words").contains("expected a picture"));
        assert!(problem(b"").contains("expected a picture"));
        assert!(problem(&png(1, 1)).contains("at least 8 × 8 pixels, found 1 × 1"));
        let whole = png(40, 30);
        assert!(problem(&whole[..whole.len() / 2]).contains("damaged"));
    }

    #[test]
    fn a_picture_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.png");
        std::fs::write(&file, png(9, 8)).unwrap();
        assert_eq!(read(&file).unwrap().dimensions(), (9, 8));
    }
}
