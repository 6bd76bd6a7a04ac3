//! CIFAR-10: 50,000 + 10,000 small colour photographs of ten kinds of things (Krizhevsky, 2009).

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

use kindling_fetch::{Manifest, Store};

use super::{
    ImageFolder, Pictures, Source,
    compressed::{damaged, open_tar, read_file, tar_files},
    image_folder::is_picture,
    shapes,
};
use crate::{Error, Result};

/// Height and width.
const SIDE: usize = 32;

/// The bytes of a picture: three planes, red, green and blue.
const PIXELS: usize = 3 * SIDE * SIDE;

/// A label and a picture.
const RECORD: usize = 1 + PIXELS;

/// How many pictures the built-in generator draws when the real ones are not to be had.
const BUILTIN: (usize, usize) = (5_000, 1_000);

/// The folders come one class after the other; this order is as good as any.
const ORDER: u64 = 10;

/// The classes in the order of their numbers.
const CLASSES: [&str; 10] = [
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
];

/// Photographs of 32 × 32 pixels in colour: the set on which small convolutional networks are compared.
#[derive(Debug, Clone)]
pub struct Cifar10 {
    /// What the model learns from.
    pub train: Pictures,
    /// What it is judged by.
    pub test: Pictures,
    /// Where the pictures came from.
    pub source: Source,
}

impl Cifar10 {
    /// Finds CIFAR-10 in the cache, the mirror or on the network; where there is none of them, says so and draws shapes.
    ///
    /// The official binary set is preferred; its copy as JPEG files serves where only that is at hand.
    pub fn load() -> Result<Self> {
        match Self::find(&Store::from_env()) {
            Err(Error::Fetch(missing @ kindling_fetch::Error::Unavailable { .. })) => {
                let (train, test) = BUILTIN;
                eprintln!(
                    "{missing}\nUsing built-in pictures instead: {train} + {test} coloured shapes drawn by a program, easier than photographs."
                );
                Self::builtin(train, test, 0)
            }
            outcome => outcome,
        }
    }

    /// The real CIFAR-10 from this store; decoded pictures are kept in its cache.
    pub fn find(store: &Store) -> Result<Self> {
        let manifest = Manifest::builtin()?;
        let sets = [
            (manifest.dataset("cifar10")?, "decoded.safetensors"),
            (manifest.dataset("cifar10-jpeg")?, "decoded.safetensors"),
        ];
        for (set, name) in sets {
            let decoded = store.folder(&set.name).join(name);
            if let Ok(mut parts) = Pictures::load_all(&decoded)
                && let (Some(train), Some(test)) = (parts.remove("train"), parts.remove("test"))
            {
                return Self::from_parts(vec![train, test], Source::Cache);
            }
        }
        // What is on this machine first; only then the network.
        let mut problem = None;
        for fetch in [false, true] {
            for (set, name) in sets {
                let file = &set.files[0];
                let found = match fetch {
                    true => store.read(set, file).map(Some),
                    false => store.look(set, file),
                };
                match found {
                    Ok(Some(found)) => {
                        let parts = match set.name.as_str() {
                            "cifar10" => Self::from_tar(&found.path, found.bytes.as_slice())?,
                            _ => from_folder(&ImageFolder::new(&found.path), &found.path)?,
                        };
                        let decoded = store.folder(&set.name).join(name);
                        // Without a place for it, the next run decodes again.
                        let _ =
                            Pictures::save(&decoded, &[("train", &parts[0]), ("test", &parts[1])]);
                        return Self::from_parts(parts, found.source.into());
                    }
                    Ok(None) => {}
                    Err(error) => problem = problem.or(Some(error)),
                }
            }
        }
        Err(problem.map_or_else(
            || Error::Argument("CIFAR-10: not found".to_owned()),
            Error::Fetch,
        ))
    }

