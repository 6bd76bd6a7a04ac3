//! How a [`Transformer`] begins, and what a checkpoint keeps of it.

use candle_core::Var;

use super::{Transformer, TransformerConfig};
use crate::{
    Error, Result,
    data::Random,
    nn::{DecoderLayer, Dense, Dropout, EncoderLayer, LayerNorm, Positions},
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
        let source_embedding = table(source, hidden, random)?;
        let mut output = Dense::new(hidden, target, random)?;
        let target_embedding = if config.shared_embedding {
            if source != target {
                return Err(Error::Argument(format!(
                    "shared_embedding: expected one vocabulary for source and target, found {source} and {target} tokens"
                )));
            }
            output.weight = source_embedding.clone(); // the same numbers, not a copy
            source_embedding.clone()
        } else {
            table(target, hidden, random)?
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
        };
        for _ in 0..config.num_layers {
            let layer = EncoderLayer::new(hidden, heads, units, dropout, random)?;
            model.encoder.push(layer);
            let layer = DecoderLayer::new(hidden, heads, units, dropout, random)?;
            model.decoder.push(layer);
        }
        Ok(model)
    }

    /// The tensors that training may change; a shared one is there once.
    #[must_use]
    pub fn parameters(&self) -> Vec<Var> {
        crate::nn::trained(self.state())
    }

    /// All parameters by name, for checkpoints; a shared one is there once, as `embedding.weight`.
    #[must_use]
    pub fn state(&self) -> Vec<(String, Var)> {
        let [source, target] = [&self.source_embedding, &self.target_embedding].map(Var::clone);
        let mut output = self.output.state("output");
        let mut state = if source.id() == target.id() {
            output.retain(|(_, part)| part.id() != source.id());
            vec![("embedding.weight".to_owned(), source)]
        } else {
            vec![
                ("source_embedding.weight".to_owned(), source),
                ("target_embedding.weight".to_owned(), target),
            ]
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

    /// What to call it in a checkpoint and in messages.
    #[must_use]
    pub fn name(&self) -> String {
        "transformer".to_owned()
    }
}

/// A vector for each token; multiplied by √hidden_size, as the model does, its numbers have variance 1.
fn table(tokens: usize, hidden_size: usize, random: &mut Random) -> Result<Var> {
    let deviation = 1.0 / (hidden_size as f64).sqrt();
    let vectors = random.normal((tokens, hidden_size), 0.0, deviation)?;
    Ok(Var::from_tensor(&vectors)?)
}
