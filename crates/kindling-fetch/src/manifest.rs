//! The manifest: what can be fetched, from where, and how to know that it arrived whole.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Error, Result};

const BUILTIN: &str = include_str!("../../../data/datasets.toml");

/// All data sets of the course.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The data sets in the order of their names.
    pub datasets: Vec<Dataset>,
}

/// One data set: a folder of files.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    /// Its name, which is also its folder's.
    #[serde(skip)]
    pub name: String,
    /// One line for people.
    pub title: String,
    /// The licence of the data.
    pub licence: String,
    /// Who made it.
    pub source: String,
    /// Addresses of folders that hold the files, best first.
    pub urls: Vec<String>,
    /// The files.
    pub files: Vec<DataFile>,
}

/// One file of a data set. A name that ends in `.gz` is decompressed when it is read.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFile {
    /// The file's name.
    pub name: String,
    /// What the file is called at its public address, where that differs.
    pub published_as: Option<String>,
    /// About how many bytes are downloaded; hosts compress differently.
    pub bytes: u64,
    /// Exactly how many bytes there are once decompressed; given together with `sha256`.
    pub unpacked_bytes: Option<u64>,
    /// The SHA-256 of the decompressed bytes, in hexadecimal.
    pub sha256: Option<String>,
    /// The MD5 of the file as it is published, for the sets whose authors state nothing else.
    pub md5: Option<String>,
}

/// How to know that a file is the one it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checksum<'a> {
    /// So many decompressed bytes, which have this SHA-256.
    Content(u64, &'a str),
    /// The file itself has this MD5.
    Published(&'a str),
}

impl DataFile {
    /// The checksum that the manifest states; [`Manifest::parse`] makes sure that it is exactly one.
    pub(crate) fn checksum(&self) -> Option<Checksum<'_>> {
        match (self.unpacked_bytes, &self.sha256, &self.md5) {
            (Some(bytes), Some(sha256), None) => Some(Checksum::Content(bytes, sha256)),
            (None, None, Some(md5)) => Some(Checksum::Published(md5)),
            _ => None,
        }
    }
}

impl Manifest {
    /// The course's own manifest, `data/datasets.toml`.
    pub fn builtin() -> Result<Self> {
        Self::parse(BUILTIN)
    }

    /// Reads a manifest and checks what a typing mistake would break.
    pub fn parse(text: &str) -> Result<Self> {
        let tables: BTreeMap<String, Dataset> =
            toml::from_str(text).map_err(|error| Error::Manifest(error.to_string()))?;
        let datasets: Vec<Dataset> = tables
            .into_iter()
            .map(|(name, dataset)| Dataset { name, ..dataset })
            .collect();
        datasets.iter().try_for_each(Dataset::check)?;
        Ok(Self { datasets })
    }

    /// The data set of this name.
    pub fn dataset(&self, name: &str) -> Result<&Dataset> {
        self.datasets
            .iter()
            .find(|dataset| dataset.name == name)
            .ok_or_else(|| {
                let known: Vec<&str> = self
                    .datasets
                    .iter()
                    .map(|dataset| dataset.name.as_str())
                    .collect();
                Error::UnknownDataset {
                    name: name.to_owned(),
                    known: known.join(", "),
                }
            })
    }
}

impl Dataset {
    /// The file of this name.
    pub fn file(&self, name: &str) -> Result<&DataFile> {
        self.files
            .iter()
            .find(|file| file.name == name)
            .ok_or_else(|| Error::Manifest(format!("{} has no file {name}", self.name)))
    }

    /// About how many bytes a download of the whole set takes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    fn check(&self) -> Result<()> {
        for file in &self.files {
            let place = format!("{}/{}", self.name, file.name);
            // A name becomes a path: it must stay inside the cache.
            if [&self.name, &file.name]
                .iter()
                .any(|name| name.is_empty() || name.starts_with('.') || name.contains(['/', '\\']))
            {
                return Err(Error::Manifest(format!(
                    "{place}: a name is a plain file name"
                )));
            }
            let (kind, digits, found) = match file.checksum() {
                Some(Checksum::Content(_, sha256)) => ("sha256", 64, sha256),
                Some(Checksum::Published(md5)) => ("md5", 32, md5),
                None => {
                    return Err(Error::Manifest(format!(
                        "{place}: expected unpacked_bytes and sha256, or md5 alone"
                    )));
                }
            };
            let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            if found.len() != digits || !found.bytes().all(is_digit) {
                return Err(Error::Manifest(format!(
                    "{place}: {kind} needs {digits} hexadecimal digits, found {found:?}"
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_of_the_course_is_valid() {
        let manifest = Manifest::builtin().unwrap();
        let mnist = manifest.dataset("mnist").unwrap();
        assert_eq!(mnist.files.len(), 4);
        assert_eq!(mnist.bytes(), 11_594_722);
        assert!(
            mnist
                .urls
                .iter()
                .all(|url| url.starts_with("https://") && !url.ends_with('/'))
        );
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = Manifest::builtin()
            .unwrap()
            .dataset("mnits")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("`mnits`") && error.contains("mnist"),
            "{error}"
        );
    }

    #[test]
    fn mistakes_are_named() {
        let broken = |from: &str, to: &str| {
            Manifest::parse(&BUILTIN.replacen(from, to, 1))
                .unwrap_err()
                .to_string()
        };
        assert!(broken("ba891046", "xyz").contains("mnist/train-images-idx3-ubyte.gz: sha256"));
        assert!(broken("\"train-images", "\"../train-images").contains("plain file name"));
        assert!(broken("licence", "license").contains("license"));
        assert!(broken("unpacked_bytes = 47_040_016", "").contains("or md5 alone"));
    }
}
