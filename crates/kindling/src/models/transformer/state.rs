//! How a [`Transformer`] begins, and what the training loop needs to know of it.

use candle_core::{Tensor, Var};

use super::{Transformer, TransformerConfig};
use crate::{
    Error, Result,
    data::{Random, SequencePair},
    models::Model,
    nn::{DecoderLayer, Dense, Dropout, Embedding, EncoderLayer, LayerNorm, Positions, trained},
};

impl Transformer {
    /// A model with random weights; the same seed gives the same weights.
    ///
    /// Fails when `num_heads` does not divide `hidden_size`, when `dropout` is no probability below 1, or when two
    /// vocabularies of different size are to share one table.
    pub fn new(config: &TransformerConfig, seed: u64) -> Result<Self> {
        let random = &mut Random::new(seed);
        let (source, target) = (config.source_vocabulary, config.target_vocabulary);
        let (hidden, heads) = (config.hidden_size, config.num_heads);
        let (units, dropout) = (config.feed_forward_size, config.dropout);
        let source_embedding = embedding(source, hidden, random)?;
        let mut output = Dense::new(hidden, target, random)?;
        let target_embedding = if config.shared_embedding {
            if source != target {
                return Err(Error::Argument(format!(
                    "shared_embedding: expected one vocabulary for source and target, found {source} and {target} tokens"
                )));
            }
            output.weight = source_embedding.weight.clone(); // the same numbers, not a copy
            source_embedding.clone()
        } else {
            embedding(target, hidden, random)?
        };
        let mut model = Self {
            source_embedding,
            target_embedding,
            positions: Positions::new(config.positions, config.max_length, hidden, random)?,
            encoder: Vec::new(),
            encoder_norm: LayerNorm::new(hidden)?,
            decoder: Vec::new(),
            decoder_norm: LayerNorm::new(hidden)?,
            output,
            dropout: Dropout::new(dropout)?,
            padding: config.padding,
        };
        for _ in 0..config.num_layers {
            let layer = EncoderLayer::new(hidden, heads, units, dropout, random)?;
            model.encoder.push(layer);
            let layer = DecoderLayer::new(hidden, heads, units, dropout, random)?;
            model.decoder.push(layer);
        }
        Ok(model)
    }

    fn pass(&self, inputs: &SequencePair, mut random: Option<&mut Random>) -> Result<Tensor> {
        let SequencePair {
            source,
            decoder_input,
        } = inputs;
        let mask = self.mask(source)?; // (batch, source_time)
        let encoded = self.encode(source, &mask, random.as_deref_mut())?; // (batch, source_time, hidden_size)
        let mut decoding = self.start(&encoded, &mask)?;
        self.decode(decoder_input, &mut decoding, random) // (batch, time, target_vocabulary)
    }
}

impl Model<SequencePair> for Transformer {
    /// Teacher forcing: to logits `(batch, time, target_vocabulary)`.
    fn forward(&self, inputs: &SequencePair) -> Result<Tensor> {
        self.pass(inputs, None)
    }

    fn forward_training(&self, inputs: &SequencePair, random: &mut Random) -> Result<Tensor> {
        self.pass(inputs, Some(random))
    }

    /// A shared one is there once.
    fn parameters(&self) -> Vec<Var> {
        trained(self.state(), &[])
    }

    /// A shared parameter is there once, as `embedding.weight`.
    fn state(&self) -> Vec<(String, Var)> {
        let (source, target) = (&self.source_embedding, &self.target_embedding);
        let mut output = self.output.state("output");
        let mut state = if source.weight.id() == target.weight.id() {
            output.retain(|(_, part)| part.id() != source.weight.id());
            source.state("embedding")
        } else {
            let both = [
                source.state("source_embedding"),
                target.state("target_embedding"),
            ];
            both.concat()
        };
        state.extend(self.positions.state("positions"));
        for (layer, number) in self.encoder.iter().zip(1..) {
            state.extend(layer.state(&format!("encoder{number}")));
        }
        state.extend(self.encoder_norm.state("encoder_norm"));
        for (layer, number) in self.decoder.iter().zip(1..) {
            state.extend(layer.state(&format!("decoder{number}")));
        }
        state.extend(self.decoder_norm.state("decoder_norm"));
        state.extend(output);
        state
    }

    fn name(&self) -> String {
        "transformer".to_owned()
    }
}

/// A vector for each token; multiplied by √hidden_size, as the model does, its numbers have variance 1.
fn embedding(tokens: usize, hidden_size: usize, random: &mut Random) -> Result<Embedding> {
    let deviation = 1.0 / (hidden_size as f64).sqrt();
    let vectors = random.normal((tokens, hidden_size), 0.0, deviation)?;
    Ok(Embedding {
        weight: Var::from_tensor(&vectors)?,
        padding: None, // masks hide it
    })
}
