//! A GPT reads alike at once and step by step, sees no later token, and learns.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use candle_core::{Device, Tensor};
use kindling::{
    data::Random,
    models::{Gpt, GptCache, GptConfig, Model},
    ops::token_cross_entropy,
    optim::{AdamW, Optimizer},
};

fn small() -> GptConfig {
    GptConfig {
        vocabulary_size: 11,
        hidden_size: 32,
        num_layers: 2,
        num_heads: 4,
        num_key_value_heads: 2,
        feed_forward_size: 48,
        max_length: 12,
        ..GptConfig::default()
    }
}

fn ids<const ROWS: usize>(rows: &[[u32; 6]; ROWS]) -> Tensor {
    Tensor::new(rows, &Device::Cpu).unwrap()
}

fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
    let difference = (a - b).unwrap().abs().unwrap();
    difference.max_all().unwrap().to_scalar::<f32>().unwrap()
}

#[test]
fn reading_in_pieces_is_reading_at_once() {
    for tied_embeddings in [true, false] {
        let config = GptConfig {
            tied_embeddings,
            ..small()
        };
        let model = Gpt::new(&config, 1).unwrap();
        let text = ids(&[[1, 5, 3, 9, 2, 7], [4, 4, 0, 10, 6, 8]]);
        let at_once = model.forward(&text).unwrap(); // (batch, time, vocabulary_size)
        for pieces in [vec![6], vec![1; 6], vec![4, 2], vec![2, 1, 3]] {
            let (mut cache, mut first) = (GptCache::default(), 0);
            for piece in pieces {
                let part = text.narrow(1, first, piece).unwrap();
                let logits = model.read(&part, &mut cache).unwrap(); // (batch, vocabulary_size)
                first += piece;
                let expected = at_once.narrow(1, first - 1, 1).unwrap().squeeze(1).unwrap();
                assert!(largest_difference(&logits, &expected) < 1e-5);
            }
            assert_eq!(cache.len(), 6);
        }
    }
}

#[test]
fn no_token_sees_a_later_one() {
    let model = Gpt::new(&small(), 2).unwrap();
    let one = model.forward(&ids(&[[1, 5, 3, 9, 2, 7]])).unwrap();
    let other = model.forward(&ids(&[[1, 5, 3, 9, 8, 0]])).unwrap();
    let part = |logits: &Tensor, first, count| logits.narrow(1, first, count).unwrap();
    assert_eq!(
        largest_difference(&part(&one, 0, 4), &part(&other, 0, 4)),
        0.0
    );
    assert!(largest_difference(&part(&one, 4, 1), &part(&other, 4, 1)) > 1e-4);
}

#[test]
fn only_distance_matters_to_rotated_positions() {
    // A text of one token, repeated: what each place finds is the same, so all places say the same.
    let model = Gpt::new(&small(), 3).unwrap();
    let logits = model.forward(&ids(&[[4; 6]])).unwrap();
    let place = |place| logits.narrow(1, place, 1).unwrap();
    assert!(largest_difference(&place(0), &place(5)) < 1e-5);
}

#[test]
fn gradients_reach_all_parameters_and_a_loss_falls() {
    let model = Gpt::new(&small(), 4).unwrap();
    let text = ids(&[[1, 2, 3, 1, 2, 3], [5, 6, 7, 5, 6, 7]]);
    let next = ids(&[[2, 3, 1, 2, 3, 1], [6, 7, 5, 6, 7, 5]]);
    let mut optimizer = AdamW::new(model.parameters(), 0.01).unwrap();
    let mut losses = Vec::new();
    for _ in 0..120 {
        let logits = model.forward_training(&text, &mut Random::new(0)).unwrap();
        let loss = token_cross_entropy(&logits, &next, u32::MAX, 0.0).unwrap();
        losses.push(loss.to_scalar::<f32>().unwrap());
        let gradients = loss.backward().unwrap();
        for (name, parameter) in model.state() {
            assert!(gradients.get(&parameter).is_some(), "{name}");
        }
        optimizer.step(&gradients).unwrap();
    }
    assert!((losses[0] - 11_f32.ln()).abs() < 0.1, "{losses:?}");
    assert!(losses[119] < 0.1, "{losses:?}");
}

#[test]
fn what_makes_no_model_or_is_too_long_is_named() {
    let problem = |config: GptConfig| Gpt::new(&config, 0).unwrap_err().to_string();
    let wrong = |num_heads, num_key_value_heads| {
        problem(GptConfig {
            num_heads,
            num_key_value_heads,
            ..small()
        })
    };
    assert_eq!(
        wrong(3, 3),
        "num_attention_heads: expected a divisor of half of hidden_size, 32, found 3"
    );
    assert_eq!(
        wrong(4, 3),
        "num_key_value_heads: expected a divisor of num_attention_heads, 4, found 3"
    );
    let model = Gpt::new(&small(), 0).unwrap();
    let long = Tensor::zeros((1, 13), candle_core::DType::U32, &Device::Cpu).unwrap();
    assert_eq!(
        model.forward(&long).unwrap_err().to_string(),
        "ids: expected 1 to 12 tokens in all, found 13"
    );
    let unknown = ids(&[[1, 2, 3, 4, 5, 11]]);
    assert!(
        model
            .forward(&unknown)
            .unwrap_err()
            .to_string()
            .contains("below 11, found 11")
    );
}

#[test]
fn a_config_is_read_as_transformers_writes_it() {
    let text = r#"{"architectures": ["LlamaForCausalLM"], "hidden_size": 576, "intermediate_size": 1536, "max_position_embeddings": 8192,
        "num_attention_heads": 9, "num_hidden_layers": 30, "num_key_value_heads": 3, "rms_norm_eps": 1e-05, "rope_theta": 100000,
        "tie_word_embeddings": true, "vocab_size": 49152}"#;
    let config: GptConfig = serde_json::from_str(text).unwrap();
    assert_eq!((config.num_layers, config.num_key_value_heads), (30, 3));
    assert_eq!(config.rope_theta, 100_000.0);
    let again = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<GptConfig>(&again).unwrap(), config);
}
