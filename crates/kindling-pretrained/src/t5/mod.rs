//! T5 (Raffel et al., 2020): a Transformer that reads a text and writes another.
//!
//! The encoder is that of candle-transformers. The decoder is written here: theirs computes the keys and values of the text again for
//! each token of the answer, sorts distances into half as many buckets as the model was trained with, and scales logits wrongly where they
//! share the embeddings' weights.

mod decoder;
mod distances;

use candle_core::{Device, Tensor};
use candle_nn::Activation;
use candle_transformers::models::t5::{Config, T5EncoderModel};
use kindling::{Result, decode::StepModel};
use serde::Deserialize;

use self::decoder::Decoder;
use crate::folder::{CONFIG, Folder};

pub use self::decoder::Answer;

/// The weights of the logits, where they are not those of the embeddings, `(vocab_size, d_model)`.
const HEAD: &str = "lm_head.weight";

/// A T5 and its special tokens.
#[derive(Debug, Clone)]
pub struct T5 {
    encoder: T5EncoderModel,
    decoder: Decoder,
    /// What logits are multiplied by.
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
        let encoder = folder.build(tensors.clone(), |weights| {
            T5EncoderModel::load(weights, &config)
        })?;
        let decoder = folder.build(tensors, |weights| Decoder::load(&weights, &config))?;
        Ok(Self {
            encoder,
            decoder,
            scale: if scaled {
                1.0 / (config.d_model as f64).sqrt()
            } else {
                1.0
            },
            vocab_size: config.vocab_size,
            start: config.decoder_start_token_id.unwrap_or(config.pad_token_id) as u32,
            end: config.eos_token_id as u32,
        })
    }

    /// Reads a text of at least one token.
    pub fn read(&self, ids: &[u32]) -> Result<Answer> {
        let ids = Tensor::from_slice(ids, (1, ids.len()), &Device::Cpu)?; // (1, time)
        let text = self.encoder.clone().forward(&ids)?; // (1, time, d_model)
        self.decoder.begin(&text.squeeze(0)?)
    }
}

impl StepModel for T5 {
    type State = Answer;

    fn next_logits(
        &self,
        states: &[Self::State],
        tokens: &[u32],
    ) -> Result<Vec<(Self::State, Vec<f32>)>> {
        // One by one: Candle's product of several rows and a matrix takes as long as that of each row.
        let steps = states.iter().zip(tokens).map(|(state, token)| {
            let mut state = state.clone();
            let logits = (self.decoder.read(&mut state, *token)? * self.scale)?; // (1, vocab_size)
            Ok((state, logits.squeeze(0)?.to_vec1()?))
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
