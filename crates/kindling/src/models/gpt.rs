//! A GPT: a Transformer that looks back only and says which token comes next (Radford et al., 2018), in the form of Llama (Touvron et al.,
//! 2023): normalisation by the root mean square, positions as rotations, keys and values shared by several heads, gated units.
//!
//! The state has the names that `transformers` gives a `LlamaForCausalLM`, so that weights go both ways. Left out: dropout, which language models of
//! one pass over their data do without, and biases.

mod config;

use candle_core::{DType, Device, Tensor, Var};

pub use config::GptConfig;

use super::Model;
use crate::{
    Error, Result,
    data::Random,
    nn::{Embedding, KeyValue, trained},
    ops::{attention, linear, rms_norm, rope, swiglu},
    text::causal_mask_after,
};

// ANCHOR: projection
/// A linear layer without bias.
#[derive(Debug, Clone)]
struct Projection {
    /// `(outputs, inputs)`.
    weight: Var,
    /// The operation adds a bias: zeros, which nobody trains.
    zeros: Tensor,
}

impl Projection {
    fn new(weight: Var) -> Result<Self> {
        let zeros = Tensor::zeros(weight.dim(0)?, DType::F32, &Device::Cpu)?;
        Ok(Self { weight, zeros })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        linear(x, &self.weight, &self.zeros)
    }
}
// ANCHOR_END: projection

// ANCHOR: block
/// Tokens look back at earlier ones, then each thinks for itself; both times what they find is added to what they were.
#[derive(Debug, Clone)]
struct Block {
    attention_norm: Var,
    query: Projection,
    key: Projection,
    value: Projection,
    output: Projection,
    feed_forward_norm: Var,
    gate: Projection,
    up: Projection,
    down: Projection,
}

impl Block {
    /// From tokens `(batch, time, hidden_size)` to the same shape; `cache` has what earlier tokens said, and gets what these say.
    fn forward(
        &self,
        tokens: &Tensor,
        config: &GptConfig,
        [cos, sin, mask]: [&Tensor; 3],
        cache: Option<&mut Option<KeyValue>>,
    ) -> Result<Tensor> {
        let x = rms_norm(tokens, &self.attention_norm, config.norm_epsilon)?;
        let head_size = config.hidden_size / config.num_heads;
        let heads = |x: &Tensor| x.reshape((x.dim(0)?, x.dim(1)?, (), head_size));
        let queries = rope(&heads(&self.query.forward(&x)?)?, cos, sin)?; // (batch, time, num_heads, head_size)
        let keys = rope(&heads(&self.key.forward(&x)?)?, cos, sin)?; // (batch, time, num_key_value_heads, head_size)
        let mut seen = KeyValue {
            keys: keys.flatten_from(2)?,
            values: self.value.forward(&x)?, // (batch, time, num_key_value_heads · head_size)
        };
        if let Some(cache) = cache {
            if let Some(earlier) = cache.take() {
                seen = earlier.append(&seen)?;
            }
            *cache = Some(seen.detach());
        }
        let group = config.num_heads / config.num_key_value_heads;
        let (keys, values) = (
            shared(&seen.keys, head_size, group)?,
            shared(&seen.values, head_size, group)?,
        );
        let queries = queries.flatten_from(2)?; // (batch, time, hidden_size)
        let found = [&queries, &keys, &values];
        let (found, _) = attention(found, config.num_heads, Some(mask), None)?;
        let tokens = (tokens + self.output.forward(&found)?)?;
        let x = rms_norm(&tokens, &self.feed_forward_norm, config.norm_epsilon)?;
        let inner = swiglu(&self.gate.forward(&x)?, &self.up.forward(&x)?)?; // (batch, time, feed_forward_size)
        Ok((tokens + self.down.forward(&inner)?)?)
    }
}

