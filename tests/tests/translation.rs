//! The commands that translate: what wrong input is told, before training, and by a trained model.

use anyhow::{Context, Result};
use kindling_tests::{error, models, refusal, text, written};
use std::path::Path;

/// Trains a tiny translator on so many built-in pairs; returns the file of its weights.
fn trained(folder: &Path, pairs: &str) -> Result<String> {
    let mut command = models([
        "train",
        "transformer-translate",
        "--builtin",
        "--limit",
        pairs,
    ])?;
    command.args(["--epochs", "1", "--out"]).arg(folder);
    let output = command.output()?;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let file = folder.join("seed-0.safetensors");
    Ok(file.display().to_string())
}

#[test]
fn wrong_text_is_told_in_one_line() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let weights = trained(folder.path(), "24")?;
    let written = |name: &str, bytes: &[u8]| written(folder.path(), name, bytes);
    let good = written("good.txt", b"a dog runs .\n\n")?;
    let output = models(["translate", &good, "--weights", &weights])?.output()?;
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout).lines().count(), 2);

    let measured = ["eval", "transformer-translate", "--builtin", "--limit", "3"];
    let output = models(measured)?
        .args(["--json", "--weights", &weights])
        .output()?;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let line: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    assert!(
        line["bleu"].as_f64().is_some() && line["examples"] == 3,
        "{line}"
    );
    let message = refusal(&mut models(["eval", "--weights", &weights])?)?;
    assert!(
        message.contains("say with --data FILE or --builtin what to measure on"),
        "{message}"
    );

    let empty = written("empty.txt", b"")?;
    let blank = written("blank.txt", b" \n\t\n")?;
    let latin = written("latin.txt", b"caf\xe9 noir\n")?;
    let cases: &[(&[&str], &str)] = &[
        (&[&empty], "empty.txt: expected some text, found none"),
        (&[&blank], "blank.txt: expected some text, found none"),
        (&["-"], "standard input: expected some text, found none"),
        (
            &[&latin],
            "latin.txt: expected text in UTF-8, found something else at byte 3",
        ),
        (&["/nowhere.txt"], "/nowhere.txt: No such file"),
        (
            &[&good, "--beam", "0"],
            "--beam: expected at least 1, found 0",
        ),
        (
            &[&good, "--beam", "1000000"],
            "--beam: expected at most 64, found 1000000",
        ),
        (
            &[&good, "--model", "babel"],
            "there is no translator `babel`; there are: transformer-translate, gru-translate",
        ),
        (
            &[&good, "--model", "gru-translate"],
            "these are weights of transformer-translate, expected gru-translate",
        ),
    ];
    for (arguments, expected) in cases {
        let mut command = models(["translate", "--weights", &weights])?;
        let message = refusal(command.args(*arguments))?;
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }

    // What comes before the sentence that is too long is translated.
    let long = format!("a dog runs .\n{}\n", "dog ".repeat(400));
    let long = written("long.txt", long.as_bytes())?;
    let message = error(&mut models(["translate", &long, "--weights", &weights])?)?;
    assert!(
        message.contains("long.txt, line 2: expected a sentence of at most 256 tokens, found"),
        "{message}"
    );
    Ok(())
}

#[test]
fn wrong_weights_are_told_in_one_line() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let weights = trained(folder.path(), "24")?;
    let good = written(folder.path(), "good.txt", b"a dog runs .\n")?;
    let whole = std::fs::read(&weights)?;
    let told = |weights: &str| refusal(&mut models(["translate", &good, "--weights", weights])?);

    let mut changed = whole.clone();
    let last = changed.last_mut().context("no weights")?;
    *last ^= 1;
    let mut endless = whole.clone();
    endless[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    let words = String::from_utf8_lossy(&whole[8..])
        .find("\"shape\":[")
        .context("no shape")?;
    let mut larger = whole.clone();
    larger[8 + words + 9] = b'9'; // the first digit of a size
    for (name, bytes, expected) in [
        (
            "half",
            &whole[..whole.len() / 2],
            "damaged, or not a safetensors file",
        ),
        ("none", &[], "damaged, or not a safetensors file"),
        (
            "changed",
            &changed,
            "damaged, or not a safetensors file: the checksum is",
        ),
        ("endless", &endless, "damaged, or not a safetensors file"),
        ("larger", &larger, "damaged, or not a safetensors file"),
    ] {
        let file = written(folder.path(), name, bytes)?;
        let message = told(&file)?;
        assert!(
            message.contains(expected) && message.contains(&file),
            "{name}: {message}"
        );
    }
    let message = told("/nowhere.safetensors")?;
    assert!(
        message.contains("/nowhere.safetensors: there is no such file of weights"),
        "{message}"
    );
    Ok(())
}

