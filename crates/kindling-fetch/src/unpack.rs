//! Decompresses a file and checks that it is the one the manifest describes.

use std::{fmt::Write, fs, io::Read, path::Path};

use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};

use crate::{DataFile, Error, Result};

/// The decompressed bytes of the file at `path`, if they are the expected ones.
///
/// Memory is set by the manifest and not by what the file says about itself: reading stops one byte after the
/// expected size.
pub(crate) fn unpack(path: &Path, expected: &DataFile) -> Result<Vec<u8>> {
    let file = fs::File::open(path).map_err(|source| Error::file(path, source, expected))?;
    let reader: Box<dyn Read> = if expected.name.ends_with(".gz") {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let mut bytes = Vec::with_capacity(usize::try_from(expected.unpacked_bytes).unwrap_or(0));
    let outcome = reader
        .take(expected.unpacked_bytes.saturating_add(1))
        .read_to_end(&mut bytes);

    let found = hexadecimal(&Sha256::digest(&bytes));
    let problem = match outcome {
        Err(error) => format!(
            "damaged: reading stops after {} bytes ({error})",
            bytes.len()
        ),
        Ok(_) if found == expected.sha256 => return Ok(bytes),
        Ok(_) if bytes.len() as u64 > expected.unpacked_bytes => {
            "damaged: it is longer than it should be".to_owned()
        }
        Ok(_) => format!("damaged: it holds {} bytes", bytes.len()),
    };
    let problem = format!(
        "{problem}; expected {} bytes with SHA-256 {}, found {found}",
        expected.unpacked_bytes, expected.sha256
    );
    Err(Error::Damaged {
        path: path.to_owned(),
        problem,
    })
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
