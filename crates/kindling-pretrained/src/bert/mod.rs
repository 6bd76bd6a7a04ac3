//! BERT (Devlin et al., 2019): a Transformer's encoder, for texts that are read as a whole.
//!
//! The weights are those that `transformers` and `candle-transformers` read. Sentences lie one behind the other in one tensor, so
//! that no time is spent on padding, and matrix products, normalisation and GELU are those of the course. Left out: training,
//! pairs of sentences, devices other than the processor.

mod attention;
mod gelu;
mod product;

use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;
use kindling::{
    Error, Result,
    ops::{PackedLinear, layer_norm},
};
use serde::Deserialize;

use attention::attention;
use gelu::Gelu;

/// What `config.json` says of a BERT.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct BertConfig {
    /// How many tokens there are.
    pub vocab_size: usize,
    /// Numbers of each token.
    pub hidden_size: usize,
    /// How many layers.
    pub num_hidden_layers: usize,
    /// Into how many parts attention cuts the numbers of a token.
    pub num_attention_heads: usize,
    /// Numbers inside the feed-forward network.
    pub intermediate_size: usize,
    /// The non-linearity there; `gelu` is known.
    pub hidden_act: String,
    /// The most tokens of a text.
    pub max_position_embeddings: usize,
    /// Kinds of text; one is used.
    pub type_vocab_size: usize,
    /// What keeps a normalisation from dividing by zero.
    pub layer_norm_eps: f64,
}

impl BertConfig {
    /// Why no model can be built by it, if so.
    pub(crate) fn problem(&self) -> Option<String> {
        let Self {
            hidden_size,
            num_attention_heads,
            hidden_act,
            ..
        } = self;
        if hidden_act != "gelu" {
            return Some(format!(
                "hidden_act: expected \"gelu\", found \"{hidden_act}\""
            ));
        }
        let divides = *num_attention_heads > 0 && hidden_size.is_multiple_of(*num_attention_heads);
        (!divides).then(|| {
            format!(
                "num_attention_heads: expected a divisor of hidden_size, {hidden_size}, found {num_attention_heads}"
            )
        })
    }
}

/// A BERT that reads texts.
#[derive(Debug, Clone)]
pub struct Bert {
    config: BertConfig,
    word_embeddings: Tensor,
    /// Of each position, that of the first kind of text added.
    position_embeddings: Tensor,
    norm: Norm,
    layers: Vec<Layer>,
}

impl Bert {
    /// Takes its weights from where they have the names that `transformers` gives them.
    pub fn load(config: &BertConfig, weights: VarBuilder) -> candle_core::Result<Self> {
        if let Some(problem) = config.problem() {
            candle_core::bail!("{problem}");
        }
        let hidden_size = config.hidden_size;
        // A BERT inside another model has a name in front.
        let inner = weights.contains_tensor("bert.embeddings.word_embeddings.weight");
        let weights = if inner { weights.pp("bert") } else { weights };
        let table = |count: usize, name: &str| {
            let table = weights.pp("embeddings").pp(name);
            table.get((count, hidden_size), "weight")
        };
        let kinds = table(config.type_vocab_size, "token_type_embeddings")?;
        let positions = table(config.max_position_embeddings, "position_embeddings")?;
        let layers = (0..config.num_hidden_layers).map(|number| {
            let weights = weights.pp("encoder.layer").pp(number);
            Layer::load(config, &weights)
        });
        Ok(Self {
            word_embeddings: table(config.vocab_size, "word_embeddings")?,
            position_embeddings: positions.broadcast_add(&kinds.narrow(0, 0, 1)?)?,
            norm: Norm::load(config, &weights.pp("embeddings"))?,
            layers: layers.collect::<candle_core::Result<_>>()?,
            config: config.clone(),
        })
    }

    /// What it was built by.
    #[must_use]
    pub fn config(&self) -> &BertConfig {
        &self.config
    }

    /// The tokens of some texts as the last layer knows them: `(tokens of all texts, hidden_size)`, one text behind the other.
    ///
    /// Fails when a text is longer than the model can read, or has a token that it does not know.
    pub fn forward<I: AsRef<[u32]>>(&self, texts: &[I]) -> Result<Tensor> {
        let lengths: Vec<usize> = texts.iter().map(|ids| ids.as_ref().len()).collect();
        let limit = self.config.max_position_embeddings;
        if let Some(length) = lengths.iter().find(|length| **length > limit) {
            return Err(Error::Argument(format!(
                "texts: expected at most {limit} tokens each, found {length}"
            )));
        }
        let ids: Vec<u32> = texts.iter().flat_map(|ids| ids.as_ref()).copied().collect();
        if ids.is_empty() {
            return Ok(self.word_embeddings.narrow(0, 0, 0)?);
        }
        // On a thread of the pool, which hands work to the others sooner than a thread from outside.
        rayon::join(|| self.read(ids, &lengths), || ()).0
    }

