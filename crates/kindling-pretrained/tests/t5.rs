//! T5 gives the logits and the answers of transformers (`fixtures/t5.py`), and summaries keep to their limits.
#![allow(clippy::unwrap_used)]

use std::{fs, path::PathBuf};

use kindling::decode::StepModel;
use kindling_pretrained::{Pretrained, summarizer};
use serde_json::Value;

const MODELS: [&str; 2] = ["t5-relu", "t5-gated"];

fn folder(model: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(model)
}

fn fixture() -> Value {
    serde_json::from_str(include_str!("../fixtures/t5.json")).unwrap()
}

fn read<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn logits_are_those_of_transformers() {
    let fixture = fixture();
    for model in MODELS {
        let pretrained = Pretrained::open(folder(model)).unwrap();
        let texts = fixture["texts"].as_array().unwrap();
        let answers = fixture["models"][model].as_array().unwrap();
        assert_eq!((texts.len(), answers.len()), (3, 3));
        for (text, expected) in texts.iter().zip(answers) {
            let ids = pretrained.tokens(text.as_str().unwrap()).unwrap();
            assert_eq!(ids, read::<Vec<u32>>(&expected["ids"]));
            let steps: Vec<usize> = read(&expected["steps"]);
            let logits: Vec<Vec<f32>> = read(&expected["logits"]);
            let mut answer = pretrained.t5().read(&ids).unwrap();
            let mut largest = 0.0_f32;
            for (step, token) in read::<Vec<u32>>(&expected["inputs"])
                .into_iter()
                .enumerate()
            {
                let (next, found) = pretrained
                    .t5()
                    .next_logits(&[answer], &[token])
                    .unwrap()
                    .remove(0);
                answer = next;
                let Some(place) = steps.iter().position(|wanted| *wanted == step) else {
                    continue;
                };
                assert_eq!(found.len(), logits[place].len());
                for (found, expected) in found.iter().zip(&logits[place]) {
                    largest = largest.max((found - expected).abs());
                }
            }
            println!(
                "{model}, {} tokens: largest difference {largest:.1e}",
                ids.len()
            );
            assert!(largest < 1e-4, "{model} {text}: {largest}");
        }
    }
}

#[test]
fn greedy_answers_are_those_of_transformers() {
    let fixture = fixture();
    for model in MODELS {
        let pretrained = Pretrained::open(folder(model)).unwrap();
        for expected in fixture["models"][model].as_array().unwrap() {
            let ids: Vec<u32> = read(&expected["ids"]);
            // At least 20 tokens and the end, at most 40 with it.
            let mut found = pretrained.answer(&ids, &(20..41)).unwrap();
            let greedy: Vec<u32> = read(&expected["greedy"]);
            if found.len() < greedy.len() {
                found.push(1);
            }
            assert_eq!(found, greedy, "{model}");
        }
    }
}

#[test]
fn several_beams_keep_to_the_limits_too() {
    for model in MODELS {
        let pretrained = Pretrained::open(folder(model)).unwrap();
        let ids = pretrained.tokens("summarize: The river rose.").unwrap();
        for beams in [1, 4] {
            let found = pretrained
                .clone()
                .beams(beams)
                .answer(&ids, &(5..20))
                .unwrap();
            assert!((5..20).contains(&found.len()), "{beams}: {found:?}");
        }
        assert!(pretrained.beams(0).answer(&ids, &(5..20)).is_err());
    }
}

#[test]
fn summaries_keep_to_their_limits_and_no_text_is_too_long() {
    let name = folder("t5-relu").display().to_string();
    let summarizer = summarizer(&name).unwrap();
    assert_eq!(summarizer.engine(), format!("pretrained ({name})"));
    assert_eq!(summarizer.unit().to_string(), "tokens");
    let short = summarizer.summarize("The river rose.", 3..12).unwrap();
    assert_eq!(
        short,
        summarizer.summarize("The river rose.", 3..12).unwrap()
    );
    // A text that is shorter than what is asked for has no longer summary.
    let tokens = |text: &str| Pretrained::open(&name).unwrap().tokens(text).unwrap().len();
    let brief = summarizer.summarize("The river rose.", 30..130).unwrap();
    assert!(
        !brief.is_empty() && tokens(&brief) <= tokens("The river rose."),
        "{brief}"
    );
    let long = "By the morning the river stood in the cellars. ".repeat(20); // some times what it reads at once
    let summary = summarizer.summarize(&long, 3..12).unwrap();
    assert!(!summary.is_empty());
    for (text, length, expected) in [
        ("", 3..12, "text: expected at least one word, found none"),
        (" … ", 3..12, "text: expected at least one word, found none"),
        (
            "One.",
            12..12,
            "length: expected limits such as 30..130, found 12..12",
        ),
        (
            "One.",
            0..1,
            "length: expected limits such as 30..130, found 0..1",
        ),
    ] {
        let error = summarizer.summarize(text, length).unwrap_err().to_string();
        assert_eq!(error, expected);
    }
}

