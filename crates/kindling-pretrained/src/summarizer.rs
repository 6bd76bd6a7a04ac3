//! Any summariser by its name.

use std::path::PathBuf;

use candle_core::Tensor;
use kindling::{
    Result,
    pipeline::{Abstractive, Extractive, SentenceVectors, Summarizer},
};

use crate::{Embedder, Pretrained, hub};

/// The model whose vectors [`summarizer`] compares sentences by, if it is at hand.
pub const SENTENCE_MODEL: &str = "sentence-transformers/all-MiniLM-L6-v2";

/// The variable that names its folder.
pub const SENTENCE_MODEL_FOLDER: &str = "KINDLING_MINILM";

/// The name of the engine that has weights of the course.
const ABSTRACTIVE: &str = "abstractive";

impl SentenceVectors for Embedder {
    fn name(&self) -> String {
        Self::name(self).to_owned()
    }

    fn vectors(&self, sentences: &[&str]) -> Result<Tensor> {
        self.embed(sentences)
    }
}

/// The engine of this name: `extractive`, `lead` and `abstractive` as in [`kindling::pipeline`], `tf-idf`, the file of weights of an
/// abstractive one, or a T5 by its folder or its name on the hub.
///
/// `extractive` compares sentences by a pretrained model's vectors where [`sentence_model`] finds one, and by their words elsewhere; its
/// name says which. `tf-idf` is the second kind for sure.
///
/// ```
/// let summarizer = kindling_pretrained::summarizer("tf-idf")?;
/// assert_eq!(summarizer.engine(), "extractive (TF-IDF)");
/// let text = "The river rose during the night. By morning the river stood in the cellars. The cellars were dry by noon.";
/// assert_eq!(summarizer.summarize(text, 5..9)?, "By morning the river stood in the cellars.");
/// # Ok::<(), kindling::Error>(())
/// ```
pub fn summarizer(engine: &str) -> Result<Summarizer> {
    match engine {
        "tf-idf" => Ok(Summarizer::new(Extractive::new())),
        "extractive" => Ok(Summarizer::new(match sentence_model() {
            Some(folder) => Extractive::with(Embedder::open(folder)?.named("all-MiniLM-L6-v2")),
            None => Extractive::new(),
        })),
        "lead" => kindling::pipeline::summarizer(engine),
        name if is_abstractive(name) => Ok(Summarizer::new(abstractive(name)?)),
        model => {
            let pretrained = Pretrained::open(hub::find(model)?)?;
            Ok(Summarizer::new(pretrained.named(model)))
        }
    }
}

/// Whether an engine of this name is one with weights of the course: `abstractive`, or a file of them.
#[must_use]
pub fn is_abstractive(name: &str) -> bool {
    name == ABSTRACTIVE || name.ends_with(".safetensors")
}

/// The engine with the course's weights, or with those in the file of this name.
pub fn abstractive(name: &str) -> Result<Abstractive> {
    match name {
        ABSTRACTIVE => Abstractive::find(),
        file => Abstractive::open(file),
    }
}

/// The folder of [`SENTENCE_MODEL`], if it is on this machine: the one that [`SENTENCE_MODEL_FOLDER`] names, else the hub's cache.
#[must_use]
pub fn sentence_model() -> Option<PathBuf> {
    let named = std::env::var_os(SENTENCE_MODEL_FOLDER).filter(|name| !name.is_empty());
    named
        .map(PathBuf::from)
        .or_else(|| hub::cached(SENTENCE_MODEL))
}
