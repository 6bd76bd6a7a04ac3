//! A Transformer that can copy: at each step it writes a token of its own or takes one from the source, a pointer-generator
//! (See, Liu and Manning, 2017). A token can be found by the one before it, as in a Transformer's induction heads (Olsson et al., 2022,
//! "smeared keys"): that is what copying several tokens in a row takes, and few examples do not teach it.
//!
//! Left out: the paper's coverage, which keeps a model from reading the same place twice. What is remembered between two tokens is in
//! `copy_transformer/copying.rs`.

mod copying;
mod state;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

pub use copying::Copying;

use super::Transformer;
use crate::{
    Result,
    data::Random,
    nn::Dense,
    ops::{attention_softmax, copy_mixture},
};

// ANCHOR: config
/// The sizes of a [`CopyTransformer`]; by default those of a model that is trained on a laptop within minutes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CopyTransformerConfig {
    /// How many different tokens source and target have: to be copied, a token must be the same in both.
    pub vocabulary_size: usize,
    /// How many numbers stand for a token.
    pub hidden_size: usize,
    /// How many heads each attention has; the one that copies has one.
    pub num_heads: usize,
    /// How many layers the encoder has, and the decoder, too.
    pub num_layers: usize,
    /// How many units each feed-forward network has in between.
    pub feed_forward_size: usize,
    /// The longest source, in tokens.
    pub source_length: usize,
    /// The longest target, in tokens, without those that begin and end it.
    pub target_length: usize,
    /// How much is left out in training.
    pub dropout: f64,
    /// The token that fills up short sequences.
    pub padding: u32,
}

impl Default for CopyTransformerConfig {
    fn default() -> Self {
        Self {
            vocabulary_size: 4_000,
            hidden_size: 128,
            num_heads: 4,
            num_layers: 2,
            feed_forward_size: 512,
            source_length: 80,
            target_length: 30,
            dropout: 0.3,
            padding: 0,
        }
    }
}
// ANCHOR_END: config

// ANCHOR: layers
/// A [`Transformer`], a pointer to the source's tokens, and a gate between what it writes and what it copies.
///
/// What it calls logits are logarithms of probabilities that already sum to one. A softmax leaves such numbers as they are, so losses and
/// decoding for logits work on them.
///
/// ```
/// use candle_core::{D, Device, Tensor};
/// use kindling::models::{CopyTransformer, CopyTransformerConfig};
/// let config = CopyTransformerConfig { vocabulary_size: 20, hidden_size: 16, ..CopyTransformerConfig::default() };
/// let model = CopyTransformer::new(&config, 0)?;
/// let source = Tensor::new(&[[4_u32, 8, 15]], &Device::Cpu)?; // (batch, source_time)
/// let target_in = Tensor::new(&[[1_u32, 8]], &Device::Cpu)?; // (batch, time)
/// let logits = model.forward(&source, &target_in)?; // (batch, time, vocabulary_size)
/// let sums = logits.exp()?.sum(D::Minus1)?.flatten_all()?.to_vec1::<f32>()?;
/// assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-5));
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct CopyTransformer {
    /// Reads the source, and writes tokens of its own.
    pub transformer: Transformer,
    /// From what the decoder makes of a token to what it looks for in the source.
    pub copy_query: Dense,
    /// From what the encoder makes of a token to what it is found by.
    pub copy_key: Dense,
    /// The same from the token before it: who has just copied that one finds what follows.
    pub copy_previous: Dense,
    /// From what was found and the decoder's token to one number: above 0 it rather writes, below it rather copies.
    pub gate: Dense,
    /// Its sizes.
    pub config: CopyTransformerConfig,
}
// ANCHOR_END: layers

impl CopyTransformer {
    /// From token ids `source` `(batch, source_time)` and `target_in` `(batch, time)` to logits `(batch, time, vocabulary_size)`.
    ///
    /// The source's padding is not seen and not copied.
    pub fn forward(&self, source: &Tensor, target_in: &Tensor) -> Result<Tensor> {
        self.decode(target_in, &mut self.read(source, None)?, None)
    }

    /// Reads a source `(batch, source_time)`, and begins a target. `random` is given in training, for dropout.
    pub fn read(&self, source: &Tensor, random: Option<&mut Random>) -> Result<Copying> {
        let mask = self.transformer.mask(source)?; // (batch, source_time)
        let encoded = self.transformer.encode(source, &mask, random)?; // (batch, source_time, hidden_size)
        let keys = self.keys(source, &encoded)?; // (batch, source_time, hidden_size)
        let decoding = self.transformer.start(&encoded, &mask)?;
        Copying::new(decoding, source, &mask, encoded, keys)
    }

    /// The logits after each of the next tokens `(batch, time)` of the target, `(batch, time, vocabulary_size)`.
    ///
    /// The tokens may come all at once, or one by one as they are chosen: `copying` keeps what was seen.
    pub fn decode(
        &self,
        target_in: &Tensor,
        copying: &mut Copying,
        random: Option<&mut Random>,
    ) -> Result<Tensor> {
        let decoding = &mut copying.decoding;
        let tokens = self
            .transformer
            .decode_tokens(target_in, decoding, random)?; // (batch, time, hidden_size)
        self.copy(&tokens, copying)
    }

    // ANCHOR: keys
    /// What the source's tokens are found by, each by what the encoder makes of it and by the token
    /// before it, `(batch, source_time, hidden_size)`.
    fn keys(&self, source: &Tensor, encoded: &Tensor) -> Result<Tensor> {
        let before = source.narrow(1, 0, source.dim(1)? - 1)?; // (batch, source_time - 1)
        let before = self.transformer.source_embedding.forward(&before)?;
        let before = (before * (self.config.hidden_size as f64).sqrt())?; // as the encoder reads them
        // Nothing stands before the first.
        let before = before.pad_with_zeros(1, 1, 0)?; // (batch, source_time, hidden_size)
        let own = self.copy_key.forward(encoded)?;
        let continued = self.copy_previous.forward(&before)?;
        Ok((own + continued)?) // (batch, source_time, hidden_size)
    }
    // ANCHOR_END: keys

    // ANCHOR: copy
    /// From what the decoder makes of each token `(batch, time, hidden_size)` to logits
    /// `(batch, time, vocabulary_size)`, in which its own choice and a copy from the source are mixed
    /// (equations 8 and 9).
    fn copy(&self, tokens: &Tensor, copying: &mut Copying) -> Result<Tensor> {
        let written = self.transformer.logits(tokens)?; // (batch, time, vocabulary_size)

        // Where to copy from: one attention over the source.
        let queries = self.copy_query.forward(tokens)?; // (batch, time, hidden_size)
        let scores = queries.matmul(&copying.keys.t()?)?.unsqueeze(1)?; // (batch, 1, time, source_time)
        let scale = 1.0 / (self.config.hidden_size as f64).sqrt();
        // (batch, time, source_time)
        let attention = attention_softmax(&scores, Some(&copying.mask), scale)?.squeeze(1)?;

        // Whether to write or to copy: by what was found there, and by the token, in which the
        // decoder's input is still contained.
        let found = attention.matmul(&copying.encoded)?; // (batch, time, hidden_size)
        let both = Tensor::cat(&[&found, tokens], 2)?; // (batch, time, 2 · hidden_size)
        let gate = self.gate.forward(&both)?; // (batch, time, 1)

        let mixed = copy_mixture(&written, &gate, &attention, &copying.source)?;
        copying.keep(&gate, &attention)?;
        Ok(mixed) // (batch, time, vocabulary_size)
    }
    // ANCHOR_END: copy
}
