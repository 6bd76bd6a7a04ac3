//! The places where a data set is looked for, in order: cache, mirror, download.

use std::{fs, path::PathBuf};

use crate::{
    DataFile, Dataset, Error, Result, Source,
    place::{cache_folder, path_from},
    unpack::unpack,
};
#[cfg(feature = "download")]
use crate::{download::download, lock::Lock};

/// Knows where files may lie, and brings them into the cache.
#[derive(Debug, Clone)]
pub struct Store {
    cache: PathBuf,
    mirror: Option<PathBuf>,
    download_base: Option<String>,
    course: Option<PathBuf>,
    offline: bool,
}

/// A file that was found and is whole.
#[derive(Debug, Clone)]
pub struct Found {
    /// The decompressed bytes.
    pub bytes: Vec<u8>,
    /// The file itself, compressed as it came.
    pub path: PathBuf,
    /// Where it came from.
    pub source: Source,
    /// What a person should know, such as that a damaged file was replaced.
    pub notes: Vec<String>,
}

impl Store {
    /// The store that the environment describes (see the [crate's page](crate)).
    #[must_use]
    pub fn from_env() -> Self {
        Self {
            cache: cache_folder(),
            mirror: path_from("KINDLING_MIRROR"),
            download_base: std::env::var("KINDLING_DOWNLOAD_BASE")
                .ok()
                .filter(|base| !base.is_empty()),
            course: path_from("KINDLING_COURSE"),
            offline: false,
        }
    }

    /// A store with this cache folder, no mirror, and the manifest's own addresses.
    #[must_use]
    pub fn at(cache: impl Into<PathBuf>) -> Self {
        Self {
            cache: cache.into(),
            mirror: None,
            download_base: None,
            course: None,
            offline: false,
        }
    }

    /// Also looks in this folder, which holds `<data set>/<file>`.
    #[must_use]
    pub fn with_mirror(self, folder: impl Into<PathBuf>) -> Self {
        Self {
            mirror: Some(folder.into()),
            ..self
        }
    }

    /// Downloads from `<base>/<data set>/<file>` instead of the manifest's addresses.
    #[must_use]
    pub fn with_download_base(self, base: impl Into<String>) -> Self {
        Self {
            download_base: Some(base.into()),
            ..self
        }
    }

    /// Asks this `course` command to download, when the program itself was built without a network stack.
    #[must_use]
    pub fn with_course(self, command: impl Into<PathBuf>) -> Self {
        Self {
            course: Some(command.into()),
            ..self
        }
    }

    /// Never downloads, as if this program had been built without it.
    #[must_use]
    pub fn without_download(self) -> Self {
        Self {
            offline: true,
            ..self
        }
    }

    /// Where the cache keeps this file, whether it is there or not.
    #[must_use]
    pub fn path(&self, dataset: &Dataset, file: &DataFile) -> PathBuf {
        self.cache.join(&dataset.name).join(&file.name)
    }

    /// The folder in which the cache keeps what belongs to this data set.
    #[must_use]
    pub fn folder(&self, name: &str) -> PathBuf {
        self.cache.join(name)
    }

    /// The mirror's folder of this name, for sets of many small files that the mirror holds unpacked.
    #[must_use]
    pub fn mirrored_folder(&self, name: &str) -> Option<PathBuf> {
        let folder = self.mirror.as_ref()?.join(name);
        folder.is_dir().then_some(folder)
    }

    /// The file if it is on this machine: nothing is fetched or changed. Damaged files are errors.
    pub fn look(&self, dataset: &Dataset, file: &DataFile) -> Result<Option<Found>> {
        let mut problems = Vec::new();
        match self.find_here(dataset, file, &mut problems) {
            None if !problems.is_empty() => Err(problems.swap_remove(0)),
            found => Ok(found),
        }
    }

    /// The file, from the nearest place that has it whole; downloads it when it is not on this machine.
    pub fn read(&self, dataset: &Dataset, file: &DataFile) -> Result<Found> {
        let mut problems = Vec::new();
        let found = match self.find_here(dataset, file, &mut problems) {
            Some(found) => Some(found),
            None if self.can_download() => self.fetch(dataset, file, &mut problems)?,
            None => None,
        };
        if found
            .as_ref()
            .is_some_and(|found| found.source == Source::Mirror)
        {
            self.forget_damaged(&problems);
        }
        let notes: Vec<String> = problems.iter().map(Error::to_string).collect();
        match found {
            Some(found) => Ok(Found { notes, ..found }),
            None => Err(self.unavailable(dataset, file, &notes)),
        }
    }

