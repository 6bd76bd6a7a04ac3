//! Vectors are those of sentence-transformers (`fixtures/embedder.py`), and our BERT is that of candle-transformers.
//!
//! `KINDLING_MINILM` names the folder of all-MiniLM-L6-v2.
#![allow(clippy::unwrap_used)]

use std::{fs, path::Path, time::Instant};

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert;
use kindling::data::Random;
use kindling_pretrained::{Bert, BertConfig, Embedder};
use serde_json::{Value, json};

fn numbers(value: &Value) -> Vec<f64> {
    let numbers = value.as_array().unwrap();
    numbers
        .iter()
        .map(|number| number.as_f64().unwrap())
        .collect()
}

#[test]
fn vectors_are_sentence_transformers() {
    let Some(folder) = kindling_skip::minilm() else {
        return;
    };
    let fixture: Value = serde_json::from_str(include_str!("../fixtures/embedder.json")).unwrap();
    let sentences = fixture["sentences"].as_array().unwrap();
    assert_eq!(sentences.len(), 100);
    let embedder = Embedder::open(folder).unwrap();
    assert_eq!(embedder.hidden_size(), fixture["hidden_size"]);
    let texts: Vec<&str> = sentences
        .iter()
        .map(|sentence| sentence["text"].as_str().unwrap())
        .collect();
    let vectors = embedder.embed(&texts).unwrap();
    assert_eq!(vectors.dims(), [100, embedder.hidden_size()]);
    let rows = vectors.to_vec2::<f32>().unwrap();
    let mut largest = 0.0_f64;
    for (row, sentence) in rows.iter().zip(sentences) {
        let row: Vec<f64> = row.iter().copied().map(f64::from).collect();
        let length: f64 = row.iter().map(|number| number * number).sum();
        assert!((length - 1.0).abs() < 1e-5);
        let first = numbers(&sentence["first"]);
        let products = numbers(&sentence["products"]);
        let found = (1..=products.len()).map(|k| {
            let direction = (0..row.len()).map(|i| (k as f64 * (i as f64 + 0.5)).cos());
            row.iter().zip(direction).map(|(a, b)| a * b).sum::<f64>()
        });
        let pairs = row.iter().copied().zip(first).chain(found.zip(products));
        for (found, expected) in pairs {
            largest = largest.max((found - expected).abs());
        }
    }
    println!("largest difference {largest:.1e}");
    assert!(largest < 1e-4, "{largest}");

    // However sentences are grouped, each has its vector.
    let alone = embedder.embed(&texts[70..71]).unwrap();
    let difference = (vectors.narrow(0, 70, 1).unwrap() - alone).unwrap();
    let largest = difference.abs().unwrap().max_all().unwrap();
    assert!(largest.to_scalar::<f32>().unwrap() < 1e-6);
    assert_eq!(embedder.embed::<&str>(&[]).unwrap().dims(), [0, 384]);
}

/// A BERT with random weights, in both programs; the shapes are unlike any real one's, so that nothing fits by accident.
#[test]
fn our_bert_is_that_of_candle_transformers() {
    let settings = config();
    let ours: BertConfig = serde_json::from_value(settings.clone()).unwrap();
    let theirs: bert::Config = serde_json::from_value(settings).unwrap();
    let tensors = weights(&ours);
    let weights = || VarBuilder::from_tensors(tensors.clone(), DType::F32, &Device::Cpu);
    let ours = Bert::load(&ours, weights()).unwrap();
    let theirs = bert::BertModel::load(weights(), &theirs).unwrap();
    let mut random = Random::new(2);
    let texts: Vec<Vec<u32>> = [1, 9, 40, 64, 3]
        .iter()
        .map(|length| (0..*length).map(|_| random.below(50) as u32).collect())
        .collect();
    let found = ours.forward(&texts).unwrap();
    let expected = texts.iter().map(|ids| {
        let ids = Tensor::from_slice(ids, (1, ids.len()), &Device::Cpu).unwrap();
        let tokens = theirs.forward(&ids, &ids.zeros_like().unwrap(), None);
        tokens.unwrap().squeeze(0).unwrap()
    });
    let expected = Tensor::cat(&expected.collect::<Vec<_>>(), 0).unwrap();
    assert_eq!(found.dims(), expected.dims());
    let largest = (found - expected)
        .unwrap()
        .abs()
        .unwrap()
        .max_all()
        .unwrap();
    let largest = largest.to_scalar::<f32>().unwrap();
    assert!(largest < 1e-5, "{largest}");
    let error = ours.forward(&[vec![1; 65]]).unwrap_err().to_string();
    assert_eq!(error, "texts: expected at most 64 tokens each, found 65");
}

