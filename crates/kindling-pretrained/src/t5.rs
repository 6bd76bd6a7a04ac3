//! T5 (Raffel et al., 2020): a Transformer that reads a text and writes another.
//!
//! The layers are those of candle-transformers, which treats two things otherwise than the model was trained; both are set right here.
//! Its decoder sorts distances into buckets as the encoder does, half of them for what comes later: with twice as many buckets, the half
//! that is used is the one of the weights. And its logits have a wrong factor where they share the embeddings' weights.

use std::collections::HashMap;

use candle_core::{Device, Tensor};
use candle_nn::Activation;
use candle_transformers::models::t5::{Config, T5EncoderModel, T5ForConditionalGeneration};
use kindling::{Result, decode::StepModel};
use serde::Deserialize;

use crate::folder::{CONFIG, Folder, WEIGHTS};

/// The weights of the decoder's distances, `(buckets, num_heads)`.
const DISTANCES: &str = "decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight";

/// The weights of the logits, where they are not those of the embeddings, `(vocab_size, d_model)`.
const HEAD: &str = "lm_head.weight";

/// A T5 and its special tokens.
#[derive(Debug, Clone)]
pub struct T5 {
    encoder: T5EncoderModel,
    decoder: T5ForConditionalGeneration,
    /// What candle-transformers' logits are multiplied by.
    scale: f64,
    /// How many tokens there are.
    pub vocab_size: usize,
    /// What every answer begins with.
    pub start: u32,
    /// What ends an answer.
    pub end: u32,
}

/// What candle-transformers does not read.
#[derive(Deserialize)]
struct Scaling {
    /// Where it is missing, embeddings that are shared with the logits say it.
    scale_decoder_outputs: Option<bool>,
}

/// A text that was read, and an answer so far.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The text as the encoder knows it, `(1, time, d_model)`.
    text: Tensor,
    /// With the keys and values of the answer's tokens.
    decoder: T5ForConditionalGeneration,
}

impl T5 {
    /// Opens a model's folder, of the type `t5` or `mt5`.
    pub(crate) fn open(folder: &Folder) -> Result<Self> {
        let mut config: Config = folder.config(&["t5", "mt5"])?;
        if let Some(problem) = problem(&config) {
            return Err(folder.problem(CONFIG, problem));
        }
        let mut tensors = folder.tensors()?;
        // Embeddings that encoder and decoder share may have the name of either.
        let names = ["encoder.embed_tokens.weight", "decoder.embed_tokens.weight"];
        if let Some(shared) = names.iter().find_map(|name| tensors.get(*name).cloned()) {
            tensors.entry("shared.weight".to_owned()).or_insert(shared);
        }
        let scaling: Scaling = folder.json(CONFIG)?;
        let scaled = scaling.scale_decoder_outputs;
        let scaled = scaled.unwrap_or(config.tie_word_embeddings);
        let own_head = tensors.contains_key(HEAD) && !(config.tie_word_embeddings && scaled);
        config.tie_word_embeddings = !own_head;
        let root = (config.d_model as f64).sqrt();
        let encoder = folder.build(tensors.clone(), |weights| {
            T5EncoderModel::load(weights, &config)
        })?;
        let decoder = Self::decoder(folder, tensors, &config)?;
        Ok(Self {
            encoder,
            decoder,
            scale: (if scaled { 1.0 / root } else { 1.0 }) / (if own_head { 1.0 } else { root }),
            vocab_size: config.vocab_size,
            start: config.decoder_start_token_id.unwrap_or(config.pad_token_id) as u32,
            end: config.eos_token_id as u32,
        })
    }

    /// The decoder alone: the other one has the right buckets for the encoder.
    fn decoder(
        folder: &Folder,
        mut tensors: HashMap<String, Tensor>,
        config: &Config,
    ) -> Result<T5ForConditionalGeneration> {
        if let Some(used) = tensors.get(DISTANCES) {
            let doubled = Tensor::cat(&[used, &used.zeros_like()?], 0); // (2 · buckets, num_heads)
            let doubled = doubled.map_err(|error| folder.problem(WEIGHTS, error))?;
            tensors.insert(DISTANCES.to_owned(), doubled);
        }
        let config = Config {
            num_layers: 0,
            num_decoder_layers: Some(config.num_decoder_layers.unwrap_or(config.num_layers)),
            relative_attention_num_buckets: 2 * config.relative_attention_num_buckets,
            use_cache: true,
            ..config.clone()
        };
        folder.build(tensors, |weights| {
            T5ForConditionalGeneration::load(weights, &config)
        })
    }

    /// Reads a text of at least one token.
    pub fn read(&self, ids: &[u32]) -> Result<Answer> {
        let ids = Tensor::from_slice(ids, (1, ids.len()), &Device::Cpu)?; // (1, time)
        Ok(Answer {
            text: self.encoder.clone().forward(&ids)?, // (1, time, d_model)
            decoder: self.decoder.clone(),
        })
    }
}

impl StepModel for T5 {
    type State = Answer;

    fn next_logits(
        &self,
        states: &[Self::State],
        tokens: &[u32],
    ) -> Result<Vec<(Self::State, Vec<f32>)>> {
        let steps = states.iter().zip(tokens).map(|(state, token)| {
            let mut state = state.clone();
            let token = Tensor::new(&[[*token]], &Device::Cpu)?; // (1, 1)
            let logits = state.decoder.decode(&token, &state.text)?; // (1, vocab_size)
            let logits = (logits.squeeze(0)? * self.scale)?; // (vocab_size)
            Ok((state, logits.to_vec1()?))
        });
        steps.collect()
    }
}

/// What is wrong with the settings, if so: candle-transformers takes them as they come.
fn problem(config: &Config) -> Option<String> {
    let positive = [
        ("vocab_size", config.vocab_size),
        ("d_model", config.d_model),
        ("d_kv", config.d_kv),
        ("d_ff", config.d_ff),
        ("num_layers", config.num_layers),
        ("num_heads", config.num_heads),
    ];
    if let Some((name, _)) = positive.iter().find(|(_, number)| *number == 0) {
        return Some(format!("{name}: expected at least 1, found 0"));
    }
    let buckets = config.relative_attention_num_buckets;
    if buckets < 4 || config.relative_attention_max_distance <= buckets {
        return Some(format!(
            "relative_attention_num_buckets: expected at least 4 and less than relative_attention_max_distance, {}, found {buckets}",
            config.relative_attention_max_distance
        ));
    }
    if !config.is_encoder_decoder {
        return Some("is_encoder_decoder: expected true, found false".to_owned());
    }
    let form = &config.feed_forward_proj;
    if !form.gated && form.activation != Activation::Relu {
        return Some(format!(
            "feed_forward_proj: expected \"relu\", \"gated-gelu\" or \"gated-silu\", found {:?}",
            form.activation
        ));
    }
    let special = [
        ("eos_token_id", config.eos_token_id),
        ("pad_token_id", config.pad_token_id),
        (
            "decoder_start_token_id",
            config.decoder_start_token_id.unwrap_or(0),
        ),
    ];
    let outside = special.iter().find(|(_, id)| *id >= config.vocab_size);
    outside.map(|(name, id)| {
        format!(
            "{name}: expected less than vocab_size, {}, found {id}",
            config.vocab_size
        )
    })
}