    /// Looks in the cache, then in the mirror. A damaged file is noted and passed over.
    fn find_here(
        &self,
        dataset: &Dataset,
        file: &DataFile,
        problems: &mut Vec<Error>,
    ) -> Option<Found> {
        let mirrored = self
            .mirror
            .as_ref()
            .map(|mirror| mirror.join(&dataset.name).join(&file.name));
        let places = [
            (Some(self.path(dataset, file)), Source::Cache),
            (mirrored, Source::Mirror),
        ];
        for (path, source) in places {
            let Some(path) = path.filter(|path| path.exists()) else {
                continue;
            };
            match unpack(&path, file) {
                Ok(bytes) => {
                    return Some(Found {
                        bytes,
                        path,
                        source,
                        notes: Vec::new(),
                    });
                }
                Err(problem) => problems.push(problem),
            }
        }
        None
    }

    /// Removes a damaged file of the cache when the mirror has a good one: it would only be reported again each time.
    fn forget_damaged(&self, problems: &[Error]) {
        for problem in problems {
            if let Error::Damaged { path, .. } = problem
                && path.starts_with(&self.cache)
            {
                let _ = fs::remove_file(path);
            }
        }
    }

    fn can_download(&self) -> bool {
        !self.offline && (cfg!(feature = "download") || self.course.is_some())
    }

    /// Downloads the file while no other process does.
    #[cfg(feature = "download")]
    fn fetch(
        &self,
        dataset: &Dataset,
        file: &DataFile,
        problems: &mut Vec<Error>,
    ) -> Result<Option<Found>> {
        let path = self.path(dataset, file);
        let lock = match Lock::take(&path, file) {
            Err(problem) if !matches!(problem, Error::DiskFull { .. }) => {
                problems.push(problem);
                return Ok(None);
            }
            lock => lock?,
        };
        // Another process may have fetched it while this one waited.
        if lock.waited
            && let Ok(bytes) = unpack(&path, file)
        {
            return Ok(Some(Found {
                bytes,
                path,
                source: Source::Cache,
                notes: Vec::new(),
            }));
        }
        let urls = match &self.download_base {
            Some(base) => vec![format!("{}/{}", base.trim_end_matches('/'), dataset.name)],
            None => dataset.urls.clone(),
        };
        for url in urls {
            let name = match &self.download_base {
                Some(_) => &file.name,
                None => file.published_as.as_ref().unwrap_or(&file.name),
            };
            match download(&format!("{url}/{name}"), &path, file) {
                Err(problem) if !matches!(problem, Error::DiskFull { .. }) => {
                    problems.push(problem)
                }
                bytes => {
                    return Ok(Some(Found {
                        bytes: bytes?,
                        path,
                        source: Source::Download,
                        notes: Vec::new(),
                    }));
                }
            }
        }
        Ok(None)
    }

    /// Without a network stack of its own, this program asks the `course` command, whose progress goes to the same place.
    #[cfg(not(feature = "download"))]
    fn fetch(
        &self,
        dataset: &Dataset,
        file: &DataFile,
        problems: &mut Vec<Error>,
    ) -> Result<Option<Found>> {
        let Some(course) = &self.course else {
            return Ok(None);
        };
        let path = self.path(dataset, file);
        let mut command = std::process::Command::new(course);
        command
            .args(["data", "fetch", &dataset.name])
            .env("KINDLING_CACHE", &self.cache);
        if let Some(base) = &self.download_base {
            command.env("KINDLING_DOWNLOAD_BASE", base);
        }
        let problem = match command.status() {
            Ok(status) if status.success() => {
                let bytes = unpack(&path, file)?;
                return Ok(Some(Found {
                    bytes,
                    path,
                    source: Source::Download,
                    notes: Vec::new(),
                }));
            }
            Ok(status) => {
                std::io::Error::other(format!("`data fetch {}` ended with {status}", dataset.name))
            }
            Err(error) => error,
        };
        problems.push(Error::File {
            path: course.clone(),
            source: problem,
        });
        Ok(None)
    }

    fn unavailable(&self, dataset: &Dataset, file: &DataFile, notes: &[String]) -> Error {
        let mut tried = vec![format!("cache: {}", self.path(dataset, file).display())];
        if let Some(mirror) = &self.mirror {
            tried.push(format!("mirror: {}", mirror.join(&dataset.name).display()));
        }
        if !self.can_download() {
            let why = match self.offline {
                true => "was told not to",
                false => "was built without it",
            };
            tried.push(format!("download: this program {why}"));
        }
        tried.extend_from_slice(notes);
        let tried = tried.iter().map(|line| format!("  {line}\n")).collect();
        Error::Unavailable {
            dataset: dataset.name.clone(),
            file: file.name.clone(),
            tried,
        }
    }
}
