//! A file of named tensors and words about them (safetensors), written whole or not at all.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use candle_core::{Device, Tensor, safetensors::Load};
use safetensors::{SafeTensors, View};

use crate::{Error, Result};

/// The entry of the metadata that holds the checksum of everything else.
const CHECKSUM: &str = "crc32";

/// What such a file holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct TensorFile {
    pub(crate) tensors: BTreeMap<String, Tensor>,
    pub(crate) metadata: BTreeMap<String, String>,
}

impl TensorFile {
    /// Writes the file whole or not at all.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let bytes = self.bytes().map_err(|problem| damaged(path, &problem))?;
        write_whole(path, &bytes)
    }

    /// Reads it back; a file that was cut or changed is an error.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).map_err(|error| failed(path, error))?;
        Self::parse(&bytes).map_err(|problem| damaged(path, &problem))
    }

    fn bytes(&self) -> std::result::Result<Vec<u8>, String> {
        let mut metadata: HashMap<String, String> = self.metadata.clone().into_iter().collect();
        metadata.insert(CHECKSUM.to_owned(), self.checksum());
        safetensors::serialize(&self.tensors, Some(metadata)).map_err(|error| error.to_string())
    }

    fn parse(bytes: &[u8]) -> std::result::Result<Self, String> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
        let mut file = Self::default();
        for (name, view) in tensors.iter() {
            let tensor = view.load(&Device::Cpu).map_err(|error| error.to_string())?;
            file.tensors.insert(name.to_owned(), tensor);
        }
        let metadata = header.metadata().clone().unwrap_or_default();
        file.metadata = metadata.into_iter().collect();
        // Files from elsewhere have no checksum of ours.
        match file.metadata.remove(CHECKSUM) {
            Some(expected) if expected != file.checksum() => Err(format!(
                "the checksum is {}, expected {expected}",
                file.checksum()
            )),
            _ => Ok(file),
        }
    }

    /// CRC-32 over all names, shapes, numbers and words: enough to notice accidents.
    fn checksum(&self) -> String {
        let mut sum = flate2::Crc::new();
        for (name, tensor) in &self.tensors {
            sum.update(format!("{name} {:?} {:?} ", tensor.dtype(), tensor.dims()).as_bytes());
            sum.update(&View::data(tensor));
        }
        for (key, words) in &self.metadata {
            sum.update(format!("{key}={words} ").as_bytes());
        }
        format!("{:08x}", sum.sum())
    }
}

/// Writes a neighbour first, waits until it is on the disk, and only then gives it the name: whoever cuts this
/// short at any moment leaves the old file or the new one, never a part.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    let part = part(path);
    let written = File::create(&part).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    if let Err(error) = written {
        let _ = fs::remove_file(&part); // a full disk should at least not keep the part
        return Err(failed(path, error));
    }
    fs::rename(&part, path).map_err(|error| failed(path, error))?;
    sync_folder(folder);
    Ok(())
}

/// The name of a file while it is being written.
fn part(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    path.with_file_name(name)
}

/// Makes a new name survive a power cut, where the system has a way to ask for that.
fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

/// The text of a file, without the byte order mark that some editors put before it.
pub(crate) fn read_text(path: &Path) -> Result<String> {
    let bytes = fs::read(path).map_err(|error| failed(path, error))?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let text = str::from_utf8(bytes).map_err(|error| Error::Format {
        file: path.display().to_string(),
        problem: format!(
            "expected text in UTF-8, found something else at byte {}",
            error.valid_up_to()
        ),
    })?;
    Ok(text.to_owned())
}

pub(crate) fn failed(path: &Path, source: std::io::Error) -> Error {
    Error::File {
        path: path.display().to_string(),
        source,
    }
}

fn damaged(path: &Path, problem: &str) -> Error {
    Error::Format {
        file: path.display().to_string(),
        problem: format!("damaged, or not a safetensors file: {problem}"),
    }
}
