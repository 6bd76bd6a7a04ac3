//! The benchmarks without any peer: each names what is missing, and measures what is there.

use anyhow::{Context, Result};
use kindling_tests::{models, text};
use serde_json::Value;

/// What a benchmark prints where there is no Python.
fn bench(arguments: &[&str], peers: &[&str]) -> Result<Value> {
    let mut command = models(arguments)?;
    command.args([
        "--builtin",
        "--rounds",
        "1",
        "--json",
        "--python",
        "/nowhere/python",
    ]);
    let output = command.output()?;
    let notes = text(&output.stderr);
    assert!(output.status.success(), "{notes}");
    for peer in peers {
        let skipped = format!("skipped: {peer}: cannot start /nowhere/python");
        assert!(notes.contains(&skipped), "{notes}");
    }
    serde_json::from_slice(&output.stdout).context("no report")
}

#[test]
fn a_translator_is_timed() -> Result<()> {
    let report = bench(
        &["bench-seq2seq", "--steps", "1"],
        &["pytorch", "pytorch_best"],
    )?;
    let speed = report["seq2seq"]["ours_tokens_per_s"].as_f64();
    assert!(speed.is_some_and(|speed| speed > 0.0), "{report}");
    assert_eq!(report["seq2seq"]["ratio_to_pytorch"], Value::Null);
    assert_eq!(report["seq2seq"]["pairs"], "built-in sentences");
    Ok(())
}

#[test]
fn a_detector_is_timed() -> Result<()> {
    let report = bench(
        &["bench-detect", "--steps", "1"],
        &["pytorch", "pytorch_best"],
    )?;
    for task in [
        "training",
        "detection",
        "two_stage_training",
        "two_stage_detection",
    ] {
        let speed = report[task]["ours_pictures_per_s"].as_f64();
        assert!(speed.is_some_and(|speed| speed > 0.0), "{report}");
        assert_eq!(report[task]["ratio_to_pytorch"], Value::Null);
    }
    assert_eq!(report["pictures"], "built-in scenes");
    Ok(())
}

#[test]
fn word_vectors_are_timed() -> Result<()> {
    let report = bench(&["bench-embeddings", "--epochs", "1"], &["gensim"])?;
    for mode in ["skip_gram", "cbow"] {
        let speed = report[mode]["ours_words_per_s"].as_f64();
        assert!(speed.is_some_and(|speed| speed > 0.0), "{report}");
        assert!(report[mode]["ours_accuracy"].as_f64().is_some(), "{report}");
    }
    assert_eq!(report["embeddings"]["ratio_to_gensim"], Value::Null);
    assert_eq!(report["embeddings"]["threads"], 2);
    Ok(())
}
