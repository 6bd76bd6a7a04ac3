//! Sentences as vectors whose cosines say how alike they are (Reimers and Gurevych, 2019).

use std::path::Path;

use candle_core::{D, DType, Device, Tensor};
use kindling::{Error, Result};
use serde::Deserialize;
use tokenizers::Tokenizer;

use crate::{
    bert::{Bert, BertConfig},
    folder::{CONFIG, Folder},
};

/// Tokens that are read in one go: enough for all threads, few enough to stay in the processor's caches.
const TOKENS: usize = 1_024;

/// A pretrained BERT that gives each sentence one vector, as sentence-transformers does.
///
/// ```no_run
/// use kindling_pretrained::{Embedder, hub};
/// let embedder = Embedder::open(hub::find("sentence-transformers/all-MiniLM-L6-v2")?)?;
/// let vectors = embedder.embed(&["The river rose.", "The water came up.", "Nobody slept."])?; // (3, 384)
/// let cosines = vectors.matmul(&vectors.t()?)?; // (3, 3), for each vector has length 1
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Embedder {
    tokenizer: Tokenizer,
    bert: Bert,
    name: String,
}

/// What sentence-transformers says of the model beside its own settings.
#[derive(Deserialize)]
struct SentenceConfig {
    max_seq_length: Option<usize>,
}

#[derive(Deserialize)]
struct TokenizerConfig {
    /// Some say 1e30 where they mean no limit.
    model_max_length: Option<f64>,
}

#[derive(Deserialize)]
struct PoolingConfig {
    pooling_mode_mean_tokens: Option<bool>,
}

impl Embedder {
    /// Opens a model's folder.
    ///
    /// Fails when a file is missing or damaged, when it is no BERT, and when its vectors are not the means of its tokens.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self> {
        let path = folder.as_ref();
        let folder = Folder::open(path)?;
        let config: BertConfig = folder.config(&["bert"])?;
        if let Some(problem) = config.problem() {
            return Err(folder.problem(CONFIG, problem));
        }
        let pooling = "1_Pooling/config.json";
        let mean = folder.optional::<PoolingConfig>(pooling)?;
        if mean.and_then(|pooling| pooling.pooling_mode_mean_tokens) == Some(false) {
            let problem = "expected a model whose vectors are the means of its tokens, found pooling_mode_mean_tokens false";
            return Err(folder.problem(pooling, problem));
        }
        let max_length = max_length(&folder)?.min(config.max_position_embeddings);
        let name = path.file_name().unwrap_or(path.as_os_str());
        Ok(Self {
            tokenizer: folder.tokenizer(config.vocab_size, Some(max_length))?,
            bert: folder.build(folder.tensors()?, |weights| Bert::load(&config, weights))?,
            name: name.to_string_lossy().into_owned(),
        })
    }

    /// Calls it something else than its folder is called, which on the hub is a number.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many numbers a vector has.
    #[must_use]
    pub fn hidden_size(&self) -> usize {
        self.bert.config().hidden_size
    }

    /// Vectors `(sentences, hidden_size)` of length 1: the mean of each sentence's tokens.
    ///
    /// What a sentence has behind the model's greatest length is not read.
    pub fn embed<S: AsRef<str>>(&self, sentences: &[S]) -> Result<Tensor> {
        let texts: Vec<&str> = sentences.iter().map(AsRef::as_ref).collect();
        let encodings = self.tokenizer.encode_batch_fast(texts, true);
        let encodings =
            encodings.map_err(|error| Error::Argument(format!("sentences: {error}")))?;
        let ids: Vec<&[u32]> = encodings
            .iter()
            .map(|encoding| encoding.get_ids())
            .collect();
        if encodings.is_empty() {
            let shape = (0, self.hidden_size());
            return Ok(Tensor::from_vec(Vec::<f32>::new(), shape, &Device::Cpu)?);
        }
        let mut vectors = Vec::new();
        let mut rest = ids.as_slice();
        while !rest.is_empty() {
            let (pack, later) = rest.split_at(pack(rest));
            vectors.push(self.mean(pack)?);
            rest = later;
        }
        let vectors = Tensor::cat(&vectors, 0)?; // (sentences, hidden_size)
        let length = vectors.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?; // (sentences, 1)
        // A text without tokens has no direction: its vector stays zero.
        Ok(vectors.broadcast_div(&length.maximum(1e-12)?)?)
    }

    /// The mean of the last layer's tokens of each text: `(texts, hidden_size)`.
    fn mean(&self, texts: &[&[u32]]) -> Result<Tensor> {
        let tokens = self.bert.forward(texts)?; // (tokens of all texts, hidden_size)
        let mut start = 0;
        let means = texts.iter().map(|ids| {
            if ids.is_empty() {
                return Tensor::zeros(self.hidden_size(), DType::F32, &Device::Cpu); // (hidden_size)
            }
            let text = tokens.narrow(0, start, ids.len())?; // (tokens, hidden_size)
            start += ids.len();
            text.mean(0) // (hidden_size)
        });
        let means: Vec<Tensor> = means.collect::<candle_core::Result<_>>()?;
        Ok(Tensor::stack(&means, 0)?)
    }
}

/// How many of these texts are read together: at least one.
fn pack(texts: &[&[u32]]) -> usize {
    let mut tokens = 0;
    let fits = |ids: &&&[u32]| {
        tokens += ids.len();
        tokens <= TOKENS
    };
    texts.iter().take_while(fits).count().max(1)
}

/// The most tokens of a sentence, as sentence-transformers finds it.
fn max_length(folder: &Folder) -> Result<usize> {
    let file = "sentence_bert_config.json";
    let own = folder.optional::<SentenceConfig>(file)?;
    if let Some(length) = own.and_then(|config| config.max_seq_length) {
        return Ok(length);
    }
    let tokenizer = folder.optional::<TokenizerConfig>("tokenizer_config.json")?;
    let length = tokenizer.and_then(|config| config.model_max_length);
    Ok(length.map_or(usize::MAX, |length| length as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pack_is_full_or_a_single_text() {
        let (short, long) = (vec![7; 300], vec![7; 2_000]);
        let texts = [&short[..], &short, &short, &short, &long, &short];
        assert_eq!(pack(&texts), 3);
        assert_eq!(pack(&texts[3..]), 1);
        assert_eq!(pack(&texts[4..]), 1);
        assert_eq!(pack(&texts[5..]), 1);
    }
}
