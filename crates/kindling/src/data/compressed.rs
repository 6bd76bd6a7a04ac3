//! Files that may be compressed by gzip: their first bytes decide, not their names.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use flate2::bufread::GzDecoder;

use super::signature;
use crate::{Error, Result, tensor_file::failed};

/// How a gzip file begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A tar's blocks have so many bytes; the first says whether it is one.
const BLOCK: u64 = 512;

/// The bytes of a file, decompressed where it is a gzip file, with all of its members.
///
/// Fails when the file cannot be read, and when it was cut.
pub fn read_file(path: impl AsRef<Path>) -> Result<Vec<u8>> {
    let path = path.as_ref();
    let mut bytes = Vec::new();
    let read = open(path)?.read_to_end(&mut bytes);
    read.map_err(|error| damaged(path, &error))?;
    Ok(bytes)
}

/// A stream of what [`read_file`] returns.
fn open(path: &Path) -> Result<Box<dyn Read>> {
    let file = File::open(path).map_err(|error| failed(path, error))?;
    unpacked(BufReader::new(file)).map_err(|error| failed(path, error))
}

/// Decompresses what begins as a gzip file does, all of its members, and leaves anything else as it is.
pub(super) fn unpacked<R: BufRead + 'static>(mut reader: R) -> io::Result<Box<dyn Read>> {
    Ok(match reader.fill_buf()?.starts_with(&GZIP) {
        true => Box::new(Members(Some(GzDecoder::new(reader)))),
        false => Box::new(reader),
    })
}

/// The members of a gzip file one after the other, up to its end or to the zeros that a tape or a disk put behind it.
struct Members<R>(Option<GzDecoder<R>>);

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(mut member) = self.0.take() {
            let count = member.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                self.0 = Some(member);
                return Ok(count);
            }
            let mut rest = member.into_inner();
            loop {
                let bytes = rest.fill_buf()?;
                match bytes.iter().take_while(|&&byte| byte == 0).count() {
                    _ if bytes.is_empty() => return Ok(0),
                    0 => break,
                    zeros => rest.consume(zeros),
                }
            }
            self.0 = Some(GzDecoder::new(rest));
        }
        Ok(0)
    }
}

/// A stream of a tar, compressed or not; anything else is an error that says what it is.
pub fn open_tar(path: impl AsRef<Path>) -> Result<impl Read> {
    let path = path.as_ref();
    let mut reader = open(path)?;
    let mut first = Vec::new();
    let read = reader.by_ref().take(BLOCK).read_to_end(&mut first);
    read.map_err(|error| damaged(path, &error))?;
    let found = signature::found(&first);
    match signature::known(&first) {
        Some("a tar") => Ok(io::Cursor::new(first).chain(reader)),
        // The oldest tars have no sign, but there are zeros behind each name.
        None if first.contains(&0) => Ok(io::Cursor::new(first).chain(reader)),
        _ => {
            let packed = ["archive", "xz file", "bzip2 file", "zstd file"];
            let advice = match packed.iter().any(|kind| found.ends_with(kind)) {
                true => "; unpack it first",
                false => "",
            };
            Err(Error::Format {
                file: path.display().to_string(),
                problem: format!(
                    "expected a folder, or a tar, which gzip may have compressed, found {found}{advice}"
                ),
            })
        }
    }
}

/// Names, and the bytes of each.
type NamedFiles = Vec<(String, Vec<u8>)>;

/// The files of a tar that are wanted, by their names; links to such files are followed.
///
/// Of the others only the names are returned, folders with a `/` behind.
pub(super) fn tar_files(
    reader: impl Read,
    wanted: impl Fn(&str) -> bool,
) -> io::Result<(NamedFiles, Vec<String>)> {
    let (mut files, mut others, mut links) = (Vec::new(), Vec::new(), Vec::new());
    for entry in tar::Archive::new(reader).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.to_string_lossy().into_owned();
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            others.push(format!("{}/", name.trim_end_matches('/')));
        } else if !wanted(&name) {
            others.push(name);
        } else if kind.is_file() || kind.is_gnu_sparse() {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            files.push((name, bytes));
        } else if let Some(target) = entry.link_name()? {
            // A symbolic link begins at its own folder, a hard link where the tar does.
            let folder = Path::new(&name).parent().filter(|_| kind.is_symlink());
            links.push((name.clone(), folder.unwrap_or(Path::new("")).join(target)));
        }
    }
    for (name, target) in links {
        let target = plain(&target);
        let found = files
            .iter()
            .find(|(file, _)| plain(Path::new(file)) == target);
        let bytes = found.map(|(_, bytes)| bytes.clone()).ok_or_else(|| {
            let target = target.display();
            io::Error::other(format!("{name} is a link to {target}, which is not in it"))
        })?;
        files.push((name, bytes));
    }
    Ok((files, others))
}

