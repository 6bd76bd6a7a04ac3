//! The decoder of T5, token by token: keys and values of the text are computed once, those of the answer are kept.

use candle_core::{Device, Tensor};
use candle_nn::{
    Linear, Module, RmsNorm, VarBuilder, linear_no_bias, ops::softmax_last_dim, rms_norm,
};
use candle_transformers::models::t5::Config;
use kindling::Result;

use super::distances::Distances;

/// A text that was read, and an answer so far.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Of the text's tokens, layer by layer.
    text: Vec<KeysValues>,
    /// Of the answer's tokens, layer by layer; nothing before the first.
    answer: Vec<KeysValues>,
}

/// What queries are compared with, and what they get, each `(num_heads, time, d_kv)`.
#[derive(Debug, Clone)]
struct KeysValues {
    keys: Tensor,
    values: Tensor,
}

/// Layers that each attend to the answer so far, attend to the text, and go on with each token by itself.
#[derive(Debug, Clone)]
pub(super) struct Decoder {
    /// `(vocab_size, d_model)`
    embeddings: Tensor,
    distances: Distances,
    layers: Vec<Layer>,
    norm: RmsNorm,
    head: Linear,
}

#[derive(Debug, Clone)]
struct Layer {
    to_answer: Attention,
    to_text: Attention,
    feed_forward: FeedForward,
}

impl Decoder {
    /// Takes the weights, whose names are those of transformers.
    pub(super) fn load(weights: &VarBuilder, config: &Config) -> candle_core::Result<Self> {
        let (width, decoder) = (config.d_model, weights.pp("decoder"));
        let shape = (config.vocab_size, width);
        let embeddings = weights.pp("shared").get(shape, "weight")?;
        let layers = (0..config.num_decoder_layers.unwrap_or(config.num_layers)).map(|layer| {
            let parts = decoder.pp("block").pp(layer).pp("layer");
            Ok(Layer {
                to_answer: Attention::load(&parts.pp(0), "SelfAttention", config)?,
                to_text: Attention::load(&parts.pp(1), "EncDecAttention", config)?,
                feed_forward: FeedForward::load(&parts.pp(2), config)?,
            })
        });
        Ok(Self {
            layers: layers.collect::<candle_core::Result<_>>()?,
            distances: Distances::load(&decoder.pp("block.0.layer.0.SelfAttention"), config)?,
            norm: norm(config, decoder.pp("final_layer_norm"))?,
            head: match config.tie_word_embeddings {
                true => Linear::new(embeddings.clone(), None),
                false => linear_no_bias(width, config.vocab_size, weights.pp("lm_head"))?,
            },
            embeddings,
        })
    }

    /// The beginning of an answer to a text `(time, d_model)` as the encoder knows it.
    pub(super) fn begin(&self, text: &Tensor) -> Result<Answer> {
        let text = self.layers.iter().map(|layer| layer.to_text.remember(text));
        Ok(Answer {
            text: text.collect::<Result<_>>()?,
            answer: Vec::new(),
        })
    }

    /// Reads one more token of an answer; returns the logits `(1, vocab_size)` of what comes next.
    pub(super) fn read(&self, answer: &mut Answer, token: u32) -> Result<Tensor> {
        let token = Tensor::new(&[token], &Device::Cpu)?;
        let mut hidden = self.embeddings.index_select(&token, 0)?; // (1, d_model)
        let bias = self.distances.bias(answer.length()?)?; // (num_heads, 1, time)
        for (index, layer) in self.layers.iter().enumerate() {
            hidden = layer.to_answer.add_to(&hidden, |states, query| {
                let new = layer.to_answer.remember(states)?;
                answer.write(index, new)?.attend(query, Some(&bias))
            })?;
            hidden = layer
                .to_text
                .add_to(&hidden, |_, query| answer.text[index].attend(query, None))?;
            hidden = layer.feed_forward.add_to(&hidden)?;
        }
        Ok(self.head.forward(&self.norm.forward(&hidden)?)?)
    }
}

impl Answer {
    /// How many tokens it has.
    fn length(&self) -> Result<usize> {
        let first = self.answer.first();
        Ok(first.map_or(Ok(0), |layer| layer.keys.dim(1))?)
    }