fn config() -> Value {
    json!({
        "model_type": "bert", "vocab_size": 50, "hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 4,
        "intermediate_size": 40, "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "max_position_embeddings": 64,
        "type_vocab_size": 2, "initializer_range": 0.02, "layer_norm_eps": 1e-12, "pad_token_id": 0,
    })
}

fn weights(config: &BertConfig) -> std::collections::HashMap<String, Tensor> {
    let mut random = Random::new(1);
    let (hidden, inner) = (config.hidden_size, config.intermediate_size);
    let mut shapes = vec![
        (
            "embeddings.word_embeddings.weight".to_owned(),
            vec![config.vocab_size, hidden],
        ),
        (
            "embeddings.position_embeddings.weight".to_owned(),
            vec![config.max_position_embeddings, hidden],
        ),
        (
            "embeddings.token_type_embeddings.weight".to_owned(),
            vec![config.type_vocab_size, hidden],
        ),
    ];
    let mut layer = |name: String, dims: Option<(usize, usize)>| {
        let (outputs, weight) = dims.map_or((hidden, vec![hidden]), |(outputs, inputs)| {
            (outputs, vec![outputs, inputs])
        });
        shapes.push((format!("{name}.weight"), weight));
        shapes.push((format!("{name}.bias"), vec![outputs]));
    };
    layer("embeddings.LayerNorm".to_owned(), None);
    for number in 0..config.num_hidden_layers {
        let name = |part: &str| format!("encoder.layer.{number}.{part}");
        for part in ["self.query", "self.key", "self.value", "output.dense"] {
            layer(name(&format!("attention.{part}")), Some((hidden, hidden)));
        }
        layer(name("attention.output.LayerNorm"), None);
        layer(name("intermediate.dense"), Some((inner, hidden)));
        layer(name("output.dense"), Some((hidden, inner)));
        layer(name("output.LayerNorm"), None);
    }
    let tensor =
        |(name, dims): (String, Vec<usize>)| (name, random.normal(dims, 0.1, 0.5).unwrap());
    shapes.into_iter().map(tensor).collect()
}

/// A model's folder in which one thing is wrong, and what is said of it.
fn refused(change: impl FnOnce(&Path)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let settings = config();
    let tensors = weights(&serde_json::from_value(settings.clone()).unwrap());
    candle_core::safetensors::save(&tensors, folder.path().join("model.safetensors")).unwrap();
    fs::write(folder.path().join("config.json"), settings.to_string()).unwrap();
    let vocabulary: serde_json::Map<String, Value> = [
        ("[UNK]".to_owned(), json!(0)),
        ("word".to_owned(), json!(1)),
    ]
    .into_iter()
    .collect();
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"},
    });
    fs::write(folder.path().join("tokenizer.json"), tokenizer.to_string()).unwrap();
    let works = Embedder::open(folder.path())
        .unwrap()
        .embed(&["word or no word", ""]);
    let works = works.unwrap().to_vec2::<f32>().unwrap();
    assert!(works[0].iter().any(|number| *number != 0.0));
    assert_eq!(works[1], [0.0; 24], "no tokens, no direction");
    change(folder.path());
    let error = Embedder::open(folder.path()).unwrap_err().to_string();
    let path = folder.path().display().to_string();
    assert!(error.starts_with(&path), "the file is named: {error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    error[path.len()..].to_owned()
}