/// A path without `.` and without `..` that leads back to where it came from.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                plain.pop();
            }
            std::path::Component::Normal(part) => plain.push(part),
            _ => {}
        }
    }
    plain
}

pub(super) fn damaged(path: &Path, error: &io::Error) -> Error {
    Error::Format {
        file: path.display().to_string(),
        problem: format!("damaged: {error}; fetch the file again"),
    }
}

/// A gzip member of these bytes, for tests.
#[cfg(test)]
pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    io::Write::write_all(&mut packer, bytes).unwrap();
    packer.finish().unwrap()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn names_do_not_matter_and_all_members_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let members = [gzip(b"one "), gzip(b""), gzip(b"two")].concat();
        for (name, bytes, expected) in [
            ("a.gz", &b"plain"[..], &b"plain"[..]),
            ("a", &members, b"one two"),
            ("a.gz", &members, b"one two"),
            ("a.gz", &[&members[..], &[0; 20_000]].concat(), b"one two"),
            ("a.gz", b"", b""),
            ("a.gz", b"\x1f", b"\x1f"),
        ] {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            assert_eq!(read_file(&path).unwrap(), expected, "{name}");
        }
        let path = folder.path().join("cut.gz");
        for bytes in [
            &members[..members.len() - 3],
            &[&members[..], b"words"].concat(),
        ] {
            fs::write(&path, bytes).unwrap();
            let error = read_file(&path).unwrap_err().to_string();
            assert!(error.contains("cut.gz: damaged: "), "{error}");
        }
    }

    #[test]
    fn what_is_no_tar_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set.tar.gz");
        let page = b"<!DOCTYPE html><p>Please log in";
        for (bytes, expected) in [
            (&page[..], "found an HTML page"),
            (&gzip(page), "found an HTML page"),
            (b"PK\x03\x04", "found a zip archive; unpack it first"),
            (b"\xfd7zXZ\0", "found an xz file; unpack it first"),
            (b"", "found an empty file"),
            (b"some words", "found text"),
        ] {
            fs::write(&path, bytes).unwrap();
            let error = open_tar(&path).err().unwrap().to_string();
            assert!(error.ends_with(expected), "{error}");
        }
    }

    #[test]
    fn links_in_a_tar_are_the_files_that_they_lead_to() {
        let mut tar = tar::Builder::new(Vec::new());
        let header = |kind: tar::EntryType, size| {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_size(size);
            header
        };
        let mut file = header(tar::EntryType::Regular, 3);
        tar.append_data(&mut file, "./a/1.png", &b"one"[..])
            .unwrap();
        let mut hard = header(tar::EntryType::Link, 0);
        tar.append_link(&mut hard, "./b/2.png", "./a/1.png")
            .unwrap();
        let mut soft = header(tar::EntryType::Symlink, 0);
        tar.append_link(&mut soft, "./b/3.png", "../a/1.png")
            .unwrap();
        let whole = tar.get_ref().clone();
        let (files, _) = tar_files(whole.as_slice(), |_| true).unwrap();
        let expected =
            ["a/1.png", "b/2.png", "b/3.png"].map(|name| (name.to_owned(), b"one".to_vec()));
        assert_eq!(files, expected);
        tar.append_link(&mut soft, "4.png", "/elsewhere/1.png")
            .unwrap();
        let error = tar_files(tar.get_ref().as_slice(), |_| true).unwrap_err();
        assert!(
            error.to_string().starts_with("4.png is a link to "),
            "{error}"
        );
    }
}
