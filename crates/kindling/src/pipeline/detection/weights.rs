//! A detector in a file, with what it needs beside its weights.

use std::path::Path;

use serde::de::DeserializeOwned;

use super::{Counting, DetectionPipeline};
use crate::{
    Error, Result,
    models::DetectorArchitecture,
    train::{load_weights, read_details, save_weights},
};

/// What the file calls the architecture with its sizes, the names of the classes, and what counting has learned.
const SIZES: &str = "sizes";
const CLASSES: &str = "classes";
const COUNTING: &str = "counting";

impl DetectionPipeline {
    /// The weights in this file, as `cargo course train` and [`DetectionPipeline::save`] write them.
    ///
    /// Fails when the file is missing or damaged, and when it holds weights of anything but a detector.
    pub fn open(weights: impl AsRef<Path>) -> Result<Self> {
        let file = weights.as_ref();
        let details = read_details(file)?;
        let (Some(sizes), Some(classes)) = (details.get(SIZES), details.get(CLASSES)) else {
            let of = details.get("recipe").or(details.get("model"));
            return Err(Error::Format {
                file: file.display().to_string(),
                problem: format!(
                    "expected weights that `cargo course train detect-one-stage` or a like command made, found those of {}",
                    of.map_or("something else", String::as_str)
                ),
            });
        };
        let architecture: DetectorArchitecture = parsed(file, SIZES, sizes)?;
        let detector = Self::new(architecture, parsed(file, CLASSES, classes)?, 0)?;
        load_weights(detector.network(), file)?;
        match details.get(COUNTING) {
            Some(counting) => detector.counting(parsed::<Counting>(file, COUNTING, counting)?),
            None => Ok(detector),
        }
    }

    /// Writes the weights to a file that [`DetectionPipeline::open`] reads, with more words about them, such as the score.
    pub fn save(&self, path: impl AsRef<Path>, details: &[(&str, &str)]) -> Result<()> {
        let wrong = |error: serde_json::Error| Error::Argument(error.to_string());
        let sizes = serde_json::to_string(&self.architecture).map_err(wrong)?;
        let classes = serde_json::to_string(&self.classes).map_err(wrong)?;
        let counting = self.counting.as_ref().map(serde_json::to_string);
        let counting = counting.transpose().map_err(wrong)?;
        let mut all = details.to_vec();
        all.extend([(SIZES, sizes.as_str()), (CLASSES, classes.as_str())]);
        all.extend(counting.as_deref().map(|words| (COUNTING, words)));
        save_weights(self.network(), path, &all)
    }
}

fn parsed<T: DeserializeOwned>(file: &Path, what: &str, words: &str) -> Result<T> {
    serde_json::from_str(words).map_err(|error| Error::Format {
        file: file.display().to_string(),
        problem: format!("its {what} cannot be read: {error}"),
    })
}
