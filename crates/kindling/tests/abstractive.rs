//! The summariser with weights of the course: what it keeps to whatever the weights are, and what wrong files are told.
#![allow(clippy::unwrap_used, missing_docs)] // tests may fail loudly

use std::{fs, path::Path};

use kindling::{
    models::{CopyTransformer, CopyTransformerConfig},
    pipeline::{Abstractive, Summarize, Summarizer, Unit, rouge_of_subjects},
    text::Bpe,
    train::save_weights,
};

const TEXT: &str = "The river rose during the night. By morning the river stood in the cellars. The cellars were dry by noon.";

/// Random weights: it says anything, and keeps to the limits all the same.
fn parts(vocabulary_size: usize, seed: u64) -> (CopyTransformer, Bpe) {
    let tokenizer =
        Bpe::train_with_special([TEXT], vocabulary_size, &Abstractive::SPECIAL).unwrap();
    let config = CopyTransformerConfig {
        vocabulary_size: tokenizer.len(),
        hidden_size: 16,
        num_layers: 1,
        feed_forward_size: 16,
        source_length: 40,
        target_length: 10,
        ..CopyTransformerConfig::default()
    };
    (CopyTransformer::new(&config, seed).unwrap(), tokenizer)
}

fn save(model: &CopyTransformer, file: &Path) {
    let (name, sizes) = Abstractive::sizes(&model.config).unwrap();
    save_weights(model, file, &[(name, sizes.as_str())]).unwrap();
}

#[test]
fn limits_are_kept_and_something_is_always_said() {
    for seed in 0..4 {
        let (model, tokenizer) = parts(268, seed);
        let summarizer = Abstractive::new(model, tokenizer).unwrap();
        assert_eq!(summarizer.unit(), Unit::Tokens);
        for beams in [1, 3] {
            let summarizer = summarizer.clone().beams(beams);
            for length in [0..2, 1..4, 5..6, 8..100] {
                for text in ["River", TEXT] {
                    match summarizer.summarize(text, length.clone()) {
                        Ok(summary) => {
                            assert!(!summary.trim().is_empty(), "{length:?} {text}");
                            assert!(!summary.contains("<writer>"), "{summary}");
                        }
                        // Of random weights all tokens may be parts of characters.
                        Err(problem) => {
                            assert!(problem.to_string().contains("found no words"), "{problem}");
                        }
                    }
                }
                let problem = summarizer.summarize("小河。", length.clone()).unwrap_err();
                assert!(problem.to_string().contains("this script"), "{problem}");
            }
            let said = || {
                summarizer
                    .summarize(TEXT, 3..8)
                    .map_err(|problem| problem.to_string())
            };
            assert_eq!(said(), said());
            // White space is all the same.
            let spread = TEXT.replace(' ', "\n  ");
            assert_eq!(summarizer.tokens(&spread), summarizer.tokens(TEXT));
            // So are capitals in what it reads, and what stands behind the beginning.
            assert_eq!(
                summarizer.tokens(&TEXT.to_uppercase()),
                summarizer.tokens(TEXT)
            );
            let tokens = summarizer.tokens(&TEXT.repeat(9));
            assert_eq!(tokens.len(), 40);
            assert!(tokens.starts_with(&summarizer.tokens("The river rose")));
        }
    }
}

#[test]
fn what_cannot_be_summarised_is_named() {
    let (model, tokenizer) = parts(268, 0);
    let summarizer = Abstractive::new(model, tokenizer).unwrap();
    let problem = |text: &str, length| summarizer.summarize(text, length).unwrap_err().to_string();
    assert_eq!(
        problem("", 1..9),
        "text: expected at least one word, found none"
    );
    assert_eq!(
        problem("— …", 1..9),
        "text: expected at least one word, found none"
    );
    assert!(problem(TEXT, 4..4).starts_with("length: expected limits"));
    assert_eq!(
        problem(TEXT, 11..30),
        "length: this summariser writes at most 10 tokens, found at least 11"
    );
    let summarizer = Summarizer::new(summarizer);
    assert!(rouge_of_subjects(&summarizer, &[], 1..9).is_err());
}

#[test]
fn files_that_are_missing_damaged_or_of_something_else_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("subjects.safetensors");
    let problem = || Abstractive::open(&file).unwrap_err().to_string();
    assert!(
        problem().contains("subjects.safetensors: No such file"),
        "{}",
        problem()
    );
    let (model, tokenizer) = parts(268, 5);
    save(&model, &file);
    assert!(
        problem().contains("subjects.tokenizer: expected the tokenizer that belongs"),
        "{}",
        problem()
    );
    tokenizer
        .save(folder.path().join("subjects.tokenizer"))
        .unwrap();
    let opened = Abstractive::open(&file).unwrap();
    let made = Abstractive::new(model.clone(), tokenizer).unwrap();
    assert_eq!(
        opened.summarize(TEXT, 2..9).unwrap(),
        made.summarize(TEXT, 2..9).unwrap()
    );

    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() - 100]).unwrap();
    assert!(
        problem().contains("damaged, or not a safetensors file"),
        "{}",
        problem()
    );
    let sizes = Abstractive::sizes(&model.config).unwrap().0;
    save_weights(&model, &file, &[(sizes, "{}")]).unwrap();
    assert!(
        problem().contains("its sizes cannot be read"),
        "{}",
        problem()
    );
    save_weights(&model, &file, &[]).unwrap();
    assert!(problem().contains("expected weights that `cargo course train summarizer` made"));
    let (larger, other) = parts(272, 5);
    save(&larger, &file);
    assert_ne!(other.len(), opened.tokenizer().len());
    assert!(
        problem().ends_with("they do not belong together"),
        "{}",
        problem()
    );
    let plain = Bpe::train([TEXT], 283).unwrap();
    let mut config = model.config.clone();
    config.vocabulary_size = plain.len();
    let model = CopyTransformer::new(&config, 0).unwrap();
    let error = Abstractive::new(model, plain).unwrap_err().to_string();
    assert!(
        error.starts_with("tokenizer: expected <pad> as token 0"),
        "{error}"
    );
}
