//! The log of a run: one line of JSON for each epoch.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use super::Epoch;
use crate::{Result, tensor_file::failed};

/// A file that tables are made from.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    /// What is the same in each line.
    constants: Map<String, Value>,
}

impl Log {
    /// Starts the file with the epochs that are behind already, none in a new run.
    pub(super) fn start(
        path: &Path,
        constants: Map<String, Value>,
        behind: &[Epoch],
    ) -> Result<Self> {
        let path = path.to_owned();
        let log = Self { path, constants };
        if let Some(folder) = log.path.parent() {
            fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
        }
        // Written anew: what was logged after the last checkpoint will happen again.
        let lines = (1..).zip(behind);
        let lines: String = lines
            .map(|(number, epoch)| log.line(number, epoch))
            .collect();
        fs::write(&log.path, lines).map_err(|error| failed(&log.path, error))?;
        Ok(log)
    }

    /// Appends an epoch.
    pub(super) fn append(&self, number: usize, epoch: &Epoch) -> Result<()> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.path);
        file.and_then(|mut file| file.write_all(self.line(number, epoch).as_bytes()))
            .map_err(|error| failed(&self.path, error))
    }

    fn line(&self, number: usize, epoch: &Epoch) -> String {
        let mut line = self.constants.clone();
        line.insert("epoch".to_owned(), number.into());
        let numbers = [
            ("seconds", epoch.seconds),
            ("learning_rate", epoch.learning_rate),
            ("loss", epoch.loss),
            ("accuracy", epoch.accuracy),
            ("validation_loss", epoch.validation_loss),
            ("validation_accuracy", epoch.validation_accuracy),
        ];
        for (name, number) in numbers {
            line.insert(name.to_owned(), number.into()); // what is no number becomes null
        }
        format!("{}\n", Value::Object(line))
    }
}
