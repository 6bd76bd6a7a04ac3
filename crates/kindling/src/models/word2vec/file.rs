//! Vectors on the disk: in a file of this crate's own kind, and in the text format that other programs read.

use std::{fmt::Write as _, path::Path};

use candle_core::DType;

use super::Word2Vec;
use crate::{
    Error, Result,
    tensor_file::{TensorFile, write_whole},
};

/// The name of the table in the file, and of the kind of model in its metadata.
const EMBEDDINGS: &str = "embeddings";
const MODEL: (&str, &str) = ("model", "word2vec");

impl Word2Vec {
    /// Writes words and vectors to a safetensors file.
    ///
    /// ```
    /// use candle_core::{Device, Tensor};
    /// use kindling::models::Word2Vec;
    /// let rows = Tensor::new(&[[1_f32, 0.0], [0.6, 0.8]], &Device::Cpu)?; // (2 words, 2 features)
    /// let vectors = Word2Vec::new(vec!["sun".to_owned(), "moon".to_owned()], rows)?;
    /// let file = std::env::temp_dir().join("kindling-vectors.safetensors");
    /// vectors.save(&file)?;
    /// assert_eq!(Word2Vec::load(&file)?.nearest("sun", 1)?[0].0, "moon");
    /// # std::fs::remove_file(file).ok();
    /// # Ok::<(), kindling::Error>(())
    /// ```
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_with(path, &[])
    }

    /// The same, with words about the vectors, such as the command that made them, for [`read_details`](crate::train::read_details).
    pub fn save_with(&self, path: impl AsRef<Path>, details: &[(&str, &str)]) -> Result<()> {
        let words = serde_json::to_string(&self.words);
        let words = words.map_err(|error| Error::Argument(format!("words: {error}")))?;
        let (key, name) = MODEL;
        let file = TensorFile {
            tensors: [(EMBEDDINGS.to_owned(), self.embeddings.contiguous()?)].into(),
            metadata: details
                .iter()
                .copied()
                .chain([(key, name), ("words", &words)])
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
        };
        file.write(path.as_ref())
    }

    /// Reads what [`Word2Vec::save`] wrote. A file of something else is one error that says so.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let mut file = TensorFile::read(path)?;
        let wrong = |problem: String| Error::Format {
            file: path.display().to_string(),
            problem: format!("{problem}; give a file of word vectors"),
        };
        let (key, name) = MODEL;
        if let Some(other) = file.metadata.get(key).filter(|other| *other != name) {
            return Err(wrong(format!("weights of `{other}`, expected `{name}`")));
        }
        let words = file.metadata.get("words");
        let words = words.ok_or_else(|| wrong("there are no words in its metadata".to_owned()))?;
        let words: Vec<String> =
            serde_json::from_str(words).map_err(|error| wrong(format!("its words: {error}")))?;
        let embeddings = file.tensors.remove(EMBEDDINGS);
        let embeddings =
            embeddings.ok_or_else(|| wrong(format!("there is no tensor `{EMBEDDINGS}`")))?;
        Self::new(words, embeddings).map_err(|error| wrong(error.to_string()))
    }

    /// Writes the text format of the original program: a line `words features`, then a line for each word, itself
    /// and its numbers; the file is written whole or not at all. Fails on a word with white space inside, which the format cannot hold.
    pub fn export_text(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let bad = self
            .words
            .iter()
            .find(|word| word.is_empty() || word.contains(char::is_whitespace));
        if let Some(word) = bad {
            return Err(Error::Argument(format!(
                "the text format has a word up to the first space: expected words without white space, found {word:?}"
            )));
        }
        let rows = self.embeddings.to_dtype(DType::F32)?.to_vec2::<f32>()?;
        let mut text = format!("{} {}\n", rows.len(), self.embeddings.dim(1)?);
        for (word, row) in self.words.iter().zip(&rows) {
            text.push_str(word);
            for number in row {
                // As many digits as bring the same number back.
                let _ = write!(text, " {number}");
            }
            text.push('\n');
        }
        write_whole(path, text.as_bytes())
    }
}
