//! MNIST: 60,000 + 10,000 pictures of handwritten digits.

use std::fmt;

use candle_core::{DType, Device, Tensor};
use kindling_fetch::{Manifest, Store};

use super::{Examples, digits, parse_idx};
use crate::{Error, Result};

/// How many pictures the built-in generator draws when the real ones are not to be had.
const BUILTIN: (usize, usize) = (6_000, 1_000);

/// What the ten classes of Fashion-MNIST are called.
pub const FASHION: [&str; 10] = [
    "T-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
];

/// Handwritten digits: the set on which each network of this course starts.
#[derive(Debug, Clone)]
pub struct Mnist {
    /// What the model learns from.
    pub train: Examples,
    /// What it is judged by.
    pub test: Examples,
    /// Where the pictures came from.
    pub source: Source,
}

/// Where a data set came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// It was fetched before.
    Cache,
    /// It lies in the folder that `KINDLING_MIRROR` names.
    Mirror,
    /// It was downloaded just now.
    Download,
    /// It is drawn by a built-in generator; it is not the real data.
    Builtin,
}

impl Mnist {
    /// Finds MNIST in the cache, the mirror or on the network; where there is none of them, says so and draws digits.
    pub fn load() -> Result<Self> {
        match Self::find(&Store::from_env()) {
            Err(Error::Fetch(missing @ kindling_fetch::Error::Unavailable { .. })) => {
                let (train, test) = BUILTIN;
                eprintln!(
                    "{missing}\nUsing built-in pictures instead: {train} + {test} digits drawn by a program, easier than the real ones."
                );
                Self::builtin(train, test, 0)
            }
            outcome => outcome,
        }
    }

    /// The real MNIST from this store.
    pub fn find(store: &Store) -> Result<Self> {
        Self::find_named(store, "mnist")
    }

    /// Fashion-MNIST: as many pictures of the same size, of [clothes](FASHION) instead of digits, and harder.
    ///
    /// There is no generator for clothes: where they are not to be had, this fails and says what to do.
    pub fn fashion() -> Result<Self> {
        Self::find_named(&Store::from_env(), "fashion-mnist")
    }

    /// A set in MNIST's format, by its name in the manifest.
    fn find_named(store: &Store, name: &str) -> Result<Self> {
        let manifest = Manifest::builtin()?;
        let dataset = manifest.dataset(name)?;
        let mut source = Source::Cache;
        let mut read = |name: &str| -> Result<Vec<u8>> {
            let found = store.read(dataset, dataset.file(name)?)?;
            found
                .notes
                .iter()
                .for_each(|note| eprintln!("{note}\nIt was replaced by a good one."));
            source = source.max(found.source.into());
            Ok(found.bytes)
        };
        let train = Self::examples(
            &read("train-images-idx3-ubyte.gz")?,
            &read("train-labels-idx1-ubyte.gz")?,
        )?;
        let test = Self::examples(
            &read("t10k-images-idx3-ubyte.gz")?,
            &read("t10k-labels-idx1-ubyte.gz")?,
        )?;
        Ok(Self {
            train,
            test,
            source,
        })
    }

    /// Digits drawn by a program from a seed: same shapes and types as MNIST, but easier, and as many as you like.
    pub fn builtin(train: usize, test: usize, seed: u64) -> Result<Self> {
        // Two seeds far apart, so that no test picture was in the training set.
        let (train, test) = (digits::draw(train, seed)?, digits::draw(test, !seed)?);
        Ok(Self {
            train,
            test,
            source: Source::Builtin,
        })
    }

    /// Labelled pictures from the decompressed bytes of two IDX files.
    pub fn examples(images: &[u8], labels: &[u8]) -> Result<Examples> {
        let (shape, pixels) = parse_idx("images", images, 3)?;
        let (_, digits) = parse_idx("labels", labels, 1)?;
        if let Some(digit) = digits.iter().find(|&&digit| digit > 9) {
            let problem = format!("expected labels from 0 to 9, found {digit}");
            return Err(Error::Format {
                file: "labels".to_owned(),
                problem,
            });
        }
        let images =
            (Tensor::from_slice(pixels, shape, &Device::Cpu)?.to_dtype(DType::F32)? / 255.0)?; // (examples, 28, 28)
        let labels =
            Tensor::from_slice(digits, digits.len(), &Device::Cpu)?.to_dtype(DType::U32)?; // (examples)
        Examples::new(images, labels)
    }
}

impl From<kindling_fetch::Source> for Source {
    fn from(source: kindling_fetch::Source) -> Self {
        match source {
            kindling_fetch::Source::Cache => Self::Cache,
            kindling_fetch::Source::Mirror => Self::Mirror,
            kindling_fetch::Source::Download => Self::Download,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cache => "cache",
            Self::Mirror => "mirror",
            Self::Download => "download",
            Self::Builtin => "built-in generator",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idx(dimensions: &[u32], numbers: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, dimensions.len() as u8];
        bytes.extend(dimensions.iter().flat_map(|size| size.to_be_bytes()));
        bytes.extend_from_slice(numbers);
        bytes
    }

    #[test]
    fn pixels_become_numbers_from_0_to_1() {
        let examples = Mnist::examples(&idx(&[1, 1, 3], &[0, 51, 255]), &idx(&[1], &[7])).unwrap();
        let pixels = examples.images.to_vec3::<f32>().unwrap().concat().concat();
        assert!(
            pixels
                .iter()
                .zip([0.0, 0.2, 1.0])
                .all(|(pixel, expected)| (pixel - expected).abs() < 1e-6),
            "{pixels:?}"
        );
        assert_eq!(examples.labels.to_vec1::<u32>().unwrap(), [7]);
    }

    #[test]
    fn images_and_labels_must_fit() {
        let images = idx(&[2, 1, 1], &[0, 0]);
        assert!(
            Mnist::examples(&images, &idx(&[1], &[7]))
                .unwrap_err()
                .to_string()
                .contains("labels")
        );
        let error = Mnist::examples(&images, &idx(&[2], &[7, 10]))
            .unwrap_err()
            .to_string();
        assert!(error.contains("from 0 to 9, found 10"), "{error}");
    }

    #[test]
    fn the_real_data_has_its_known_shape_and_counts() {
        let Some(mirror) = kindling_skip::mirror("mnist/") else {
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path()).with_mirror(mirror);
        let mnist = Mnist::find(&store).unwrap();
        assert_eq!(mnist.source, Source::Mirror);
        assert_eq!(mnist.train.images.dims(), [60_000, 28, 28]);
        assert_eq!(mnist.test.images.dims(), [10_000, 28, 28]);
        // The first labels, and how often each digit comes in the test set, as published everywhere.
        assert_eq!(
            mnist.train.labels.to_vec1::<u32>().unwrap()[..5],
            [5, 0, 4, 1, 9]
        );
        let labels = mnist.test.labels.to_vec1::<u32>().unwrap();
        let counts: Vec<usize> = (0..10)
            .map(|digit| labels.iter().filter(|&&label| label == digit).count())
            .collect();
        assert_eq!(
            counts,
            [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
        );
        let mean = mnist
            .train
            .images
            .mean_all()
            .unwrap()
            .to_scalar::<f32>()
            .unwrap();
        assert!((mean - 0.1307).abs() < 1e-3, "{mean}");
    }
}
