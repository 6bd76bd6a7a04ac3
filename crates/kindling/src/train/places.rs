//! Where runs are kept, and where weights are found.

use std::{
    env,
    path::{Path, PathBuf},
};

use crate::{Error, Result};

/// How many seeds are looked through for weights that were trained on this machine.
const SEEDS: u64 = 16;

/// The repository: the folder that the variable `KINDLING_REPOSITORY` names, else the nearest one upwards that holds the book, else this one.
#[must_use]
pub fn repository() -> PathBuf {
    let here = env::current_dir().unwrap_or_default();
    let named = env::var_os("KINDLING_REPOSITORY").map(PathBuf::from);
    let above = || {
        let found = here.ancestors();
        let mut found = found.filter(|folder| folder.join("book/book.toml").is_file());
        found.next().map(Path::to_owned)
    };
    named.or_else(above).unwrap_or(here)
}

/// The folder of a model's runs, unless `--out` names another.
#[must_use]
pub fn runs(model: &str) -> PathBuf {
    repository().join(".kindling/runs").join(model)
}

/// The weights of one run.
#[must_use]
pub fn weights(runs: &Path, seed: u64) -> PathBuf {
    runs.join(format!("seed-{seed}.safetensors"))
}

/// Where the tokenizer of these weights is kept, if they have one.
#[must_use]
pub fn tokenizer_beside(weights: &Path) -> PathBuf {
    weights.with_extension("tokenizer")
}

/// The weights to use: the given file, else those trained here with the lowest seed, else those that ship with the course.
///
/// Fails when the given file is not there, or none is found.
pub fn find_weights(model: &str, given: Option<PathBuf>) -> Result<PathBuf> {
    if let Some(file) = given {
        return match file.is_file() {
            true => Ok(file),
            false => Err(Error::Argument(format!(
                "{}: there is no such file of weights",
                file.display()
            ))),
        };
    }
    let runs = runs(model);
    let trained = (0..SEEDS).map(|seed| weights(&runs, seed));
    let shipped = repository().join(format!("data/weights/{model}.safetensors"));
    let mut places = trained.chain([shipped]);
    places.find(|file| file.is_file()).ok_or_else(|| {
        Error::Argument(format!(
            "there are no weights of {model} yet; train them with `cargo course train {model}`, or name a file of weights"
        ))
    })
}
