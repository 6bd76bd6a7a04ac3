//! Any summariser by its name.

use std::path::PathBuf;

use candle_core::Tensor;
use kindling::{
    Result,
    pipeline::{Extractive, SentenceVectors, Summarizer},
};

use crate::{Embedder, Pretrained, hub};

/// The model whose vectors [`summarizer`] compares sentences by, if it is at hand.
pub const SENTENCE_MODEL: &str = "sentence-transformers/all-MiniLM-L6-v2";

/// The variable that names its folder.
pub const SENTENCE_MODEL_FOLDER: &str = "KINDLING_MINILM";

impl SentenceVectors for Embedder {
    fn name(&self) -> String {
        Self::name(self).to_owned()
    }

    fn vectors(&self, sentences: &[&str]) -> Result<Tensor> {
        self.embed(sentences)
    }
}

/// The engine of this name: `extractive` and `lead` as in [`kindling::pipeline`], `tf-idf`, or a T5 by its folder or its name on the hub.
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
        model => {
            let pretrained = Pretrained::open(hub::find(model)?)?;
            Ok(Summarizer::new(pretrained.named(model)))
        }
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
