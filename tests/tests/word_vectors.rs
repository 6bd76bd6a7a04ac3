//! `course train word2vec`: what it writes, and what wrong input is told.

use anyhow::{Context, Result};
use kindling_tests::{error, models, refusal, text, written};
use std::path::Path;
use std::process::Command;

/// The command on this text; it writes into the folder.
fn train(folder: &Path, file: &str) -> Result<Command> {
    let mut command = models(["train", "word2vec", "--data", file, "--epochs", "2"])?;
    command
        .args(["--dimension", "8"])
        .env("KINDLING_CACHE", "/nowhere");
    command
        .env_remove("KINDLING_MIRROR")
        .env("KINDLING_COURSE", "/nowhere");
    command.arg("--out").arg(folder);
    Ok(command)
}

/// Sentences about five things, each often enough.
fn sentences() -> String {
    let things = ["cats", "dogs", "trees", "rivers", "stars"];
    let line = |number: usize| {
        format!(
            "The {} and the {}.\n",
            things[number % 5],
            things[number % 3]
        )
    };
    (0..200).map(line).collect()
}

#[test]
fn vectors_are_written_in_both_formats_and_do_not_depend_on_threads() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = written(folder.path(), "text.txt", sentences().as_bytes())?;
    let mut texts = Vec::new();
    for threads in ["1", "2"] {
        let out = folder.path().join(threads);
        let output = train(&out, &file)?.args(["--threads", threads]).output()?;
        assert!(output.status.success(), "{}", text(&output.stderr));
        let said = text(&output.stdout);
        assert!(
            said.contains("skip-gram, seed 0: 1000 words in 200 sentences"),
            "{said}"
        );
        assert!(said.contains("a vector for each of 8 words"), "{said}");
        texts.push(std::fs::read_to_string(out.join("seed-0.txt"))?);
        let weights = std::fs::read(out.join("seed-0.safetensors"))?;
        let (length, rest) = weights.split_first_chunk().context("no header")?;
        let header = &rest[..usize::try_from(u64::from_le_bytes(*length))?];
        let header: serde_json::Value = serde_json::from_slice(header)?;
        assert_eq!(header["embeddings"]["shape"], serde_json::json!([8, 8]));
        assert_eq!(header["__metadata__"]["model"], "word2vec");
        assert_eq!(header["__metadata__"]["licence"], "as your text");
        assert!(!out.join("seed-0.txt.part").exists());
    }
    assert_eq!(texts[0], texts[1]);
    let mut lines = texts[0].lines();
    assert_eq!(lines.next(), Some("8 8"));
    assert!(lines.all(|line| line.split(' ').count() == 9));
    Ok(())
}

#[test]
fn built_in_sentences_teach_their_analogies() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut command = models([
        "train",
        "word2vec",
        "--builtin",
        "--mode",
        "cbow",
        "--epochs",
        "2",
    ])?;
    command
        .args(["--vector-size", "32", "--out"])
        .arg(folder.path());
    let output = command.output()?;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    assert_eq!(said.matches("\nnearest to ").count(), 5, "{said}");
    let score = said
        .lines()
        .find(|line| line.contains(" % of 224 analogies"));
    let score = score.with_context(|| said.clone())?;
    let share: f64 = score.split(' ').next().unwrap_or_default().parse()?;
    assert!(share > 50.0, "{score}");
    Ok(())
}

#[test]
fn wrong_input_is_told_in_one_line() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let written = |name: &str, bytes: &[u8]| written(folder.path(), name, bytes);
    let empty = written("empty.txt", b"")?;
    let marks = written("marks.txt", "… — !\n".as_bytes())?;
    let latin = written("latin.txt", b"two\ncaf\xe9\n")?;
    let good = written("good.txt", sentences().as_bytes())?;
    let inside = format!("{good}/out");
    let cases: &[(&str, &[&str], &str)] = &[
        (&empty, &[], "empty.txt: expected some words, found none"),
        (&marks, &[], "marks.txt: expected some words, found none"),
        (
            &latin,
            &[],
            "latin.txt: line 2: expected text in UTF-8, found the byte 0xe9",
        ),
        (
            "/nowhere.txt",
            &[],
            "--data: expected a text file in UTF-8: /nowhere.txt: No such file",
        ),
        (
            &good,
            &["--epochs", "0"],
            "--epochs: expected at least 1, found 0",
        ),
        (
            &good,
            &["--dimension", "0"],
            "--dimension: expected at least 1, found 0",
        ),
        (
            &good,
            &["--vector-size", "99999999999"],
            "--dimension: expected at most 10000",
        ),
        (
            &good,
            &["--window", "0"],
            "--window: expected at least 1, found 0",
        ),
        (
            &good,
            &["--negative", "0"],
            "--negative: expected at least 1, found 0",
        ),
        (
            &good,
            &["--threads", "0"],
            "--threads: expected at least 1, found 0",
        ),
        (
            &good,
            &["--minimum-count", "0"],
            "--minimum-count: expected at least 1, found 0",
        ),
        (
            &good,
            &["--learning-rate", "NaN"],
            "--learning-rate: expected a positive number, found NaN",
        ),
        (
            &good,
            &["--subsample", "-1"],
            "--subsample: expected a share from 0 to 1",
        ),
        (&good, &["--out", &inside], "this folder cannot be written"),
    ];
    let out = folder.path().join("out");
    for (file, arguments, expected) in cases {
        let message = refusal(train(&out, file)?.args(*arguments))?;
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
    assert!(!out.join("seed-0.txt").exists());

    // The rest is only found when words are counted or trained; where analogies are missing is said before.
    let one = written("one.txt", b"word word word\n")?;
    let output = train(&out, &one)?.output()?;
    assert_eq!(output.status.code(), Some(1));
    let message = text(&output.stderr);
    assert!(
        message.contains(
            "expected at least two different words that occur 5 times or more, found 0 among 1"
        ),
        "{message}"
    );
    let mut builtin = models(["train", "word2vec", "--builtin", "--learning-rate", "1e30"])?;
    let message = error(builtin.args(["--epochs", "1", "--out"]).arg(&out))?;
    assert!(
        message.contains("choose a learning rate below"),
        "{message}"
    );
    assert!(
        !out.join("seed-0.safetensors").exists(),
        "nothing is half-written"
    );
    Ok(())
}

#[test]
fn words_that_are_no_option_are_refused() -> Result<()> {
    for arguments in [
        &["train", "word2vec", "--mode", "glove"][..],
        &["train", "word2vec", "--epochs", "many"],
        &["train", "word2vec", "--batch-size", "3"],
        &["train"],
    ] {
        let output = models(arguments)?.output()?;
        assert!(!output.status.success(), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    let output = models(["train", "word2vec", "--help"])?.output()?;
    assert!(text(&output.stdout).contains("--vector-size"));
    let message = error(&mut models(["train", "word2vex"])?)?;
    assert!(
        message.contains("there is no model `word2vex`") && message.contains("word2vec"),
        "{message}"
    );
    Ok(())
}