#[test]
fn what_is_wrong_with_a_folder_is_told_with_the_files_name() {
    let change = |settings: Value| {
        let text = settings.to_string();
        refused(|folder| fs::write(folder.join("config.json"), text).unwrap())
    };
    let with = |name: &str, value: Value| {
        let mut settings = config();
        settings[name] = value;
        change(settings)
    };
    let error = refused(|folder| fs::remove_file(folder.join("tokenizer.json")).unwrap());
    assert!(error.ends_with("found no tokenizer.json"), "{error}");
    let error = with("model_type", json!("t5"));
    assert_eq!(
        error,
        "/config.json: expected the model_type \"bert\", found \"t5\""
    );
    let error = with("hidden_act", json!("swish"));
    assert_eq!(
        error,
        "/config.json: hidden_act: expected \"gelu\", found \"swish\""
    );
    let error = with("num_attention_heads", json!(5));
    assert!(
        error.contains("/config.json: num_attention_heads: expected a divisor"),
        "{error}"
    );
    let error = with("vocab_size", json!(1));
    assert!(
        error.contains("/tokenizer.json: expected at most the 1 tokens"),
        "{error}"
    );
    let error = with("hidden_size", json!(48));
    assert!(
        error.contains("/model.safetensors: not the weights of the model"),
        "{error}"
    );
    let error = with("hidden_size", json!("many"));
    assert!(error.contains("/config.json: invalid type"), "{error}");
    let error = refused(|folder| fs::write(folder.join("tokenizer.json"), "{}").unwrap());
    assert!(error.starts_with("/tokenizer.json: "), "{error}");
    for (file, bytes) in [
        ("model.safetensors", &b"weights"[..]),
        ("model.safetensors", b""),
    ] {
        let error = refused(|folder| fs::write(folder.join(file), bytes).unwrap());
        assert!(error.starts_with("/model.safetensors: damaged"), "{error}");
    }
    let pooling = r#"{"pooling_mode_mean_tokens": false}"#;
    let error = refused(|folder| {
        fs::create_dir(folder.join("1_Pooling")).unwrap();
        fs::write(folder.join("1_Pooling/config.json"), pooling).unwrap();
    });
    assert!(
        error.starts_with("/1_Pooling/config.json: expected a model whose"),
        "{error}"
    );
    let error = Embedder::open("no/such/folder").unwrap_err().to_string();
    assert_eq!(error, "no/such/folder: there is no such folder");
}

/// `cargo test -p kindling-pretrained --test embedder -- --ignored --nocapture`: our BERT beside that of candle-transformers.
#[test]
#[ignore = "a measurement"]
fn how_long_a_batch_takes() {
    let Some(folder) = kindling_skip::minilm() else {
        return;
    };
    let read = |file: &str| fs::read(folder.join(file)).unwrap();
    let ours: BertConfig = serde_json::from_slice(&read("config.json")).unwrap();
    let theirs: bert::Config = serde_json::from_slice(&read("config.json")).unwrap();
    let tensors =
        candle_core::safetensors::load(folder.join("model.safetensors"), &Device::Cpu).unwrap();
    let weights = || VarBuilder::from_tensors(tensors.clone(), DType::F32, &Device::Cpu);
    let ours = Bert::load(&ours, weights()).unwrap();
    let theirs = bert::BertModel::load(weights(), &theirs).unwrap();
    let mut random = Random::new(2);
    let texts: Vec<Vec<u32>> = (0..32)
        .map(|_| (0..32).map(|_| random.below(30_000) as u32).collect())
        .collect();
    let ids = Tensor::from_vec(texts.concat(), (32, 32), &Device::Cpu).unwrap();
    let kinds = ids.zeros_like().unwrap();
    for _ in 0..4 {
        let start = Instant::now();
        ours.forward(&texts).unwrap();
        let own = start.elapsed();
        let start = Instant::now();
        theirs.forward(&ids, &kinds, None).unwrap();
        println!(
            "ours {own:.2?}, candle-transformers {:.2?}",
            start.elapsed()
        );
    }
}
