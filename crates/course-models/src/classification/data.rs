//! The pictures that a recipe learns from, and by which its model is judged.

use anyhow::{Context, Result, bail};
use kindling::data::{Cifar10, Examples, Mnist, Pictures, Source};

use crate::{
    licence::{BUILTIN, OWN_PICTURES},
    options::DataOptions,
};

/// Which pictures a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Handwritten digits: MNIST.
    Digits,
    /// Colour photographs of ten kinds of things: CIFAR-10.
    Photographs,
}

impl Subject {
    /// What the classes are called.
    fn digits() -> Vec<String> {
        (0..10).map(|digit| digit.to_string()).collect()
    }
}

/// Three sets for three decisions.
#[derive(Debug)]
pub struct Data {
    pub training: Pictures,
    pub validation: Examples,
    pub test: Examples,
    /// What they are called in logs and weights.
    pub name: String,
    /// Where they came from this time.
    pub source: String,
    /// Under what a model trained on them may be used.
    pub licence: &'static str,
}

/// Pictures as they were found.
struct Found {
    train: Pictures,
    test: Pictures,
    name: String,
    source: String,
    licence: &'static str,
}

impl Data {
    /// Finds the pictures; this share of the training pictures is kept aside for validation.
    pub fn load(subject: Subject, validation: f64, args: &DataOptions) -> Result<Self> {
        args.check()?;
        let found = match subject {
            Subject::Digits => digits(args)?,
            Subject::Photographs => photographs(args)?,
        };
        let (training, validation) = found.train.split(validation)?;
        let limited = |pictures: Pictures| -> Result<Pictures> {
            let count = args.most().min(pictures.len());
            Ok(pictures.subset(0..count)?)
        };
        Ok(Self {
            training: limited(training)?,
            validation: limited(validation)?.examples()?,
            test: limited(found.test)?.examples()?,
            name: found.name,
            source: found.source,
            licence: found.licence,
        })
    }
}

fn photographs(args: &DataOptions) -> Result<Found> {
    let (cifar, name) = match &args.data {
        Some(path) if !path.exists() => {
            bail!("--data {}: there is no such folder or file", path.display())
        }
        Some(path) => {
            let opened = Cifar10::open(path);
            let cifar = opened.with_context(|| format!("--data {}", path.display()))?;
            (cifar, Some(path.display().to_string()))
        }
        None if args.builtin => (Cifar10::builtin(6_000, 1_000, 0)?, None),
        None => (Cifar10::load()?, None),
    };
    let classes = cifar.train.classes().len();
    if classes != 10 {
        bail!("--data: expected 10 classes, as the model has, found {classes}");
    }
    let own = name.clone();
    Ok(Found {
        licence: match (&name, cifar.source) {
            (Some(_), _) => OWN_PICTURES,
            (None, Source::Builtin) => BUILTIN,
            (None, _) => "for research, as CIFAR-10; cite Krizhevsky (2009)",
        },
        name: name.unwrap_or_else(|| {
            let known = match cifar.source {
                Source::Builtin => "built-in shapes",
                _ => "CIFAR-10",
            };
            known.to_owned()
        }),
        source: own.unwrap_or_else(|| format!("the {}", cifar.source)),
        train: cifar.train,
        test: cifar.test,
    })
}

fn digits(args: &DataOptions) -> Result<Found> {
    let pictures = |examples: &Examples| Pictures::from_examples(examples, Subject::digits());
    if let Some(folder) = &args.data {
        let name = folder.display().to_string();
        if !folder.is_dir() {
            let found = match folder.exists() {
                true => "a file",
                false => "no such folder",
            };
            bail!(
                "--data {name}: expected a folder with the four IDX files of MNIST, found {found}"
            );
        }
        let mnist = Mnist::open(folder).context("--data")?;
        return Ok(Found {
            train: pictures(&mnist.train)?,
            test: pictures(&mnist.test)?,
            source: name.clone(),
            name,
            licence: OWN_PICTURES,
        });
    }
    let mnist = if args.builtin {
        Mnist::builtin(6_000, 1_000, 0)?
    } else {
        Mnist::load()?
    };
    let (name, licence) = match mnist.source {
        Source::Builtin => ("built-in digits", BUILTIN),
        _ => ("MNIST", "CC BY-SA 3.0, as MNIST"),
    };
    Ok(Found {
        train: pictures(&mnist.train)?,
        test: pictures(&mnist.test)?,
        name: name.to_owned(),
        source: format!("the {}", mnist.source),
        licence,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> DataOptions {
        DataOptions {
            data: None,
            builtin: true,
            limit: Some(50),
        }
    }

    #[test]
    fn built_in_pictures_serve_each_subject() {
        for (subject, shape) in [
            (Subject::Digits, (28, 28, 1)),
            (Subject::Photographs, (32, 32, 3)),
        ] {
            let data = Data::load(subject, 1.0 / 12.0, &args()).unwrap();
            assert_eq!(data.training.shape(), shape);
            let sizes = (data.training.len(), data.validation.len(), data.test.len());
            assert_eq!(sizes, (50, 50, 50));
        }
    }

    #[test]
    fn a_folder_that_is_missing_or_wrong_is_named() {
        let empty = tempfile::tempdir().unwrap();
        for subject in [Subject::Digits, Subject::Photographs] {
            for folder in [empty.path().to_owned(), empty.path().join("nowhere")] {
                let named = folder.display().to_string();
                let args = DataOptions {
                    data: Some(folder),
                    builtin: false,
                    ..args()
                };
                let problem = format!("{:#}", Data::load(subject, 1.0 / 12.0, &args).unwrap_err());
                assert!(problem.contains(&named), "{problem}");
            }
        }
    }

    #[test]
    fn somebody_s_digits_are_read_under_any_of_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let idx = |kind: u8, sizes: &[u8], bytes: &[u8]| {
            let sizes = sizes.iter().flat_map(|size| [0, 0, 0, *size]);
            [0, 0, 8, kind]
                .into_iter()
                .chain(sizes)
                .chain(bytes.iter().copied())
                .collect::<Vec<u8>>()
        };
        for part in ["train", "t10k"] {
            let images = idx(3, &[4, 28, 28], &[9; 4 * 28 * 28]);
            std::fs::write(
                folder.path().join(format!("{part}-images.idx3-ubyte")),
                images,
            )
            .unwrap();
            let labels = idx(1, &[4], &[1, 2, 3, 4]);
            std::fs::write(
                folder.path().join(format!("{part}-labels-idx1-ubyte.gz")),
                labels,
            )
            .unwrap();
        }
        let args = DataOptions {
            data: Some(folder.path().to_owned()),
            builtin: false,
            limit: None,
        };
        let data = Data::load(Subject::Digits, 0.25, &args).unwrap();
        assert_eq!(
            (data.training.len(), data.validation.len(), data.test.len()),
            (3, 1, 4)
        );
    }
}