#[test]
fn a_tokenizer_that_does_not_belong_to_the_weights_is_told_in_one_line() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let weights = trained(folder.path(), "24")?;
    let good = written(folder.path(), "good.txt", b"a dog runs .\n")?;
    let told = || refusal(&mut models(["translate", &good, "--weights", &weights])?);
    let tokenizer = folder.path().join("seed-0.tokenizer");

    let other = tempfile::tempdir()?;
    trained(other.path(), "8")?;
    let kept = folder.path().join("kept");
    std::fs::rename(&tokenizer, &kept)?;
    let message = told()?;
    assert!(
        message.contains("seed-0.tokenizer: expected the tokenizer that belongs to the weights"),
        "{message}"
    );
    std::fs::rename(other.path().join("seed-0.tokenizer"), &tokenizer)?;
    let message = told()?;
    assert!(
        message.contains("tokens of") && message.contains("`embedding.weight` is ["),
        "{message}"
    );
    std::fs::write(tokenizer.join("vocab.json"), "{\"a\": ")?;
    let message = told()?;
    assert!(message.contains("vocab.json"), "{message}");
    Ok(())
}

#[test]
fn wrong_pairs_are_told_in_one_line() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let written = |name: &str, bytes: &[u8]| written(folder.path(), name, bytes);
    let out = folder.path().join("out").display().to_string();
    let empty = written("empty.tsv", b"")?;
    let latin = written("latin.tsv", b"a\tb\ncaf\xe9\tKaffee\n")?;
    let no_tab = written("no-tab.tsv", b"one\tun\ntwo deux\n")?;
    let one_side = written("one-side.tsv", b"one\t\n")?;
    let one = written("one.tsv", b"one\tun\n")?;
    let long: String = (0..40)
        .map(|number| format!("{}\t{number}\n", "\u{1F600}\u{1F680} ".repeat(400 + number)))
        .collect();
    let long = written("long.tsv", long.as_bytes())?;
    let file = written("file", b"")?;
    let inside = format!("{file}/out");
    let cases: &[(&[&str], &str)] = &[
        (
            &["--data", &empty],
            "empty.tsv: line 1: expected a sentence, found an empty file",
        ),
        (
            &["--data", &latin],
            "latin.tsv: line 2: expected text in UTF-8, found the byte 0xe9",
        ),
        (
            &["--data", &no_tab],
            "no-tab.tsv: line 2: expected a tab between source and target",
        ),
        (
            &["--data", &one_side],
            "one-side.tsv: line 1: expected a tab between source and target",
        ),
        (
            &["--data", &one],
            "one.tsv: expected at least 10 pairs, so that some can be kept aside to measure by, found 1",
        ),
        (&["--data", &long], "at most 255 tokens"),
        (
            &["--data", "/nowhere.tsv"],
            "--data: expected a file of pairs: /nowhere.tsv: No such file",
        ),
        (
            &["--from", "en", "--to", "xx"],
            "--from en --to xx: expected two of en, de and fr",
        ),
        (
            &["--builtin", "--limit", "0"],
            "--limit: expected at least 1, found 0",
        ),
        (
            &["--builtin", "--epochs", "0"],
            "--epochs: expected at least 1, found 0",
        ),
        (
            &["--builtin", "--batch-size", "0"],
            "--batch-size: expected at least 1, found 0",
        ),
        (
            &["--builtin", "--learning-rate", "-1"],
            "--learning-rate: expected a positive number, found -1",
        ),
        (
            &["--builtin", "--out", &inside],
            "this folder cannot be written",
        ),
    ];
    for (arguments, expected) in cases {
        let mut command = models(["train", "transformer-translate", "--out", &out])?;
        let message = error(command.args(*arguments))?;
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
    Ok(())
}
