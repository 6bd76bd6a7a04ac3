//! How a [`CopyTransformer`] begins, and what the training loop needs to know of it.

use candle_core::{Device, Tensor, Var};

use super::{CopyTransformer, CopyTransformerConfig};
use crate::{
    Result,
    data::{Random, SequencePair},
    models::{Model, Transformer, TransformerConfig},
    nn::{Dense, trained},
};

/// The gate's bias before it has learned anything.
const RATHER_COPY: f32 = -1.0;

impl CopyTransformerConfig {
    /// The sizes of the Transformer inside.
    fn transformer(&self) -> TransformerConfig {
        TransformerConfig {
            source_vocabulary: self.vocabulary_size,
            target_vocabulary: self.vocabulary_size,
            shared_embedding: true,
            hidden_size: self.hidden_size,
            num_heads: self.num_heads,
            num_layers: self.num_layers,
            feed_forward_size: self.feed_forward_size,
            // The token that begins a target has a place, too.
            max_length: self.source_length.max(self.target_length + 1),
            dropout: self.dropout,
            padding: self.padding,
            ..TransformerConfig::default()
        }
    }
}

impl CopyTransformer {
    /// A model with random weights; the same seed gives the same weights.
    ///
    /// Fails when `num_heads` does not divide `hidden_size`, or when `dropout` is no probability below 1.
    pub fn new(config: &CopyTransformerConfig, seed: u64) -> Result<Self> {
        let transformer = Transformer::new(&config.transformer(), seed)?;
        // Another seed than the Transformer's, or the first weights would be those of its first layer.
        let random = &mut Random::new(!seed);
        let hidden_size = config.hidden_size;
        let copy_query = Dense::new(hidden_size, hidden_size, random)?;
        let copy_key = Dense::new(hidden_size, hidden_size, random)?;
        let gate = Dense::new(2 * hidden_size, 1, random)?;
        gate.bias.set(&Tensor::new(&[RATHER_COPY], &Device::Cpu)?)?;
        let copy_previous = Dense::new(hidden_size, hidden_size, random)?;
        // With the query's weights a token finds itself, so that it continues what it copies before it has learned anything.
        copy_previous.weight.set(&copy_query.weight)?;
        Ok(Self {
            transformer,
            copy_query,
            copy_key,
            copy_previous,
            gate,
            config: config.clone(),
        })
    }

    fn pass(&self, inputs: &SequencePair, mut random: Option<&mut Random>) -> Result<Tensor> {
        let SequencePair {
            source,
            decoder_input,
        } = inputs;
        let mut copying = self.read(source, random.as_deref_mut())?;
        self.decode(decoder_input, &mut copying, random) // (batch, time, vocabulary_size)
    }
}

impl Model<SequencePair> for CopyTransformer {
    /// Teacher forcing: to logits `(batch, time, vocabulary_size)`.
    fn forward(&self, inputs: &SequencePair) -> Result<Tensor> {
        self.pass(inputs, None)
    }

    fn forward_training(&self, inputs: &SequencePair, random: &mut Random) -> Result<Tensor> {
        self.pass(inputs, Some(random))
    }

    fn parameters(&self) -> Vec<Var> {
        trained(self.state(), &[])
    }

    fn state(&self) -> Vec<(String, Var)> {
        [
            self.transformer.state(),
            self.copy_query.state("copy_query"),
            self.copy_key.state("copy_key"),
            self.copy_previous.state("copy_previous"),
            self.gate.state("gate"),
        ]
        .concat()
    }

    fn name(&self) -> String {
        "copy-transformer".to_owned()
    }
}