/// Each head of keys or values `(batch, time, heads · head_size)` once for each of the `group` queries that share it.
fn shared(heads: &Tensor, head_size: usize, group: usize) -> Result<Tensor> {
    if group == 1 {
        return Ok(heads.clone());
    }
    let (batch, time, width) = heads.dims3()?;
    let count = width / head_size;
    let heads = heads.reshape((batch, time, count, 1, head_size))?;
    let heads = heads.broadcast_as((batch, time, count, group, head_size))?;
    Ok(heads.reshape((batch, time, group * width))?) // (batch, time, hidden_size)
}
// ANCHOR_END: block

// ANCHOR: gpt
/// A table of tokens, blocks, a last normalisation, and the way back to tokens.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use kindling::models::{Gpt, GptConfig, Model};
/// let model = Gpt::new(&GptConfig::default(), 0)?;
/// let ids = Tensor::new(&[[1_u32, 5, 7]], &Device::Cpu)?; // (batch, time)
/// let logits = model.forward(&ids)?; // (batch, time, vocabulary_size)
/// assert_eq!(logits.dims(), [1, 3, 65]);
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Gpt {
    embedding: Embedding,
    blocks: Vec<Block>,
    norm: Var,
    /// The table of tokens itself where it serves both ways.
    output: Projection,
    /// Cosine and sine of each position's angles, `(max_length, head_size / 2)`.
    turns: [Tensor; 2],
    config: GptConfig,
}

/// What each block has seen of a text so far: keys and values of all its tokens.
#[derive(Debug, Clone, Default)]
pub struct GptCache {
    blocks: Vec<Option<KeyValue>>,
    length: usize,
}

impl GptCache {
    /// How many tokens were read.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether none was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

impl Gpt {
    /// Random weights, those that add to the tokens smaller the more blocks there are (Radford et al., 2019, section 2.3).
    pub fn new(config: &GptConfig, seed: u64) -> Result<Self> {
        let mut random = Random::new(seed);
        let smaller = 1.0 / (2.0 * config.num_layers as f64).sqrt();
        Self::from_tensors(config, |name, shape| {
            let adds = name.ends_with("o_proj.weight") || name.ends_with("down_proj.weight");
            match shape {
                [size] => Ok(Tensor::ones(*size, DType::F32, &Device::Cpu)?), // of a normalisation
                _ => random.normal(shape, 0.0, if adds { 0.02 * smaller } else { 0.02 }),
            }
        })
    }

    /// The weights that `tensor` gives for a name and a shape; a table of tokens that is not tied asks for `lm_head.weight`, too.
    pub fn from_tensors(
        config: &GptConfig,
        mut tensor: impl FnMut(&str, &[usize]) -> Result<Tensor>,
    ) -> Result<Self> {
        config.check()?;
        let (hidden, inner) = (config.hidden_size, config.feed_forward_size);
        let head_size = hidden / config.num_heads;
        let shared = config.num_key_value_heads * head_size;
        let mut var = |name: &str, shape: &[usize]| -> Result<Var> {
            let name = format!("{name}.weight");
            let found = tensor(&name, shape)?;
            if found.dims() != shape {
                let (what, expected, found) = (name, format!("{shape:?}"), found.dims().to_vec());
                return Err(Error::Shape {
                    what,
                    expected,
                    found,
                });
            }
            Ok(Var::from_tensor(&found)?)
        };
        let weight = var("model.embed_tokens", &[config.vocabulary_size, hidden])?;
        let mut blocks = Vec::new();
        for number in 0..config.num_layers {
            let mut part =
                |name: &str, shape: &[usize]| var(&format!("model.layers.{number}.{name}"), shape);
            blocks.push(Block {
                attention_norm: part("input_layernorm", &[hidden])?,
                query: Projection::new(part("self_attn.q_proj", &[hidden, hidden])?)?,
                key: Projection::new(part("self_attn.k_proj", &[shared, hidden])?)?,
                value: Projection::new(part("self_attn.v_proj", &[shared, hidden])?)?,
                output: Projection::new(part("self_attn.o_proj", &[hidden, hidden])?)?,
                feed_forward_norm: part("post_attention_layernorm", &[hidden])?,
                gate: Projection::new(part("mlp.gate_proj", &[inner, hidden])?)?,
                up: Projection::new(part("mlp.up_proj", &[inner, hidden])?)?,
                down: Projection::new(part("mlp.down_proj", &[hidden, inner])?)?,
            });
        }
        let norm = var("model.norm", &[hidden])?;
        let output = if config.tied_embeddings {
            weight.clone()
        } else {
            var("lm_head", &[config.vocabulary_size, hidden])?
        };
        Ok(Self {
            embedding: Embedding {
                weight,
                padding: None,
            },
            blocks,
            norm,
            output: Projection::new(output)?,
            turns: config.turns()?,
            config: config.clone(),
        })
    }