    /// Your own copy: a folder with the official `.bin` files, or one with `train` and `test`, or a tar of either, which gzip may have compressed.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let below = path.join("cifar-10-batches-bin");
        let binary = [&path, &below].into_iter();
        let mut binary = binary.filter(|folder| folder.join("test_batch.bin").is_file());
        let parts = match binary.next() {
            Some(folder) => Self::from_binary(folder)?,
            None if path.is_file() && holds_binary(&path)? => {
                Self::from_tar(&path, open_tar(&path)?)?
            }
            None => {
                let folder = ImageFolder::new(&path);
                from_folder(
                    &folder.cached_in(Store::from_env().folder("pictures")),
                    &path,
                )?
            }
        };
        Self::from_parts(parts, Source::Cache)
    }

    /// Coloured shapes drawn by a program from a seed: same sizes and types, but easier, and as many as you like.
    pub fn builtin(train: usize, test: usize, seed: u64) -> Result<Self> {
        Ok(Self {
            train: shapes::draw(train, seed)?,
            // Two seeds far apart, so that no test picture was in the training set.
            test: shapes::draw(test, !seed)?,
            source: Source::Builtin,
        })
    }

    fn from_parts(parts: Vec<Pictures>, source: Source) -> Result<Self> {
        let [train, test] = <[Pictures; 2]>::try_from(parts)
            .map_err(|_| Error::Argument("CIFAR-10: expected two parts".to_owned()))?;
        Ok(Self {
            train,
            test,
            source,
        })
    }

    /// The official archive.
    fn from_tar(path: &Path, tar: impl Read) -> Result<Vec<Pictures>> {
        let wrong = |error: io::Error| damaged(path, &error);
        let (files, _) = tar_files(tar, |name| name.ends_with(".bin")).map_err(wrong)?;
        Self::from_files(&path.display().to_string(), |name| {
            let mut files = files.iter();
            let found = files.find(|(full, _)| full.rsplit('/').next() == Some(name));
            let missing = || wrong(io::Error::other(format!("{name} is missing")));
            found.map(|(_, bytes)| bytes.clone()).ok_or_else(missing)
        })
    }

    /// The official files, unpacked.
    fn from_binary(folder: &Path) -> Result<Vec<Pictures>> {
        Self::from_files(&folder.display().to_string(), |name| {
            read_file(folder.join(name))
        })
    }

    fn from_files(place: &str, read: impl Fn(&str) -> Result<Vec<u8>>) -> Result<Vec<Pictures>> {
        let mut train = Vec::new();
        for number in 1..=5 {
            train.extend(read(&format!("data_batch_{number}.bin"))?);
        }
        let test = read("test_batch.bin")?;
        Ok(vec![parse(place, &train)?, parse(place, &test)?])
    }
}

/// Whether a tar holds the official files, by the first of its files that tells; the same set for Python is an error.
fn holds_binary(path: &Path) -> Result<bool> {
    let wrong = |error: io::Error| damaged(path, &error);
    let mut tar = tar::Archive::new(open_tar(path)?);
    for entry in tar.entries().map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        let name = entry.path().map_err(wrong)?.to_string_lossy().into_owned();
        let file = name.rsplit('/').next().unwrap_or(&name);
        match file {
            "data_batch_1" | "test_batch" => {
                return Err(Error::Format {
                    file: path.display().to_string(),
                    problem: format!(
                        "expected the binary version of CIFAR-10, found the one for Python with {name}; take cifar-10-binary.tar.gz"
                    ),
                });
            }
            file if file.ends_with("_batch.bin") || file.starts_with("data_batch_") => {
                return Ok(true);
            }
            _ if is_picture(&name) => return Ok(false),
            _ => {}
        }
    }
    Ok(false)
}

/// Records of a label and three planes of pixels, which become `(pictures, 32, 32, 3)`.
fn parse(place: &str, bytes: &[u8]) -> Result<Pictures> {
    let wrong = |problem: String| Error::Format {
        file: place.to_owned(),
        problem,
    };
    if bytes.is_empty() || !bytes.len().is_multiple_of(RECORD) {
        return Err(wrong(format!(
            "expected pictures of {RECORD} bytes, found {} bytes; is a file cut?",
            bytes.len()
        )));
    }
    let mut pixels = Vec::with_capacity(bytes.len());
    let mut labels = Vec::new();
    for record in bytes.chunks_exact(RECORD) {
        let (label, planes) = (record[0], &record[1..]);
        if usize::from(label) >= CLASSES.len() {
            return Err(wrong(format!("expected labels from 0 to 9, found {label}")));
        }
        labels.push(u32::from(label));
        let plane = SIDE * SIDE;
        for pixel in 0..plane {
            pixels.extend([
                planes[pixel],
                planes[plane + pixel],
                planes[2 * plane + pixel],
            ]);
        }
    }
    let classes = CLASSES.map(str::to_owned).to_vec();
    Pictures::new(pixels, labels, (SIDE, SIDE, 3), classes)
}

