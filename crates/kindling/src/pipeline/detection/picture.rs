//! Pictures from files, with a clear word for each that cannot be used.

use std::{io::Cursor, path::Path};

use image::{ImageReader, RgbImage};

use crate::{Error, Result};

/// A picture must have so many pixels on each side: on fewer there is nothing to be seen.
const SMALLEST: u32 = 8;

/// And at most so many in all; more do not fit into the memory of a small machine.
const LARGEST: u64 = 100_000_000;

/// The picture in this file, PNG or JPEG.
pub(super) fn read(file: &Path) -> Result<RgbImage> {
    let bytes = std::fs::read(file).map_err(|source| Error::File {
        path: file.display().to_string(),
        source,
    })?;
    decode(&bytes).map_err(|problem| Error::Format {
        file: file.display().to_string(),
        problem,
    })
}

fn decode(bytes: &[u8]) -> std::result::Result<RgbImage, String> {
    let reader = || {
        let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
        reader.map_err(|error| error.to_string())
    };
    let no_picture = "not a PNG or JPEG picture, or a damaged one";
    // The size stands at the beginning: a file can promise more pixels than there is memory.
    let (width, height) = reader()?
        .into_dimensions()
        .map_err(|_| no_picture.to_owned())?;
    if width.min(height) < SMALLEST {
        return Err(format!(
            "expected a picture of at least {SMALLEST} × {SMALLEST} pixels, found {width} × {height}"
        ));
    }
    if u64::from(width) * u64::from(height) > LARGEST {
        return Err(format!(
            "expected a picture of at most {} million pixels, found {width} × {height}; make it smaller first",
            LARGEST / 1_000_000
        ));
    }
    let mut reader = reader()?;
    reader.no_limits(); // the size was checked above
    let picture = reader.decode();
    let picture = picture.map_err(|error| format!("{no_picture}: {error}"))?;
    Ok(picture.to_rgb8())
}

#[cfg(test)]
mod tests {
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
        assert!(problem(b"words").contains("not a PNG or JPEG picture"));
        assert!(problem(b"").contains("not a PNG or JPEG picture"));
        assert!(problem(&png(1, 1)).contains("at least 8 × 8 pixels, found 1 × 1"));
        let whole = png(40, 30);
        assert!(problem(&whole[..whole.len() / 2]).contains("damaged"));
        // A header that promises 60,000 × 60,000 pixels; its checksum no longer fits, or the size is too large.
        let mut huge = png(40, 30);
        huge[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
        let mut check = flate2::Crc::new();
        check.update(&huge[12..29]);
        huge[29..33].copy_from_slice(&check.sum().to_be_bytes());
        let problem = problem(&huge);
        assert!(
            problem.contains("at most 100 million pixels, found 60000 × 60000"),
            "{problem}"
        );
    }

    #[test]
    fn a_missing_file_is_named() {
        let problem = read(Path::new("nowhere/blood.png")).unwrap_err();
        assert!(problem.to_string().starts_with("nowhere/blood.png: "));
    }

    #[test]
    fn a_picture_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.png");
        std::fs::write(&file, png(9, 8)).unwrap();
        assert_eq!(read(&file).unwrap().dimensions(), (9, 8));
    }
}