    /// Its sizes.
    #[must_use]
    pub fn config(&self) -> &GptConfig {
        &self.config
    }

    /// Reads more of a text, ids `(batch, time)`, after what `cache` has seen of it: logits `(batch, vocabulary_size)` of what comes next.
    pub fn read(&self, ids: &Tensor, cache: &mut GptCache) -> Result<Tensor> {
        let tokens = self.pass(ids, Some(cache))?;
        let last = tokens.narrow(1, tokens.dim(1)? - 1, 1)?.squeeze(1)?; // (batch, hidden_size)
        Ok(self.output.forward(&last)?.detach())
    }

    /// From ids `(batch, time)` to what the last block says of them, `(batch, time, hidden_size)`.
    fn pass(&self, ids: &Tensor, mut cache: Option<&mut GptCache>) -> Result<Tensor> {
        let (_, time) = ids.dims2()?;
        let before = cache.as_ref().map_or(0, |cache| cache.length);
        let all = before + time;
        if time == 0 || all > self.config.max_length {
            return Err(Error::Argument(format!(
                "ids: expected 1 to {} tokens in all, found {all}",
                self.config.max_length
            )));
        }
        let [cos, sin] =
            [&self.turns[0], &self.turns[1]].map(|table| table.narrow(0, before, time));
        let (cos, sin) = (cos?, sin?); // (time, head_size / 2)
        let mask = causal_mask_after(before, time)?; // (time, all)
        let mut tokens = self.embedding.forward(ids)?;
        if let Some(cache) = &mut cache {
            cache.blocks.resize(self.blocks.len(), None);
            cache.length = all;
        }
        for (number, block) in self.blocks.iter().enumerate() {
            let cache = cache.as_mut().map(|cache| &mut cache.blocks[number]);
            tokens = block.forward(&tokens, &self.config, [&cos, &sin, &mask], cache)?;
        }
        rms_norm(&tokens, &self.norm, self.config.norm_epsilon)
    }
}
// ANCHOR_END: gpt

impl Model for Gpt {
    /// From ids `(batch, time)` to the logits of the token after each, `(batch, time, vocabulary_size)`.
    fn forward(&self, ids: &Tensor) -> Result<Tensor> {
        self.output.forward(&self.pass(ids, None)?)
    }

    fn parameters(&self) -> Vec<Var> {
        trained(self.state(), &[])
    }

    fn state(&self) -> Vec<(String, Var)> {
        let mut state = self.embedding.state("model.embed_tokens");
        for (number, block) in self.blocks.iter().enumerate() {
            let parts = [
                ("input_layernorm", &block.attention_norm),
                ("self_attn.q_proj", &block.query.weight),
                ("self_attn.k_proj", &block.key.weight),
                ("self_attn.v_proj", &block.value.weight),
                ("self_attn.o_proj", &block.output.weight),
                ("post_attention_layernorm", &block.feed_forward_norm),
                ("mlp.gate_proj", &block.gate.weight),
                ("mlp.up_proj", &block.up.weight),
                ("mlp.down_proj", &block.down.weight),
            ];
            state.extend(
                parts.map(|(part, var)| {
                    (format!("model.layers.{number}.{part}.weight"), var.clone())
                }),
            );
        }
        state.push(("model.norm.weight".to_owned(), self.norm.clone()));
        if !self.config.tied_embeddings {
            state.push(("lm_head.weight".to_owned(), self.output.weight.clone()));
        }
        state
    }

    fn name(&self) -> String {
        "gpt".to_owned()
    }
}
