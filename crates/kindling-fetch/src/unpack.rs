//! Decompresses a file and checks that it is the one the manifest describes.

use std::{
    fs,
    io::{Cursor, Read},
    path::Path,
};

use flate2::read::MultiGzDecoder;
use md5::Md5;
use sha2::{Digest, Sha256};

use crate::{DataFile, Error, Result, manifest::Checksum};

/// How a gzip file begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The decompressed bytes of the file at `path`, if they are the expected ones.
pub(crate) fn unpack(path: &Path, expected: &DataFile) -> Result<Vec<u8>> {
    let damaged = |problem: String| Error::Damaged {
        path: path.to_owned(),
        problem: format!("damaged: {problem}"),
    };
    let file = fs::File::open(path).map_err(|source| Error::file(path, source, expected))?;
    match expected.checksum() {
        Some(Checksum::Content(bytes, sha256)) => {
            content(file, expected, bytes, sha256).map_err(damaged)
        }
        Some(Checksum::Published(md5)) => published(file, expected, md5).map_err(damaged),
        None => Err(Error::Manifest(format!("{}: no checksum", expected.name))),
    }
}

/// Decompresses, then compares the content: hosts compress differently.
///
/// Memory is set by the manifest and not by what the file says about itself: reading stops one byte after the
/// expected size. What is named `.gz` but not compressed, because its host serves it plain, is taken as it is.
fn content(
    mut file: fs::File,
    expected: &DataFile,
    size: u64,
    sha256: &str,
) -> std::result::Result<Vec<u8>, String> {
    let mut start = Vec::new();
    let began = (&mut file).take(2).read_to_end(&mut start);
    began.map_err(|error| format!("it cannot be read ({error})"))?;
    let is_packed = expected.name.ends_with(".gz") && start == GZIP;
    let file = Cursor::new(start).chain(file);
    let reader: Box<dyn Read> = match is_packed {
        true => Box::new(MultiGzDecoder::new(file)),
        false => Box::new(file),
    };
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    let outcome = reader.take(size.saturating_add(1)).read_to_end(&mut bytes);
    let found = format!("{:x}", Sha256::digest(&bytes));
    let problem = match outcome {
        Err(error) => format!("reading stops after {} bytes ({error})", bytes.len()),
        Ok(_) if found == sha256 => return Ok(bytes),
        Ok(_) if bytes.len() as u64 > size => "it is longer than it should be".to_owned(),
        Ok(_) => format!("it holds {} bytes", bytes.len()),
    };
    Err(format!(
        "{problem}; expected {size} bytes with SHA-256 {sha256}, found {found}"
    ))
}

/// Compares the file as it was published, and decompresses it only when it is that very file.
fn published(
    file: fs::File,
    expected: &DataFile,
    md5: &str,
) -> std::result::Result<Vec<u8>, String> {
    let mut packed = Vec::new();
    let read = file
        .take(2 * expected.bytes + 65_536)
        .read_to_end(&mut packed);
    read.map_err(|error| format!("reading stops after {} bytes ({error})", packed.len()))?;
    let found = format!("{:x}", Md5::digest(&packed));
    if found != md5 {
        return Err(format!(
            "it holds {} bytes; expected {} bytes with MD5 {md5}, found {found}",
            packed.len(),
            expected.bytes
        ));
    }
    if !expected.name.ends_with(".gz") {
        return Ok(packed);
    }
    let mut bytes = Vec::new();
    let outcome = MultiGzDecoder::new(packed.as_slice()).read_to_end(&mut bytes);
    outcome.map_err(|error| error.to_string())?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// A file as its authors publish it, which is known by its MD5 alone.
    fn published(name: &str, bytes: &[u8]) -> DataFile {
        DataFile {
            name: name.to_owned(),
            published_as: None,
            bytes: bytes.len() as u64,
            unpacked_bytes: None,
            sha256: None,
            md5: Some(format!("{:x}", Md5::digest(bytes))),
        }
    }

    fn packed(content: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(content).unwrap();
        packer.finish().unwrap()
    }

    #[test]
    fn md5_is_of_the_file_as_it_is_published() {
        // The MD5 of "abc", from RFC 1321.
        assert_eq!(
            format!("{:x}", Md5::digest(b"abc")),
            "900150983cd24fb0d6963f7d28e17f72"
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.gz");
        let bytes = packed(b"some words");
        fs::write(&path, &bytes).unwrap();
        let file = published("data.gz", &bytes);
        assert_eq!(unpack(&path, &file).unwrap(), b"some words");
        assert_eq!(unpack(&path, &published("data", &bytes)).unwrap(), bytes);
    }

    #[test]
    fn what_a_host_serves_plain_is_taken_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("words.txt.gz");
        let file = DataFile {
            unpacked_bytes: Some(10),
            sha256: Some(format!("{:x}", Sha256::digest(b"some words"))),
            md5: None,
            ..published("words.txt.gz", b"")
        };
        for content in [b"some words".to_vec(), packed(b"some words")] {
            fs::write(&path, content).unwrap();
            assert_eq!(unpack(&path, &file).unwrap(), b"some words");
        }
        for content in [&b"some"[..], b"", b"s", b"some other words"] {
            fs::write(&path, content).unwrap();
            assert!(unpack(&path, &file).is_err());
        }
    }

    #[test]
    fn a_changed_or_cut_file_is_named_with_both_sums() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.gz");
        let bytes = packed(b"some words");
        let file = published("data.gz", &bytes);
        fs::write(&path, packed(b"other words")).unwrap();
        let error = unpack(&path, &file).unwrap_err().to_string();
        assert!(error.contains(file.md5.as_deref().unwrap()), "{error}");
        assert!(error.contains("found"), "{error}");
        fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
        assert!(unpack(&path, &file).is_err());
    }
}
