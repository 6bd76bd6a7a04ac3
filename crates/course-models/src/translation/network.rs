//! Either network behind one face.

use anyhow::{Result, bail};
use candle_core::{Device, Tensor};
use kindling::{
    data::{SequencePair, SpecialTokens},
    decode::{BeamConfig, Limits, StepModel, beam},
    models::{Model, Seq2Seq, Transformer},
};

use super::recipes::{self, Architecture, MAX_LENGTH};

/// A network that translates.
#[derive(Debug, Clone)]
pub enum Network {
    Transformer(Transformer),
    Gru(Seq2Seq),
}

impl Network {
    /// One with random weights, for so many tokens.
    pub fn new(
        architecture: Architecture,
        vocabulary: usize,
        padding: u32,
        seed: u64,
    ) -> Result<Self> {
        Ok(match architecture {
            Architecture::Transformer => {
                let config = recipes::transformer(vocabulary, padding);
                Self::Transformer(Transformer::new(&config, seed)?)
            }
            Architecture::Gru => Self::Gru(Seq2Seq::new(&recipes::gru(vocabulary, padding), seed)?),
        })
    }

    /// What training, weights and evaluation ask of a network.
    pub fn model(&self) -> &dyn Model<SequencePair> {
        match self {
            Self::Transformer(model) => model,
            Self::Gru(model) => model,
        }
    }

    /// The tokens of the best translation that a beam of this width finds.
    pub fn translate(
        &self,
        source: &[u32],
        tokens: SpecialTokens,
        width: usize,
    ) -> Result<Vec<u32>> {
        if source.is_empty() {
            return Ok(Vec::new());
        }
        if source.len() > MAX_LENGTH {
            bail!(
                "expected a sentence of at most {MAX_LENGTH} tokens, found {}; give one sentence a line",
                source.len()
            );
        }
        let ids = Tensor::new(source, &Device::Cpu)?.unsqueeze(0)?; // (batch = 1, source time)
        let limits = Limits {
            end: tokens.end,
            max_length: (2 * source.len() + 10).min(MAX_LENGTH),
        };
        match self {
            Self::Transformer(model) => {
                let mask = model.mask(&ids)?;
                let encoded = model.encode(&ids, &mask, None)?;
                best(model, model.start(&encoded, &mask)?, tokens, width, limits)
            }
            Self::Gru(model) => {
                let encoded = model.encode(&ids, &model.mask(&ids)?, None)?;
                best(model, encoded, tokens, width, limits)
            }
        }
    }
}

/// By how much longer translations are favoured (Wu et al., 2016).
const LENGTH_PENALTY: f64 = 0.6;

fn best<M: StepModel>(
    model: &M,
    start: M::State,
    tokens: SpecialTokens,
    width: usize,
    limits: Limits,
) -> Result<Vec<u32>> {
    let config = BeamConfig {
        width,
        length_penalty: LENGTH_PENALTY,
        limits,
    };
    let found = beam(model, start, tokens.start, &config)?;
    Ok(found
        .into_iter()
        .next()
        .map_or(Vec::new(), |best| best.tokens))
}
