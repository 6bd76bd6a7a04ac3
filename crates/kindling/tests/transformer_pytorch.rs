//! Attention, normalisation, layers and the whole Transformer give what PyTorch's give, with the same weights: `fixtures/transformer.py`,
//! which also says how PyTorch's parameters are named here.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)] // tests may fail loudly

mod fixture;

use std::collections::BTreeMap;

use candle_core::{Device, Tensor, Var, backprop::GradStore};
use fixture::Numbers;
use kindling::{
    data::Random,
    models::{Model, Transformer, TransformerConfig},
    nn::{DecoderLayer, EncoderLayer, LayerNorm, MultiHeadAttention},
    ops::cross_entropy,
    text::{causal_mask, padding_mask},
};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Case {
    name: String,
    parameters: BTreeMap<String, Numbers>,
    gradients: BTreeMap<String, Numbers>,
    inputs: BTreeMap<String, Numbers>,
    input_gradients: BTreeMap<String, Numbers>,
    output: Numbers,
    loss: f32,
    probe: Option<Numbers>,
    weights: Option<Numbers>,
    #[serde(flatten)]
    more: BTreeMap<String, Value>,
}

fn cases(name: &str) -> Vec<Case> {
    let all: Vec<Case> =
        serde_json::from_str(include_str!("../fixtures/transformer.json")).unwrap();
    let cases: Vec<Case> = all.into_iter().filter(|case| case.name == name).collect();
    assert!(!cases.is_empty(), "{name}");
    cases
}

impl Case {
    fn input(&self, name: &str) -> Var {
        Var::from_tensor(&self.inputs[name].tensor()).unwrap()
    }

    fn ids(&self, name: &str) -> Tensor {
        let ids: Vec<Vec<u32>> = serde_json::from_value(self.more[name].clone()).unwrap();
        Tensor::new(ids, &Device::Cpu).unwrap()
    }

    /// Gives the parameters PyTorch's numbers: each of them, and no other.
    fn load(&self, state: &[(String, Var)]) {
        let mut names: Vec<&String> = state.iter().map(|(name, _)| name).collect();
        names.sort();
        assert_eq!(names, self.parameters.keys().collect::<Vec<_>>());
        for (name, var) in state {
            var.set(&self.parameters[name].tensor()).unwrap();
        }
    }

    /// Compares output, loss and all gradients, of parameters and inputs.
    fn check(
        &self,
        output: &Tensor,
        loss: Option<Tensor>,
        state: &[(String, Var)],
        inputs: &[(&str, &Var)],
    ) {
        close(output, &self.output.tensor(), &self.name);
        let loss = loss.unwrap_or_else(|| {
            let probe = self.probe.as_ref().unwrap().tensor();
            (output * probe).unwrap().sum_all().unwrap()
        });
        let found = loss.to_scalar::<f32>().unwrap();
        assert!((found - self.loss).abs() < 1e-4, "{found} {}", self.loss);
        let gradients = loss.backward().unwrap();
        let compare = |name: &str, var: &Var, expected: &Numbers| {
            close(
                gradient(&gradients, var),
                &expected.tensor(),
                &format!("{}, gradient of {name}", self.name),
            );
        };
        for (name, var) in state {
            compare(name, var, &self.gradients[name]);
        }
        assert_eq!(inputs.len(), self.input_gradients.len());
        for (name, var) in inputs {
            compare(name, var, &self.input_gradients[*name]);
        }
    }
}

fn gradient<'a>(gradients: &'a GradStore, var: &Var) -> &'a Tensor {
    gradients.get(var).unwrap()
}

fn close(found: &Tensor, expected: &Tensor, what: &str) {
    assert_eq!(found.dims(), expected.dims(), "{what}");
    let numbers = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    for (place, (a, b)) in numbers(found).iter().zip(numbers(expected)).enumerate() {
        let allowed = 1e-5 * b.abs().max(1.0);
        assert!(
            (a - b).abs() <= allowed,
            "{what}, number {place}: {a} and not {b}"
        );
    }
}

/// The second example's last token is padding.
fn padding() -> Tensor {
    let mask = Tensor::new(
        &[[1_f32, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 0.0]],
        &Device::Cpu,
    )
    .unwrap();
    padding_mask(&mask).unwrap()
}

#[test]
fn layer_norm_is_pytorchs() {
    let case = &cases("layer_norm")[0];
    let (norm, tokens) = (LayerNorm::new(8).unwrap(), case.input("tokens"));
    let state = norm.state("norm");
    case.load(&state);
    let output = norm.forward(&tokens).unwrap();
    case.check(&output, None, &state, &[("tokens", &tokens)]);
}

