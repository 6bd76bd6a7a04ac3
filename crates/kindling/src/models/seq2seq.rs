//! An encoder and a decoder with attention between them: the network of the lesson *Attention*.
//!
//! The attention is Luong's (2015), not Bahdanau's (2015): its decoder state does not depend on what attention found, so in
//! training the decoder goes through all of the target in one operation, and attention is two matrix products for all steps.
//! Left out: input feeding, which would undo that. How an answer is found step by step is in [`crate::decode`].

use candle_core::{Tensor, Var};

use super::Model;
use crate::{
    Error, Result,
    data::{Random, SequencePair},
    decode::StepModel,
    nn::{Dense, Dropout, Embedding, GlobalAttention, Gru, RecurrentConfig, trained},
};

// ANCHOR: config
/// The sizes of a [`Seq2Seq`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seq2SeqConfig {
    /// How many tokens the source language has.
    pub source_vocabulary: usize,
    /// How many tokens the target language has.
    pub target_vocabulary: usize,
    /// How many features a token's embedding has.
    pub features: usize,
    /// How many numbers a hidden state has; even, as the encoder reads in two directions with half of it each.
    pub hidden_size: usize,
    /// How many layers encoder and decoder have.
    pub layers: usize,
    /// The probability with which an embedding's or an output's feature is left out in training.
    pub dropout: f64,
    /// The token that fills up short sequences, in both languages.
    pub padding: u32,
}

impl Default for Seq2SeqConfig {
    fn default() -> Self {
        Self {
            source_vocabulary: 8_000,
            target_vocabulary: 8_000,
            features: 256,
            hidden_size: 256,
            layers: 1,
            dropout: 0.2,
            padding: 0,
        }
    }
}
// ANCHOR_END: config

// ANCHOR: seq2seq
/// Embedding and bidirectional [`Gru`]; embedding, [`Gru`], [`GlobalAttention`]; `tanh(W_c [context; h])` and [`Dense`].
#[derive(Debug, Clone)]
pub struct Seq2Seq {
    padding: u32,
    dropout: Dropout,
    source_embedding: Embedding,
    encoder: Gru,
    target_embedding: Embedding,
    decoder: Gru,
    attention: GlobalAttention,
    combine: Dense,
    output: Dense,
}

/// A source that was read.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// What the encoder says of each token, `(batch, source time, hidden_size)`.
    pub memory: Tensor,
    /// Where there is a token, not padding, `(batch, source time)`.
    pub mask: Tensor,
    /// The decoder's state, at first what the encoder ended with, `(layers, batch, hidden_size)`.
    pub state: Tensor,
}

/// What the decoder said at each step.
#[derive(Debug, Clone)]
pub struct DecoderOutput {
    /// `(batch, target time, target_vocabulary)`.
    pub logits: Tensor,
    /// How much each step looked at each token of the source, `(batch, target time, source time)`; rows sum to one.
    pub attention: Tensor,
    /// The decoder's state after the last step, `(layers, batch, hidden_size)`.
    pub state: Tensor,
}

impl Seq2Seq {
    /// A model with random weights; the same seed gives the same weights.
    pub fn new(config: &Seq2SeqConfig, seed: u64) -> Result<Self> {
        let (features, size) = (config.features, config.hidden_size);
        if !size.is_multiple_of(2) {
            let problem = format!("hidden_size: expected an even number, found {size}");
            return Err(Error::Argument(problem));
        }
        let mut random = Random::new(seed);
        let mut embedding = |vocabulary| {
            Embedding::new(vocabulary, features, &mut random)?.with_padding(config.padding)
        };
        let source_embedding = embedding(config.source_vocabulary)?;
        let target_embedding = embedding(config.target_vocabulary)?;
        let decoder = RecurrentConfig {
            layers: config.layers,
            ..RecurrentConfig::new(features, size)
        };
        let encoder = RecurrentConfig {
            hidden_size: size / 2,
            bidirectional: true,
            ..decoder
        };
        Ok(Self {
            padding: config.padding,
            dropout: Dropout::new(config.dropout)?,
            source_embedding,
            encoder: Gru::new(&encoder, &mut random)?,
            target_embedding,
            decoder: Gru::new(&decoder, &mut random)?,
            attention: GlobalAttention::new(size, &mut random)?,
            combine: Dense::new(2 * size, size, &mut random)?,
            output: Dense::new(size, config.target_vocabulary, &mut random)?,
        })
    }

    /// Where there is a token, and not padding, of the shape of the ids.
    pub fn mask(&self, ids: &Tensor) -> Result<Tensor> {
        Ok(ids.ne(self.padding)?)
    }

