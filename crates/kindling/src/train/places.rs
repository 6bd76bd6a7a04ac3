//! Where runs are kept, and where weights are found.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};

/// The repository: the folder that `course` names, else the nearest one upwards that holds the book, else this one.
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
pub fn runs(model: &str) -> PathBuf {
    repository().join(".kindling/runs").join(model)
}

/// The weights of one run.
pub fn weights(runs: &Path, seed: u64) -> PathBuf {
    runs.join(format!("seed-{seed}.safetensors"))
}

/// The weights to use: the given file, else those trained here with the lowest seed, else those that ship.
pub fn find_weights(model: &str, given: Option<PathBuf>) -> Result<PathBuf> {
    if let Some(file) = given {
        if !file.is_file() {
            bail!("{}: there is no such file of weights", file.display());
        }
        return Ok(file);
    }
    let runs = runs(model);
    let trained = (0..16).map(|seed| weights(&runs, seed));
    let shipped = repository().join(format!("data/weights/{model}.safetensors"));
    let mut places = trained.chain([shipped]);
    let Some(found) = places.find(|file| file.is_file()) else {
        bail!(
            "there are no weights of {model} yet; train them with `cargo course train {model}`, or name a file with --weights"
        );
    };
    Ok(found)
}