    /// The same for the ids of all texts, one text behind the other.
    fn read(&self, ids: Vec<u32>, lengths: &[usize]) -> Result<Tensor> {
        let count = ids.len();
        let positions = lengths.iter().flat_map(|length| 0..*length as u32);
        let positions = Tensor::from_vec(positions.collect::<Vec<u32>>(), count, &Device::Cpu)?; // (tokens)
        let ids = Tensor::from_vec(ids, count, &Device::Cpu)?; // (tokens)
        let words = self.word_embeddings.index_select(&ids, 0)?; // (tokens, hidden_size)
        let places = self.position_embeddings.index_select(&positions, 0)?; // (tokens, hidden_size)
        let mut tokens = self.norm.forward(&(words + places)?)?;
        for layer in &self.layers {
            tokens = layer.forward(&tokens, lengths)?;
        }
        Ok(tokens)
    }
}

/// Tokens look at each other, then each thinks for itself; what they find is added and normalised.
#[derive(Debug, Clone)]
struct Layer {
    num_heads: usize,
    query_key_value: PackedLinear,
    output: PackedLinear,
    attention_norm: Norm,
    intermediate: PackedLinear,
    feed_forward_output: PackedLinear,
    feed_forward_norm: Norm,
}

impl Layer {
    fn load(config: &BertConfig, weights: &VarBuilder) -> candle_core::Result<Self> {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let attention = weights.pp("attention");
        let linear = |inputs, outputs, weights: VarBuilder| {
            let weight = weights.get((outputs, inputs), "weight")?;
            pack(&weight, &weights.get(outputs, "bias")?)
        };
        let three = ["query", "key", "value"].map(|name| attention.pp("self").pp(name));
        let three_weights = three
            .each_ref()
            .map(|one| one.get((hidden, hidden), "weight"));
        let three_biases = three.each_ref().map(|one| one.get(hidden, "bias"));
        let [query, key, value] = three_weights;
        let weight = Tensor::cat(&[query?, key?, value?], 0)?; // (3 · hidden_size, hidden_size)
        let [query, key, value] = three_biases;
        let bias = Tensor::cat(&[query?, key?, value?], 0)?; // (3 · hidden_size)
        Ok(Self {
            num_heads: config.num_attention_heads,
            query_key_value: pack(&weight, &bias)?,
            output: linear(hidden, hidden, attention.pp("output.dense"))?,
            attention_norm: Norm::load(config, &attention.pp("output"))?,
            intermediate: linear(hidden, inner, weights.pp("intermediate.dense"))?,
            feed_forward_output: linear(inner, hidden, weights.pp("output.dense"))?,
            feed_forward_norm: Norm::load(config, &weights.pp("output"))?,
        })
    }

    /// From `(tokens, hidden_size)` to the same shape.
    fn forward(&self, tokens: &Tensor, lengths: &[usize]) -> Result<Tensor> {
        let three = self.query_key_value.forward(tokens)?; // (tokens, 3 · hidden_size)
        let found = attention(&three, lengths, self.num_heads)?; // (tokens, hidden_size)
        let found = self.output.forward(&found)?;
        let tokens = self.attention_norm.forward(&(tokens + found)?)?;
        let inner = self.intermediate.forward(&tokens)?; // (tokens, intermediate_size)
        inner.inplace_op1(&Gelu)?;
        let found = self.feed_forward_output.forward(&inner)?; // (tokens, hidden_size)
        self.feed_forward_norm.forward(&(tokens + found)?)
    }
}

/// The layer, in the form in which it is quick to use.
fn pack(weight: &Tensor, bias: &Tensor) -> candle_core::Result<PackedLinear> {
    PackedLinear::new(weight, bias).map_err(candle_core::Error::wrap)
}

#[derive(Debug, Clone)]
struct Norm {
    weight: Tensor,
    bias: Tensor,
    epsilon: f64,
}

impl Norm {
    fn load(config: &BertConfig, weights: &VarBuilder) -> candle_core::Result<Self> {
        let weights = weights.pp("LayerNorm");
        Ok(Self {
            weight: weights.get(config.hidden_size, "weight")?,
            bias: weights.get(config.hidden_size, "bias")?,
            epsilon: config.layer_norm_eps,
        })
    }

    fn forward(&self, rows: &Tensor) -> Result<Tensor> {
        layer_norm(rows, &self.weight, &self.bias, self.epsilon)
    }
}
