//! A model's folder, and errors that name the file in it.

use std::{
    collections::HashMap,
    fmt::Display,
    fs,
    path::{Path, PathBuf},
};

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use kindling::{Error, Result, data::parse_text};
use serde::de::DeserializeOwned;
use tokenizers::{Tokenizer, TruncationParams};

pub(crate) const CONFIG: &str = "config.json";
pub(crate) const TOKENIZER: &str = "tokenizer.json";
pub(crate) const WEIGHTS: &str = "model.safetensors";

/// What every model has.
pub(crate) const REQUIRED: [&str; 3] = [CONFIG, TOKENIZER, WEIGHTS];

/// A folder that has a model's files.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Fails unless all required files are there.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let problem = |problem: String| Error::Format {
            file: path.display().to_string(),
            problem,
        };
        if !path.is_dir() {
            return Err(problem("there is no such folder".to_owned()));
        }
        let mut missing = REQUIRED.iter().filter(|file| !path.join(file).is_file());
        match missing.next() {
            Some(file) => Err(problem(format!(
                "expected a model's {}, as on the Hugging Face hub; found no {file}",
                REQUIRED.join(", ")
            ))),
            None => Ok(Self {
                path: path.to_owned(),
            }),
        }
    }

    /// What is wrong with one of its files.
    pub(crate) fn problem(&self, file: &str, problem: impl Display) -> Error {
        Error::Format {
            file: self.path.join(file).display().to_string(),
            problem: problem.to_string(),
        }
    }

    /// Reads a file of settings.
    pub(crate) fn json<T: DeserializeOwned>(&self, file: &str) -> Result<T> {
        serde_json::from_str(&self.text(file)?).map_err(|error| self.problem(file, error))
    }

    /// A file's text, without the byte order mark that some editors put before it.
    fn text(&self, file: &str) -> Result<String> {
        let path = self.path.join(file).display().to_string();
        match fs::read(&path) {
            Ok(bytes) => parse_text(&path, &bytes),
            Err(source) => Err(Error::File { path, source }),
        }
    }

    /// Reads a file of settings that a model may lack.
    pub(crate) fn optional<T: DeserializeOwned>(&self, file: &str) -> Result<Option<T>> {
        let exists = self.path.join(file).is_file();
        exists.then(|| self.json(file)).transpose()
    }

    /// `config.json`, if it is of one of these types of models.
    pub(crate) fn config<T: DeserializeOwned>(&self, model_types: &[&str]) -> Result<T> {
        let config: serde_json::Value = self.json(CONFIG)?;
        let found = &config["model_type"];
        if !model_types.iter().any(|model_type| found == model_type) {
            let expected = model_types.join("\" or \"");
            let problem = format!("expected the model_type \"{expected}\", found {found}");
            return Err(self.problem(CONFIG, problem));
        }
        serde_json::from_value(config).map_err(|error| self.problem(CONFIG, error))
    }

    /// The tokenizer, which cuts at `max_length` tokens if one is given and fills nothing up.
    pub(crate) fn tokenizer(
        &self,
        vocabulary: usize,
        max_length: Option<usize>,
    ) -> Result<Tokenizer> {
        let mut tokenizer = Tokenizer::from_bytes(self.text(TOKENIZER)?)
            .map_err(|error| self.problem(TOKENIZER, error))?;
        let known = tokenizer.get_vocab(true).into_values().max();
        let known = known.map_or(0, |id| id as usize + 1);
        if known > vocabulary {
            return Err(self.problem(
                TOKENIZER,
                format!("expected at most the {vocabulary} tokens of {CONFIG}, found {known}"),
            ));
        }
        let truncation = max_length.map(|max_length| TruncationParams {
            max_length,
            ..TruncationParams::default()
        });
        tokenizer
            .with_padding(None)
            .with_truncation(truncation)
            .map_err(|error| self.problem(TOKENIZER, error))?;
        Ok(tokenizer)
    }

    /// The weights by name, as `f32`.
    pub(crate) fn tensors(&self) -> Result<HashMap<String, Tensor>> {
        let file = self.path.join(WEIGHTS);
        candle_core::safetensors::load(file, &Device::Cpu).map_err(|error| {
            let problem = format!("damaged, or not a safetensors file: {}", first_line(&error));
            self.problem(WEIGHTS, problem)
        })
    }

    /// Builds a model from weights; what does not fit is blamed on their file.
    pub(crate) fn build<T>(
        &self,
        tensors: HashMap<String, Tensor>,
        model: impl FnOnce(VarBuilder) -> candle_core::Result<T>,
    ) -> Result<T> {
        let weights = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        model(weights).map_err(|error| {
            let problem = format!(
                "not the weights of the model that {CONFIG} describes: {}",
                first_line(&error)
            );
            self.problem(WEIGHTS, problem)
        })
    }
}

/// What Candle says, without the places in its code that it adds where `RUST_BACKTRACE` is set.
pub(crate) fn first_line(error: &candle_core::Error) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().to_owned()
}