    /// Teacher forcing: reads the source `(batch, source time)` where the mask of its shape is not zero, and is given the right
    /// tokens so far, `target` `(batch, target time)`, the starting token first, whatever it would have said itself.
    pub fn forward(
        &self,
        source: &Tensor,
        source_mask: &Tensor,
        target: &Tensor,
    ) -> Result<DecoderOutput> {
        self.decode(&self.encode(source, source_mask, None)?, target, None)
    }

    /// Reads sources `(batch, source time)` where the mask is not zero. In training `random` decides what dropout leaves out.
    pub fn encode(
        &self,
        source: &Tensor,
        mask: &Tensor,
        random: Option<&mut Random>,
    ) -> Result<Encoded> {
        let x = self.source_embedding.forward(source)?; // (batch, source time, features)
        let x = self.drop(x, random)?;
        let (memory, ends) = self.encoder.forward(&x, None, Some(mask))?;
        // What the two directions ended with, side by side, is where the decoder begins.
        let (passes, batch, half) = ends.dims3()?;
        let ends = ends
            .reshape((passes / 2, 2, batch, half))?
            .transpose(1, 2)?;
        Ok(Encoded {
            memory, // (batch, source time, hidden_size)
            mask: mask.clone(),
            state: ends.reshape((passes / 2, batch, 2 * half))?, // (layers, batch, hidden_size)
        })
    }

    /// Reads more of the target, `(batch, target time)`, after what the state has seen of it.
    pub fn decode(
        &self,
        source: &Encoded,
        target: &Tensor,
        mut random: Option<&mut Random>,
    ) -> Result<DecoderOutput> {
        let x = self.target_embedding.forward(target)?; // (batch, target time, features)
        let x = self.drop(x, random.as_deref_mut())?;
        let (hidden, state) = self.decoder.forward(&x, Some(&source.state), None)?;
        let (contexts, attention) =
            self.attention
                .forward(&hidden, &source.memory, Some(&source.mask))?;
        let both = Tensor::cat(&[contexts, hidden], 2)?; // (batch, target time, 2 · hidden_size)
        let (batch, time, width) = both.dims3()?;
        let rows = both.reshape((batch * time, width))?;
        let combined = self.drop(self.combine.forward(&rows)?.tanh()?, random)?;
        let logits = self.output.forward(&combined)?; // (batch · target time, target_vocabulary)
        Ok(DecoderOutput {
            logits: logits.reshape((batch, time, ()))?,
            attention,
            state,
        })
    }
    // ANCHOR_END: seq2seq

    fn drop(&self, features: Tensor, random: Option<&mut Random>) -> Result<Tensor> {
        match random {
            Some(random) => self.dropout.forward_training(&features, random),
            None => Ok(features),
        }
    }

    fn pass(&self, inputs: &SequencePair, mut random: Option<&mut Random>) -> Result<Tensor> {
        let SequencePair {
            source,
            decoder_input,
        } = inputs;
        let mask = self.mask(source)?;
        let encoded = self.encode(source, &mask, random.as_deref_mut())?;
        Ok(self.decode(&encoded, decoder_input, random)?.logits)
    }
}

impl Model<SequencePair> for Seq2Seq {
    /// Teacher forcing: to logits `(batch, target time, target_vocabulary)`.
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
            self.source_embedding.state("source_embedding"),
            self.encoder.state("encoder"),
            self.target_embedding.state("target_embedding"),
            self.decoder.state("decoder"),
            self.attention.state("attention"),
            self.combine.state("combine"),
            self.output.state("output"),
        ]
        .concat()
    }

    fn name(&self) -> String {
        "seq2seq".to_owned()
    }
}

/// A state holds one source, or a batch of one; several are decoded together as long as their sources have one length.
impl StepModel for Seq2Seq {
    type State = Encoded;

    fn next_logits(&self, states: &[Encoded], tokens: &[u32]) -> Result<Vec<(Encoded, Vec<f32>)>> {
        let Some(first) = states.first() else {
            return Ok(Vec::new());
        };
        let cat = |part: fn(&Encoded) -> &Tensor, dimension: usize| {
            let parts: Vec<&Tensor> = states.iter().map(part).collect();
            Tensor::cat(&parts, dimension)
        };
        let all = Encoded {
            memory: cat(|state| &state.memory, 0)?,
            mask: cat(|state| &state.mask, 0)?,
            state: cat(|state| &state.state, 1)?,
        };
        let tokens = Tensor::from_slice(tokens, (tokens.len(), 1), first.memory.device())?;
        let steps = self.decode(&all, &tokens, None)?;
        let logits = steps.logits.squeeze(1)?.to_vec2::<f32>()?;
        let next = logits.into_iter().zip(states).enumerate();
        next.map(|(row, (logits, before))| {
            // Detached: nothing will be differentiated, so the steps that led here can be forgotten.
            let state = steps.state.narrow(1, row, 1)?.contiguous()?.detach();
            Ok((
                Encoded {
                    state,
                    ..before.clone()
                },
                logits,
            ))
        })
        .collect()
    }
}