/// The fixture's folder in which one thing is wrong, and what is said of it.
fn refused(file: &str, change: impl FnOnce(String) -> String) -> String {
    let copy = tempfile::tempdir().unwrap();
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        fs::copy(folder("t5-relu").join(file), copy.path().join(file)).unwrap();
    }
    let target = copy.path().join(file);
    let text = String::from_utf8_lossy(&fs::read(&target).unwrap()).into_owned();
    fs::write(&target, change(text)).unwrap();
    let error = Pretrained::open(copy.path()).unwrap_err().to_string();
    let path = copy.path().display().to_string();
    assert!(error.starts_with(&path), "the file is named: {error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    error[path.len()..].to_owned()
}

#[test]
fn a_mark_before_the_files_is_no_part_of_them() {
    let copy = tempfile::tempdir().unwrap();
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        let mut bytes = fs::read(folder("t5-relu").join(file)).unwrap();
        if file.ends_with(".json") {
            bytes.splice(0..0, "\u{feff}".bytes());
        }
        fs::write(copy.path().join(file), bytes).unwrap();
    }
    let pretrained = Pretrained::open(copy.path()).unwrap();
    let expected = Pretrained::open(folder("t5-relu")).unwrap();
    let tokens = |pretrained: &Pretrained| pretrained.tokens("The river rose.").unwrap();
    assert_eq!(tokens(&pretrained), tokens(&expected));
}

#[test]
fn what_is_wrong_with_a_folder_is_told_with_the_files_name() {
    let with = |name: &str, value: Value| {
        refused("config.json", |text| {
            let mut settings: Value = serde_json::from_str(&text).unwrap();
            settings[name] = value;
            settings.to_string()
        })
    };
    let error = with("model_type", "bert".into());
    assert_eq!(
        error,
        "/config.json: expected the model_type \"t5\" or \"mt5\", found \"bert\""
    );
    let error = with("num_heads", 0.into());
    assert_eq!(
        error,
        "/config.json: num_heads: expected at least 1, found 0"
    );
    let error = with("relative_attention_num_buckets", 1.into());
    assert!(
        error.starts_with("/config.json: relative_attention_num_buckets: expected"),
        "{error}"
    );
    let error = with("is_encoder_decoder", false.into());
    assert_eq!(
        error,
        "/config.json: is_encoder_decoder: expected true, found false"
    );
    let error = with("feed_forward_proj", "gelu".into());
    assert!(
        error.starts_with("/config.json: feed_forward_proj: expected"),
        "{error}"
    );
    let error = with("eos_token_id", 1000.into());
    assert_eq!(
        error,
        "/config.json: eos_token_id: expected less than vocab_size, 100, found 1000"
    );
    let error = with("n_positions", 4.into());
    assert!(
        error.starts_with("/tokenizer.json: expected room for a text"),
        "{error}"
    );
    for (name, value) in [
        ("d_model", 32),
        ("num_layers", 3),
        ("num_decoder_layers", 4),
        ("num_heads", 2),
    ] {
        let error = with(name, value.into());
        assert!(
            error.starts_with("/model.safetensors: not the weights of the model"),
            "{name}: {error}"
        );
    }
    let error = refused("model.safetensors", |_| "no weights".to_owned());
    assert!(error.starts_with("/model.safetensors: damaged"), "{error}");
    let error = refused("tokenizer.json", |text| text.replace("Unigram", "Polygram"));
    assert!(error.starts_with("/tokenizer.json: "), "{error}");
    let error = summarizer("no/such/folder/here").unwrap_err().to_string();
    assert_eq!(error, "no/such/folder/here: there is no such folder");
}
