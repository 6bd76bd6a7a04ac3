//! A data set of one file, made for a test.

use std::{fs, io::Write, path::Path};

use kindling_fetch::{DataFile, Dataset, Manifest, Store};
use sha2::{Digest, Sha256};

pub struct Sample {
    pub dataset: Dataset,
    pub content: Vec<u8>,
    pub packed: Vec<u8>,
}

impl Sample {
    /// `size` bytes that do not compress well.
    pub fn new(size: usize) -> Self {
        let mut state = 1_u32;
        let content: Vec<u8> = (0..size)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        let packed = gzip(&content);
        let sha256 = format!("{:x}", Sha256::digest(&content));
        let manifest = format!(
            "[sample]\ntitle = 'A sample'\nlicence = 'none'\nsource = 'a test'\nurls = []\n\
             [[sample.files]]\nname = 'data.gz'\nbytes = {}\nunpacked_bytes = {size}\nsha256 = '{sha256}'\n",
            packed.len()
        );
        let dataset = Manifest::parse(&manifest).unwrap().datasets.remove(0);
        Self {
            dataset,
            content,
            packed,
        }
    }

    pub fn file(&self) -> &DataFile {
        &self.dataset.files[0]
    }

    /// Writes these bytes as the file of the data set in `folder`.
    pub fn put(&self, folder: &Path, bytes: &[u8]) {
        fs::create_dir_all(folder.join("sample")).unwrap();
        fs::write(folder.join("sample/data.gz"), bytes).unwrap();
    }

    /// What is said about a cached file of these bytes.
    #[allow(dead_code)]
    pub fn problem(&self, bytes: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        self.put(folder.path(), bytes);
        Store::at(folder.path())
            .look(&self.dataset, self.file())
            .unwrap_err()
            .to_string()
    }
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