    /// Appends the keys and values of one more token in one layer; returns all of that layer.
    fn write(&mut self, layer: usize, new: KeysValues) -> Result<&KeysValues> {
        if let Some(old) = self.answer.get_mut(layer) {
            old.keys = Tensor::cat(&[&old.keys, &new.keys], 1)?;
            old.values = Tensor::cat(&[&old.values, &new.values], 1)?;
        } else {
            self.answer.push(new);
        }
        Ok(&self.answer[layer])
    }
}

impl KeysValues {
    /// `softmax(q Kᵀ + bias) V` of one query `(num_heads, 1, d_kv)`: `(1, num_heads · d_kv)`. T5 does not divide by `√d_kv`.
    fn attend(&self, query: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
        let scores = query.matmul(&self.keys.t()?)?; // (num_heads, 1, time)
        let scores = bias.map_or(Ok(scores.clone()), |bias| scores.add(bias))?;
        let found = softmax_last_dim(&scores)?.matmul(&self.values)?; // (num_heads, 1, d_kv)
        Ok(found.reshape((1, ()))?)
    }
}

#[derive(Debug, Clone)]
struct Attention {
    norm: RmsNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    num_heads: usize,
}

impl Attention {
    fn load(weights: &VarBuilder, name: &str, config: &Config) -> candle_core::Result<Self> {
        let (width, inner) = (config.d_model, config.num_heads * config.d_kv);
        let parts = weights.pp(name);
        Ok(Self {
            norm: norm(config, weights.pp("layer_norm"))?,
            query: linear_no_bias(width, inner, parts.pp("q"))?,
            key: linear_no_bias(width, inner, parts.pp("k"))?,
            value: linear_no_bias(width, inner, parts.pp("v"))?,
            output: linear_no_bias(inner, width, parts.pp("o"))?,
            num_heads: config.num_heads,
        })
    }

    /// Keys and values of states `(time, d_model)`.
    fn remember(&self, states: &Tensor) -> Result<KeysValues> {
        Ok(KeysValues {
            keys: self.heads(&self.key.forward(states)?)?,
            values: self.heads(&self.value.forward(states)?)?,
        })
    }

    /// `(time, num_heads · d_kv)` as `(num_heads, time, d_kv)`.
    fn heads(&self, states: &Tensor) -> Result<Tensor> {
        let time = states.dim(0)?;
        let heads = states.reshape((time, self.num_heads, ()))?;
        Ok(heads.transpose(0, 1)?.contiguous()?)
    }

    /// Adds to `hidden` `(1, d_model)` what `attend` finds for its normed state and its query.
    fn add_to(
        &self,
        hidden: &Tensor,
        attend: impl FnOnce(&Tensor, &Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let states = self.norm.forward(hidden)?;
        let query = self.heads(&self.query.forward(&states)?)?; // (num_heads, 1, d_kv)
        let found = attend(&states, &query)?; // (1, num_heads · d_kv)
        Ok((hidden + self.output.forward(&found)?)?)
    }
}

/// Two layers, or with a gate three.
#[derive(Debug, Clone)]
struct FeedForward {
    norm: RmsNorm,
    inner: Linear,
    gate: Option<Linear>,
    output: Linear,
    activation: candle_nn::Activation,
}

impl FeedForward {
    fn load(weights: &VarBuilder, config: &Config) -> candle_core::Result<Self> {
        let (width, inner) = (config.d_model, config.d_ff);
        let parts = weights.pp("DenseReluDense");
        let into = |name| linear_no_bias(width, inner, parts.pp(name));
        let gated = config.feed_forward_proj.gated;
        Ok(Self {
            norm: norm(config, weights.pp("layer_norm"))?,
            inner: into(if gated { "wi_0" } else { "wi" })?,
            gate: gated.then(|| into("wi_1")).transpose()?,
            output: linear_no_bias(inner, width, parts.pp("wo"))?,
            activation: config.feed_forward_proj.activation,
        })
    }

    /// Adds to `hidden` `(1, d_model)` what the layers make of it.
    fn add_to(&self, hidden: &Tensor) -> Result<Tensor> {
        let states = self.norm.forward(hidden)?;
        let mut inner = self.activation.forward(&self.inner.forward(&states)?)?;
        if let Some(gate) = &self.gate {
            inner = (inner * gate.forward(&states)?)?;
        }
        Ok((hidden + self.output.forward(&inner)?)?)
    }
}

fn norm(config: &Config, weights: VarBuilder) -> candle_core::Result<RmsNorm> {
    rms_norm(config.d_model, config.layer_norm_epsilon, weights)
}
