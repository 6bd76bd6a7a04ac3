//! The Transformer: one sequence becomes another by attention alone (Vaswani et al., 2017), normalising first (Xiong et al., 2020).
//!
//! Left out: how tokens are chosen from the logits. What is remembered between two tokens is in `transformer/decoding.rs`.

mod decoding;
mod state;
pub(super) mod step;

use candle_core::Tensor;

pub use decoding::Decoding;

use crate::{
    Error, Result,
    data::Random,
    nn::{
        DecoderLayer, Dense, Dropout, Embedding, EncoderLayer, LayerNorm, PositionKind, Positions,
    },
    text::{causal_mask, padding_mask},
};

// ANCHOR: config
/// The sizes of a [`Transformer`]; by default those of the paper's base model, for 8,000 tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct TransformerConfig {
    /// How many different tokens the source has.
    pub source_vocabulary: usize,
    /// How many different tokens the target has.
    pub target_vocabulary: usize,
    /// Whether source, target and output share one table of vectors (section 3.4); the two vocabularies are then one.
    pub shared_embedding: bool,
    /// How many numbers stand for a token.
    pub hidden_size: usize,
    /// How many heads each attention has.
    pub num_heads: usize,
    /// How many layers the encoder has, and the decoder, too.
    pub num_layers: usize,
    /// How many units each feed-forward network has in between.
    pub feed_forward_size: usize,
    /// How positions are told.
    pub positions: PositionKind,
    /// The longest sequence.
    pub max_length: usize,
    /// How much is left out in training.
    pub dropout: f64,
    /// The token that fills up short sequences, in both vocabularies.
    pub padding: u32,
}

impl Default for TransformerConfig {
    fn default() -> Self {
        Self {
            source_vocabulary: 8_000,
            target_vocabulary: 8_000,
            shared_embedding: true,
            hidden_size: 512,
            num_heads: 8,
            num_layers: 6,
            feed_forward_size: 2_048,
            positions: PositionKind::Sinusoidal,
            max_length: 512,
            dropout: 0.1,
            padding: 0,
        }
    }
}
// ANCHOR_END: config

// ANCHOR: layers
/// Embeddings, encoder, decoder, and a fully connected layer that gives the logits.
#[derive(Debug, Clone)]
pub struct Transformer {
    /// A vector for each token of the source.
    pub source_embedding: Embedding,
    /// A vector for each token of the target.
    pub target_embedding: Embedding,
    /// Says where each token stands.
    pub positions: Positions,
    /// The source's tokens look at each other.
    pub encoder: Vec<EncoderLayer>,
    /// Normalises what the encoder gives.
    pub encoder_norm: LayerNorm,
    /// The target's tokens look at earlier ones and at the source.
    pub decoder: Vec<DecoderLayer>,
    /// Normalises what the decoder gives.
    pub decoder_norm: LayerNorm,
    /// From the last layer to logits.
    pub output: Dense,
    dropout: Dropout,
    padding: u32,
}
// ANCHOR_END: layers

// ANCHOR: forward
impl Transformer {
    /// Where there is a token, and not padding, of the shape of the ids.
    pub fn mask(&self, ids: &Tensor) -> Result<Tensor> {
        Ok(ids.ne(self.padding)?)
    }

    /// From token ids `source` `(batch, source_time)` and `target_in` `(batch, time)` to logits `(batch, time, target_vocabulary)`.
    ///
    /// `source_mask` is 1 for a token and 0 for padding. `target_in` needs none: its padding is at the end, where no token before it looks.
    pub fn forward(
        &self,
        source: &Tensor,
        source_mask: &Tensor,
        target_in: &Tensor,
    ) -> Result<Tensor> {
        let encoded = self.encode(source, source_mask, None)?; // (batch, source_time, hidden_size)
        let mut decoding = self.start(&encoded, source_mask)?;
        self.decode(target_in, &mut decoding, None) // (batch, time, target_vocabulary)
    }

    /// The same with dropout.
    pub fn forward_training(
        &self,
        source: &Tensor,
        source_mask: &Tensor,
        target_in: &Tensor,
        random: &mut Random,
    ) -> Result<Tensor> {
        let encoded = self.encode(source, source_mask, Some(random))?; // (batch, source_time, hidden_size)
        let mut decoding = self.start(&encoded, source_mask)?;
        self.decode(target_in, &mut decoding, Some(random)) // (batch, time, target_vocabulary)
    }

    // ANCHOR: encode
    /// What the encoder makes of the source, `(batch, source_time, hidden_size)`. `random` is given in
    /// training, for dropout.
    pub fn encode(
        &self,
        source: &Tensor,
        source_mask: &Tensor,
        mut random: Option<&mut Random>,
    ) -> Result<Tensor> {
        let mask = padding_mask(source_mask)?; // (batch, 1, 1, source_time)
        let placed = self.embed(&self.source_embedding, source, 0)?; // (batch, source_time, hidden_size)
        let mut tokens = self.dropout.apply(&placed, random.as_deref_mut())?;
        for layer in &self.encoder {
            tokens = layer.forward(&tokens, Some(&mask), random.as_deref_mut())?;
        }
        self.encoder_norm.forward(&tokens)
    }
    // ANCHOR_END: encode

    /// The logits after each of the next tokens `(batch, time)` of the target, `(batch, time, target_vocabulary)`.
    ///
    /// The tokens may come all at once, or one by one as they are chosen: `decoding` keeps what was seen, from [`Transformer::start`] on.
    pub fn decode(
        &self,
        target_in: &Tensor,
        decoding: &mut Decoding,
        random: Option<&mut Random>,
    ) -> Result<Tensor> {
        self.logits(&self.decode_tokens(target_in, decoding, random)?) // (batch, time, target_vocabulary)
    }

    /// What the decoder makes of the next tokens `(batch, time)`, as [`Transformer::decode`] reads them: `(batch, time, hidden_size)`.
    pub fn decode_tokens(
        &self,
        target_in: &Tensor,
        decoding: &mut Decoding,
        mut random: Option<&mut Random>,
    ) -> Result<Tensor> {
        let first = decoding.time;
        let placed = self.embed(&self.target_embedding, target_in, first)?; // (batch, time, hidden_size)
        let time = placed.dim(1)?;
        let mask = causal_mask(first + time)?.narrow(0, first, time)?; // (time, first + time)
        let mut tokens = self.dropout.apply(&placed, random.as_deref_mut())?;
        for (number, layer) in self.decoder.iter().enumerate() {
            tokens = decoding.layer(number, layer, &tokens, &mask, random.as_deref_mut())?;
        }
        decoding.time += time;
        self.decoder_norm.forward(&tokens)
    }

    /// From what [`Transformer::decode_tokens`] gives, `(batch, time, hidden_size)`, to logits `(batch, time, target_vocabulary)`.
    pub fn logits(&self, tokens: &Tensor) -> Result<Tensor> {
        self.output.forward(tokens) // (batch, time, target_vocabulary)
    }

    /// From token ids `(batch, time)` to vectors that know where they stand, `(batch, time, hidden_size)`.
    fn embed(&self, embedding: &Embedding, ids: &Tensor, first: usize) -> Result<Tensor> {
        if ids.rank() != 2 {
            return Err(Error::Shape {
                what: "token ids".to_owned(),
                expected: "(batch, time)".to_owned(),
                found: ids.dims().to_vec(),
            });
        }
        let vectors = embedding.forward(ids)?; // (batch, time, hidden_size)
        let scaled = (&vectors * (vectors.dim(2)? as f64).sqrt())?; // as wide as the positions
        self.positions.forward(&scaled, first)
    }
}
// ANCHOR_END: forward