/// Class-named pictures, in the parts `train` and `test`.
fn from_folder(folder: &ImageFolder, path: &Path) -> Result<Vec<Pictures>> {
    let mut parts = folder.read()?;
    let found: Vec<String> = parts.keys().cloned().collect();
    let mut part = |name: &str| {
        let pictures = parts.remove(name).map(|pictures| pictures.shuffled(ORDER));
        pictures.ok_or_else(|| Error::Format {
            file: path.display().to_string(),
            problem: format!("expected folders train/<class> and test/<class>, found {found:?}"),
        })
    };
    Ok(vec![part("train")?, part("test")?])
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::data::compressed::gzip;

    /// Two records: all red 10 and green 20 and blue 30, then 1, 2, 3.
    fn records(labels: [u8; 2]) -> Vec<u8> {
        let record = |label: u8, colour: [u8; 3]| {
            let planes = colour.into_iter().flat_map(|c| [c; SIDE * SIDE]);
            std::iter::once(label).chain(planes).collect::<Vec<u8>>()
        };
        [
            record(labels[0], [10, 20, 30]),
            record(labels[1], [1, 2, 3]),
        ]
        .concat()
    }

    #[test]
    fn planes_become_pixels() {
        let pictures = parse("test", &records([3, 9])).unwrap();
        assert_eq!(pictures.picture(0)[..6], [10, 20, 30, 10, 20, 30]);
        assert_eq!(pictures.picture(1)[PIXELS - 3..], [1, 2, 3]);
        assert_eq!(pictures.class(0), Some("cat"));
    }

    #[test]
    fn damaged_files_are_refused() {
        let error = parse("here", &records([0, 1])[1..])
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("here: expected pictures of 3073 bytes"),
            "{error}"
        );
        assert!(parse("here", &[]).is_err());
        let error = parse("here", &records([0, 10])).unwrap_err().to_string();
        assert!(error.contains("found 10"), "{error}");
    }

    #[test]
    fn the_official_files_are_opened_where_they_lie() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("cifar-10-batches-bin");
        fs::create_dir(&below).unwrap();
        for number in 1..=5 {
            fs::write(
                below.join(format!("data_batch_{number}.bin")),
                records([number, 0]),
            )
            .unwrap();
        }
        fs::write(below.join("test_batch.bin"), records([7, 8])).unwrap();
        for path in [folder.path(), &below] {
            let cifar = Cifar10::open(path).unwrap();
            assert_eq!(cifar.train.labels(), [1, 0, 2, 0, 3, 0, 4, 0, 5, 0]);
            assert_eq!(cifar.test.labels(), [7, 8]);
        }
        fs::remove_file(below.join("data_batch_3.bin")).unwrap();
        let error = Cifar10::open(&below).unwrap_err().to_string();
        assert!(error.contains("data_batch_3.bin"), "{error}");
    }

    #[test]
    fn the_official_archive_is_opened_as_it_was_published() {
        let mut tar = tar::Builder::new(Vec::new());
        let mut add = |name: &str, bytes: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            tar.append_data(&mut header, format!("cifar-10-batches-bin/{name}"), bytes)
                .unwrap();
        };
        add("batches.meta.txt", b"airplane\n");
        for number in 1..=5 {
            add(&format!("data_batch_{number}.bin"), &records([number, 0]));
        }
        add("test_batch.bin", &records([7, 8]));
        let tar = tar.into_inner().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cifar-10-binary.tar.gz");
        for bytes in [
            gzip(&tar),
            tar.clone(),
            [gzip(&tar[..5_000]), gzip(&tar[5_000..])].concat(),
        ] {
            fs::write(&path, bytes).unwrap();
            let cifar = Cifar10::open(&path).unwrap();
            assert_eq!(cifar.train.labels(), [1, 0, 2, 0, 3, 0, 4, 0, 5, 0]);
            assert_eq!(cifar.test.labels(), [7, 8]);
        }
        let mut python = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(0);
        python
            .append_data(&mut header, "cifar-10-batches-py/data_batch_1", &b""[..])
            .unwrap();
        let packed = gzip(&tar);
        for (bytes, expected) in [
            (
                gzip(&python.into_inner().unwrap()),
                "found the one for Python",
            ),
            (packed[..packed.len() / 2].to_vec(), "damaged"),
            (b"<!DOCTYPE html>".to_vec(), "found an HTML page"),
        ] {
            fs::write(&path, bytes).unwrap();
            let error = Cifar10::open(&path).unwrap_err().to_string();
            assert!(
                error.contains("cifar-10-binary.tar.gz: ") && error.contains(expected),
                "{error}"
            );
        }
    }

    #[test]
    fn the_real_set_has_its_known_counts_and_is_cached() {
        let Some(mirror) = kindling_skip::mirror("cifar10-jpeg/") else {
            return;
        };
        let cache = tempfile::tempdir().unwrap();
        let store = Store::at(cache.path())
            .with_mirror(mirror)
            .without_download();
        let cifar = Cifar10::find(&store).unwrap();
        assert_eq!((cifar.train.len(), cifar.test.len()), (50_000, 10_000));
        assert_eq!(cifar.train.classes(), CLASSES);
        for class in 0..10 {
            let count = cifar.test.labels().iter().filter(|label| **label == class);
            assert_eq!(count.count(), 1_000);
        }
        let again = Cifar10::find(&store).unwrap();
        assert_eq!(
            (cifar.source, again.source),
            (Source::Mirror, Source::Cache)
        );
        assert_eq!(cifar.test.picture(9_999), again.test.picture(9_999));
    }

    #[test]
    fn nothing_at_all_is_one_clear_error() {
        let cache = tempfile::tempdir().unwrap();
        let error = Cifar10::find(&Store::at(cache.path()).without_download()).unwrap_err();
        assert!(error.to_string().contains("data fetch cifar10"), "{error}");
    }
}
