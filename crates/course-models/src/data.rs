//! The pictures that a recipe learns from, and by which its model is judged.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use flate2::read::GzDecoder;
use kindling::data::{BatchIterator, Batches, Examples, Loader, Mnist, Source};

/// Which pictures a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pictures {
    /// Handwritten digits: MNIST.
    Digits,
}

impl Pictures {
    /// What the classes are called.
    pub fn classes(self) -> &'static [&'static str] {
        match self {
            Self::Digits => &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
        }
    }
}

/// Where pictures come from, and how many.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub struct Args {
    /// A folder with the data, instead of the course's own: for digits the four IDX files of MNIST
    #[arg(long, value_name = "FOLDER", conflicts_with = "builtin")]
    pub data: Option<PathBuf>,

    /// Pictures drawn by a program, which need no download: 6,000 + 1,000
    #[arg(long)]
    pub builtin: bool,

    /// Use only so many training pictures, and at most as many for each measurement
    #[arg(long, value_name = "NUMBER")]
    pub limit: Option<usize>,
}

/// Three sets for three decisions.
#[derive(Debug)]
pub struct Data {
    pub training: Examples,
    pub validation: Examples,
    pub test: Examples,
    /// What they are called in logs and weights.
    pub name: String,
    /// Where they came from this time.
    pub source: String,
}

impl Data {
    /// Finds the pictures; one training picture in twelve is kept aside for validation.
    pub fn load(pictures: Pictures, args: &Args) -> Result<Self> {
        if args.limit == Some(0) {
            bail!("--limit: expected at least 1, found 0");
        }
        let (train, test, name, source) = match pictures {
            Pictures::Digits => digits(args)?,
        };
        let split = train.len() * 11 / 12;
        let limited = |examples: Examples| -> Result<Examples> {
            let count = args.limit.unwrap_or(usize::MAX).min(examples.len());
            Ok(examples.subset(0..count)?)
        };
        Ok(Self {
            training: limited(train.subset(0..split)?)?,
            validation: limited(train.subset(split..train.len())?)?,
            test: limited(test)?,
            name,
            source,
        })
    }
}

fn digits(args: &Args) -> Result<(Examples, Examples, String, String)> {
    if let Some(folder) = &args.data {
        let read = |part: &str| -> Result<Examples> {
            let images = idx(folder, &format!("{part}-images-idx3-ubyte"))?;
            let labels = idx(folder, &format!("{part}-labels-idx1-ubyte"))?;
            Mnist::examples(&images, &labels)
                .with_context(|| format!("{part} files in {}", folder.display()))
        };
        let name = folder.display().to_string();
        return Ok((read("train")?, read("t10k")?, name.clone(), name));
    }
    let mnist = if args.builtin {
        Mnist::builtin(6_000, 1_000, 0)?
    } else {
        Mnist::load()?
    };
    let name = match mnist.source {
        Source::Builtin => "built-in digits",
        _ => "MNIST",
    };
    let source = format!("the {}", mnist.source);
    Ok((mnist.train, mnist.test, name.to_owned(), source))
}

/// The bytes of an IDX file of the folder, compressed or not.
fn idx(folder: &Path, name: &str) -> Result<Vec<u8>> {
    if !folder.is_dir() {
        bail!("--data {}: there is no such folder", folder.display());
    }
    let compressed = folder.join(format!("{name}.gz"));
    let mut bytes = Vec::new();
    if let Ok(file) = File::open(&compressed) {
        let read = GzDecoder::new(file).read_to_end(&mut bytes);
        read.with_context(|| format!("{}: damaged", compressed.display()))?;
        return Ok(bytes);
    }
    let plain = folder.join(name);
    fs::read(&plain).with_context(|| {
        format!(
            "--data {}: expected the four IDX files of MNIST, found no {name}.gz and no {name}",
            folder.display()
        )
    })
}

/// Examples in memory, in an order of their own in each epoch.
pub struct Shuffled {
    examples: Examples,
    batch_size: usize,
    seed: u64,
}

impl Shuffled {
    /// `batch_size` examples at a time; the seed decides the orders.
    pub fn new(examples: &Examples, batch_size: usize, seed: u64) -> Self {
        Self {
            examples: examples.clone(),
            batch_size: batch_size.max(1),
            seed,
        }
    }
}

impl Loader for Shuffled {
    fn steps(&self) -> usize {
        self.examples.len().div_ceil(self.batch_size)
    }

    fn examples(&self) -> usize {
        self.examples.len()
    }

    fn batches(&self, epoch: usize, skip: usize) -> kindling::Result<BatchIterator<'_>> {
        let seed = self.seed.wrapping_add(epoch as u64);
        let batches = Batches::new(&self.examples, self.batch_size, seed)?;
        Ok(Box::new(batches.skip(skip)))
    }
}
