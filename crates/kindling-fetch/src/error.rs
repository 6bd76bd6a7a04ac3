//! What can go wrong while a file is looked for.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::DataFile;

/// Why a data set is not there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The manifest has no data set of this name.
    #[error("no data set is called `{name}`; there are: {known}")]
    UnknownDataset {
        /// The name asked for.
        name: String,
        /// The names that exist, with commas between.
        known: String,
    },

    /// The manifest itself is wrong.
    #[error("data/datasets.toml: {0}")]
    Manifest(String),

    /// The file is in no place that was looked at.
    #[error(
        "{file} is not here and could not be fetched.\n{tried}Run `cargo course data fetch {dataset}` where there is a network, or set KINDLING_MIRROR to a folder that holds {dataset}/{file}."
    )]
    Unavailable {
        /// The data set.
        dataset: String,
        /// The missing file.
        file: String,
        /// One line for each place that was tried, and what it said.
        tried: String,
    },

    /// A file is there, but it is not the file that the manifest describes.
    #[error("{}: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        problem: String,
    },

    /// The disk is full; nothing incomplete was left under the file's name.
    #[error("no space left to write {} (about {needed} bytes are needed); free some, or point KINDLING_CACHE at a larger disk", path.display())]
    DiskFull {
        /// The file that was being written.
        path: PathBuf,
        /// Its size in bytes.
        needed: u64,
    },

    /// The file system refused something.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },

    /// A server could not be reached, or gave something else than the file.
    #[error("{url}: {problem}")]
    Download {
        /// The address that was asked.
        url: String,
        /// What happened.
        problem: String,
    },
}

/// The result of a function that can fail with an [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of the file system; a full disk is told apart, because the reader can do something about it.
    pub(crate) fn file(path: &Path, source: io::Error, file: &DataFile) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull {
                path: path.to_owned(),
                needed: file.bytes,
            },
            _ => Self::File {
                path: path.to_owned(),
                source,
            },
        }
    }
}
