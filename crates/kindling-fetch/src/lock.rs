//! A lock between processes, so that two of them do not fetch the same file twice.

use std::{fs, path::Path};

use kindling_progress::Progress;

use crate::{DataFile, Error, Result};

/// Held while a file is fetched; the operating system frees it, also when the process dies.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: fs::File,
    /// Whether another process held it first.
    pub(crate) waited: bool,
}

impl Lock {
    /// Waits until no other process fetches the file at `path`.
    pub(crate) fn take(path: &Path, file: &DataFile) -> Result<Self> {
        let beside = path.with_file_name(format!("{}.lock", file.name));
        let failed = |source| Error::file(&beside, source, file);
        if let Some(folder) = beside.parent() {
            fs::create_dir_all(folder).map_err(|source| Error::file(folder, source, file))?;
        }
        let lock = fs::File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&beside)
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                _file: lock,
                waited: false,
            }),
            Err(fs::TryLockError::WouldBlock) => {
                let progress = Progress::new(0, &file.name, "bytes");
                progress.message("another process is fetching it");
                lock.lock().map_err(failed)?;
                progress.finish("");
                Ok(Self {
                    _file: lock,
                    waited: true,
                })
            }
            Err(fs::TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}
