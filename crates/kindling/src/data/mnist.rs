//! MNIST: 60,000 + 10,000 pictures of handwritten digits.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use candle_core::{DType, Device, Tensor};
use kindling_fetch::{Manifest, Store};

use super::{Examples, digits, parse_idx, read_file};
use crate::{Error, Result, tensor_file::failed};

/// How many pictures the built-in generator draws when the real ones are not to be had.
const BUILTIN: (usize, usize) = (6_000, 1_000);

/// So many folders deep the files may lie in the one that is given, as in `MNIST/raw`.
const DEPTH: usize = 3;

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

    /// Your own copy: a folder with the four IDX files, compressed by gzip or not, as `train-images-idx3-ubyte.gz` or `train-images.idx3-ubyte`.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        let mut files = Vec::new();
        list(folder, DEPTH, &mut files)?;
        files.sort_by_key(|(depth, path)| (std::cmp::Reverse(*depth), path.clone()));
        let part = |names: &[&str]| {
            let images = find(folder, &files, names, "images-idx3-ubyte", 3)?;
            let labels = find(folder, &files, names, "labels-idx1-ubyte", 1)?;
            examples_of((&images.0, &images.1), (&labels.0, &labels.1))
        };
        Ok(Self {
            train: part(&["train"])?,
            test: part(&["t10k", "test"])?,
            source: Source::Cache,
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
        examples_of(("images", images), ("labels", labels))
    }
}

/// Labelled pictures from two IDX files, each name and bytes.
fn examples_of(images: (&str, &[u8]), labels: (&str, &[u8])) -> Result<Examples> {
    let (shape, pixels) = parse_idx(images.0, images.1, 3)?;
    let (_, digits) = parse_idx(labels.0, labels.1, 1)?;
    if let Some(digit) = digits.iter().find(|&&digit| digit > 9) {
        let problem = format!("expected labels from 0 to 9, found {digit}");
        return Err(Error::Format {
            file: labels.0.to_owned(),
            problem,
        });
    }
    let images = (Tensor::from_slice(pixels, shape, &Device::Cpu)?.to_dtype(DType::F32)? / 255.0)?; // (examples, 28, 28)
    let labels = Tensor::from_slice(digits, digits.len(), &Device::Cpu)?.to_dtype(DType::U32)?; // (examples)
    Examples::new(images, labels)
}

/// The files in a folder and the folders in it, each with how many folders deeper one could have gone.
fn list(folder: &Path, depth: usize, files: &mut Vec<(usize, PathBuf)>) -> Result<()> {
    let wrong = |error| failed(folder, error);
    for entry in fs::read_dir(folder).map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        match path.is_dir() {
            true if depth > 1 => list(&path, depth - 1, files)?,
            true => {}
            false => files.push((depth, path)),
        }
    }
    Ok(())
}

/// The first of the files of this name that is whole, with its name; without any, what is wrong with the first.
fn find(
    folder: &Path,
    files: &[(usize, PathBuf)],
    names: &[&str],
    end: &str,
    rank: usize,
) -> Result<(String, Vec<u8>)> {
    let wanted: Vec<String> = names.iter().map(|name| format!("{name}-{end}")).collect();
    let mut problem = None;
    for (_, path) in files {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .to_lowercase();
        // LeCun writes `train-images-idx3-ubyte.gz`, and what unpacks it often `train-images.idx3-ubyte`.
        let name = name.strip_suffix(".gz").unwrap_or(&name).replace('.', "-");
        if !wanted.contains(&name) {
            continue;
        }
        let shown = path.display().to_string();
        let read = read_file(path).and_then(|bytes| {
            parse_idx(&shown, &bytes, rank)?;
            Ok(bytes)
        });
        match read {
            Ok(bytes) => return Ok((shown, bytes)),
            Err(error) => problem = problem.or(Some(error)),
        }
    }
    Err(problem.unwrap_or_else(|| Error::Format {
        file: folder.display().to_string(),
        problem: format!(
            "expected the four IDX files of MNIST, found no {0} and no {0}.gz",
            wanted[0]
        ),
    }))
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

    /// The IDX files of so many pictures of one pixel, and of as many labels.
    fn one_pixel_each(count: u8) -> (Vec<u8>, Vec<u8>) {
        let images = [
            &[0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 1, 0, 0, 0, 1][..],
            &vec![255; count.into()],
        ];
        let labels = [&[0, 0, 8, 1, 0, 0, 0, count][..], &vec![3; count.into()]];
        (images.concat(), labels.concat())
    }

    #[test]
    fn your_own_files_are_opened_however_they_are_named_and_packed() {
        use crate::data::compressed::gzip;
        let ((images, labels), (some, few)) = (one_pixel_each(2), one_pixel_each(1));
        let members = [gzip(&images[..9]), gzip(&images[9..])].concat();
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        for (number, names) in [
            [
                "train-images-idx3-ubyte.gz",
                "train-labels-idx1-ubyte.gz",
                "t10k-images-idx3-ubyte.gz",
                "t10k-labels-idx1-ubyte.gz",
            ],
            [
                "train-images.idx3-ubyte",
                "train-labels.idx1-ubyte",
                "t10k-images.idx3-ubyte",
                "t10k-labels.idx1-ubyte",
            ],
            [
                "MNIST/raw/train-images-idx3-ubyte",
                "MNIST/raw/train-labels-idx1-ubyte",
                "MNIST/raw/t10k-images-idx3-ubyte",
                "MNIST/raw/t10k-labels-idx1-ubyte",
            ],
        ]
        .iter()
        .enumerate()
        {
            // Compressed in two members, not compressed under a name that says so, and compressed under one that does not.
            for (name, bytes) in names.iter().zip([&members, &labels, &gzip(&some), &few]) {
                put(name, bytes);
            }
            let mnist = Mnist::open(folder.path()).unwrap();
            assert_eq!((mnist.train.len(), mnist.test.len()), (2, 1), "{number}");
            assert_eq!(mnist.train.labels.to_vec1::<u32>().unwrap(), [3, 3]);
            names
                .iter()
                .for_each(|name| fs::remove_file(folder.path().join(name)).unwrap());
        }
        let error = Mnist::open(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("found no train-images-idx3-ubyte and no train-images-idx3-ubyte.gz"),
            "{error}"
        );
        // A page instead of the file is named; with the file beside it, that is read.
        put(
            "train-images-idx3-ubyte.gz",
            b"<!DOCTYPE html><title>Log in</title>",
        );
        let error = Mnist::open(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("train-images-idx3-ubyte.gz: expected")
                && error.ends_with("an HTML page"),
            "{error}"
        );
        put("train-images-idx3-ubyte", &images);
        put("train-labels-idx1-ubyte", &labels);
        put("test-images.idx3-ubyte", &some);
        put("test-labels.idx1-ubyte", &few);
        assert_eq!(Mnist::open(folder.path()).unwrap().train.len(), 2);
    }

    #[test]
    fn the_real_data_has_its_known_shape_and_counts() {
        let Some(mirror) = kindling_skip::mirror("mnist/") else {
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path())
            .with_mirror(mirror)
            .without_download();
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