#[test]
fn multi_head_attention_is_pytorchs() {
    for case in cases("attention") {
        let attention = MultiHeadAttention::new(8, 2, 0.0, &mut Random::new(0)).unwrap();
        let state = attention.state("attention");
        let state: Vec<(String, Var)> = state
            .into_iter()
            .map(|(name, var)| (name.replace("attention.", ""), var))
            .collect();
        case.load(&state);
        let queries = case.input("queries");
        let (output, weights) = if case.more["mask"] == "causal" {
            let mask = causal_mask(3).unwrap();
            let memory = attention.key_value(&queries).unwrap();
            let results = attention
                .attend(&queries, &memory, Some(&mask), None)
                .unwrap();
            case.check(&results.0, None, &state, &[("queries", &queries)]);
            results
        } else {
            let memory = case.input("memory");
            let pairs = attention.key_value(&memory).unwrap();
            let results = attention
                .attend(&queries, &pairs, Some(&padding()), None)
                .unwrap();
            let inputs = [("queries", &queries), ("memory", &memory)];
            case.check(&results.0, None, &state, &inputs);
            results
        };
        assert_eq!(output.dims(), [2, 3, 8]);
        close(
            &weights,
            &case.weights.as_ref().unwrap().tensor(),
            "weights",
        );
    }
}

#[test]
fn the_encoder_layer_is_pytorchs() {
    let case = &cases("encoder_layer")[0];
    let layer = EncoderLayer::new(8, 2, 12, 0.0, &mut Random::new(0)).unwrap();
    let state = unprefixed(layer.state("x"));
    case.load(&state);
    let tokens = case.input("tokens");
    let output = layer.forward(&tokens, Some(&padding()), None).unwrap();
    case.check(&output, None, &state, &[("tokens", &tokens)]);
}

#[test]
fn the_decoder_layer_is_pytorchs() {
    let case = &cases("decoder_layer")[0];
    let layer = DecoderLayer::new(8, 2, 12, 0.0, &mut Random::new(0)).unwrap();
    let state = unprefixed(layer.state("x"));
    case.load(&state);
    let (tokens, memory) = (case.input("tokens"), case.input("memory"));
    let mut cache = layer.cache(&memory).unwrap();
    let mask = causal_mask(3).unwrap();
    let (output, _) = layer
        .forward(&tokens, &mut cache, Some(&mask), Some(&padding()), None)
        .unwrap();
    case.check(
        &output,
        None,
        &state,
        &[("tokens", &tokens), ("memory", &memory)],
    );
}

fn unprefixed(state: Vec<(String, Var)>) -> Vec<(String, Var)> {
    let pairs = state.into_iter();
    pairs
        .map(|(name, var)| (name.trim_start_matches("x.").to_owned(), var))
        .collect()
}

/// With tables of their own, and with one for source, target and output; the latter through the loss of a translator.
#[test]
fn the_whole_transformer_is_pytorchs() {
    let cases = cases("transformer");
    assert_eq!(cases.len(), 2);
    for case in cases {
        let sizes: [usize; 2] = serde_json::from_value(case.more["vocabularies"].clone()).unwrap();
        let config = TransformerConfig {
            source_vocabulary: sizes[0],
            target_vocabulary: sizes[1],
            shared_embedding: case.more["shared"] == true,
            hidden_size: 4,
            num_heads: 2,
            num_layers: 2,
            feed_forward_size: 6,
            max_length: 4,
            ..TransformerConfig::default()
        };
        let model = Transformer::new(&config, 0).unwrap();
        let state = model.state();
        case.load(&state);
        let (source, target_in) = (case.ids("source"), case.ids("target_in"));
        let logits = model
            .forward(&source, &case.ids("mask"), &target_in)
            .unwrap();
        let loss = config.shared_embedding.then(|| {
            // Of five tokens; the sixth is padding.
            let targets = case.ids("target_out").flatten_all().unwrap();
            let real: Vec<u32> = (0..6).filter(|&at| at != 5).collect();
            let real = Tensor::new(real, &Device::Cpu).unwrap();
            let logits = logits
                .flatten_to(1)
                .unwrap()
                .index_select(&real, 0)
                .unwrap();
            let targets = targets.index_select(&real, 0).unwrap();
            cross_entropy(&logits, &targets, 0.1).unwrap()
        });
        case.check(&logits, loss, &state, &[]);
    }
}
