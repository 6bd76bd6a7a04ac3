//! The commands that train: what survives a kill, what is the same on any number of threads, what wrong input is told.

use anyhow::{Context, Result};
use kindling_tests::{course, course_models, error, models, root, text};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// Small enough for seconds, long enough to be killed in the middle.
const RUN: &[&str] = &[
    "train",
    "mnist-mlp",
    "--builtin",
    "--limit",
    "1600",
    "--epochs",
    "8",
    "--batch-size",
    "16",
    "--seed",
    "3",
];

fn train_into(folder: &Path) -> Result<Command> {
    let mut command = models(RUN)?;
    command.arg("--out").arg(folder);
    Ok(command)
}

/// All numbers of a safetensors file, without the words about them, which name the command.
fn numbers(file: &Path) -> Result<Vec<u8>> {
    let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
    let (length, rest) = bytes.split_first_chunk().context("no header")?;
    Ok(rest[usize::try_from(u64::from_le_bytes(*length))?..].to_vec())
}

fn weights(folder: &Path) -> PathBuf {
    folder.join("seed-3.safetensors")
}

#[test]
fn killed_again_and_again_it_ends_with_the_same_bits() -> Result<()> {
    let whole = tempfile::tempdir()?;
    let output = train_into(whole.path())?.output()?;
    assert!(output.status.success(), "{}", text(&output.stderr));

    let folder = tempfile::tempdir()?;
    let mut chance: u64 = u64::from(std::process::id()); // other moments each time
    let mut kills = 0;
    loop {
        let mut command = train_into(folder.path())?;
        command.args(["--resume", "--checkpoint-seconds", "0.02"]);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        std::thread::sleep(Duration::from_millis(60 + (chance >> 33) % 240));
        if child.try_wait()?.is_none() && kills < 12 {
            child.kill()?; // SIGKILL: it cannot tidy up
            child.wait()?;
            kills += 1;
            continue;
        }
        let output = child.wait_with_output()?;
        assert!(output.status.success(), "{}", text(&output.stderr));
        break;
    }
    println!("killed {kills} times");
    assert!(kills >= 3, "it was too quick to be killed: {kills}");
    assert_eq!(
        numbers(&weights(folder.path()))?,
        numbers(&weights(whole.path()))?
    );
    let log = std::fs::read_to_string(folder.path().join("seed-3.jsonl"))?;
    let epochs = log.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line)?;
        line["epoch"].as_u64().context("no epoch")
    });
    assert_eq!(
        epochs.collect::<Result<Vec<_>>>()?,
        [1, 2, 3, 4, 5, 6, 7, 8]
    );
    Ok(())
}

#[test]
fn the_number_of_threads_changes_no_bit() -> Result<()> {
    let mut found = Vec::new();
    for threads in ["1", "2", "5"] {
        let folder = tempfile::tempdir()?;
        let mut command = train_into(folder.path())?;
        command
            .args(["--epochs", "2"])
            .env("RAYON_NUM_THREADS", threads);
        let output = command.output()?;
        assert!(output.status.success(), "{}", text(&output.stderr));
        found.push(numbers(&weights(folder.path()))?);
    }
    assert!(found.iter().all(|weights| *weights == found[0]));
    Ok(())
}

#[test]
fn pictures_that_chance_changes_go_on_bit_for_bit() -> Result<()> {
    goes_on_bit_for_bit(&["cifar-resnet", "--limit", "200", "--batch-size", "20"])
}

#[test]
fn detectors_go_on_bit_for_bit() -> Result<()> {
    for name in ["detect-one-stage", "detect-two-stage"] {
        goes_on_bit_for_bit(&[name, "--limit", "12", "--batch-size", "2"])?;
    }
    Ok(())
}

/// A run of two epochs that is killed and resumed ends as one that is not.
fn goes_on_bit_for_bit(arguments: &[&str]) -> Result<()> {
    let start = |folder: &Path| -> Result<Command> {
        let mut command = models(["train"])?;
        command.args(arguments);
        command.args(["--builtin", "--seed", "3", "--epochs", "2"]);
        command.arg("--out").arg(folder);
        Ok(command)
    };
    let whole = tempfile::tempdir()?;
    let output = start(whole.path())?.output()?;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let folder = tempfile::tempdir()?;
    let mut command = start(folder.path())?;
    command
        .args(["--checkpoint-seconds", "0.01"])
        .stdout(Stdio::null());
    let mut child = command.stderr(Stdio::null()).spawn()?;
    let checkpoint = folder.path().join("seed-3/checkpoint.safetensors");
    while !checkpoint.is_file() && child.try_wait()?.is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill()?;
    child.wait()?;
    assert!(
        !weights(folder.path()).exists(),
        "it was too quick to be killed"
    );
    let resumed = start(folder.path())?.arg("--resume").output()?;
    assert!(resumed.status.success(), "{}", text(&resumed.stderr));
    let ends = [folder.path(), whole.path()].map(|folder| numbers(&weights(folder)));
    let [one, other] = ends;
    assert_eq!(one?, other?);
    Ok(())
}

#[test]
fn what_was_trained_can_be_measured() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let output = train_into(folder.path())?.args(["--seeds", "2"]).output()?;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    assert!(said.contains("test accuracy of 2 seeds: mean 9"), "{said}");
    let mut command = models(["eval", "--builtin", "--json", "--weights"])?;
    let output = command.arg(weights(folder.path())).output()?;
    let found: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(found["model"], "mnist-mlp");
    let accuracy = found["accuracy"].as_f64().context("no accuracy")?;
    assert!(
        said.contains(&format!("test accuracy {:.2} %", 100.0 * accuracy)),
        "{said} {found}"
    );
    assert!(accuracy > 0.9, "{accuracy}");

    // Any picture gets an answer: the screenshot is large, colourful and no digit.
    let seen = folder.path().join("seen");
    let mut command = models([
        "predict",
        "digits",
        "book/screenshot.png",
        "--json",
        "--weights",
    ])?;
    command.arg(weights(folder.path())).arg("--save").arg(&seen);
    let output = command.output()?;
    let found: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let probabilities = found["probabilities"]
        .as_array()
        .context("no probabilities")?;
    let sum: f64 = probabilities
        .iter()
        .filter_map(serde_json::Value::as_f64)
        .sum();
    assert!(
        probabilities.len() == 10 && (sum - 1.0).abs() < 1e-4,
        "{found}"
    );
    assert!(seen.join("screenshot.seen.png").is_file());
    Ok(())
}

/// A pipe that nobody reads.
fn unread() -> Result<std::io::PipeWriter> {
    let (reader, writer) = std::io::pipe()?;
    drop(reader);
    Ok(writer)
}

#[test]
fn a_reader_that_goes_away_ends_quietly_what_prints_and_stops_no_training() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().display().to_string();
    let train = [
        "train",
        "mnist-mlp",
        "--builtin",
        "--limit",
        "64",
        "--epochs",
        "1",
    ];
    let mut command = models(train)?;
    let output = command.args(["--seed", "3", "--out", &out]);
    let output = output.stdout(unread()?).output()?;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let file = weights(folder.path()).display().to_string();
    for arguments in [
        &["eval", "--builtin", "--limit", "64", "--weights", &file][..],
        &[
            "eval",
            "--builtin",
            "--limit",
            "64",
            "--json",
            "--weights",
            &file,
        ],
        &[
            "predict",
            "digits",
            "book/screenshot.png",
            "--weights",
            &file,
        ],
        &["--help"],
    ] {
        let output = models(arguments)?.stdout(unread()?).output()?;
        let message = text(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {message}");
        assert!(!message.contains("panicked"), "{arguments:?}: {message}");
        let unread = unread()?;
        let mut both = models(arguments)?;
        let both = both.stdout(unread.try_clone()?).stderr(unread);
        assert!(both.status()?.success(), "{arguments:?}");
    }
    Ok(())
}

#[test]
fn what_can_be_measured_is_listed() -> Result<()> {
    let listed = |command: &str| -> Result<String> {
        let printed = text(&models([command, "--help"])?.output()?.stdout);
        let mut lines = printed.lines();
        let names = lines.find_map(|line| line.strip_prefix("MODEL is one of: "));
        Ok(names.context("no names")?.to_owned())
    };
    assert_eq!(listed("train")?, format!("{}, word2vec", listed("eval")?));
    let listed = listed("eval")?;
    for name in listed.split(", ") {
        let output = models(["eval", name, "--weights", "/nowhere"])?.output()?;
        let message = text(&output.stderr);
        assert!(!message.contains("there is no model"), "{name}: {message}");
    }
    assert!(listed.contains("transformer-translate") && listed.contains("summarizer"));
    assert!(!listed.contains("word2vec"));
    Ok(())
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_what_was_done() -> Result<()> {
    use rustix::process::{Pid, Signal, kill_process};
    let folder = tempfile::tempdir()?;
    let child = train_into(folder.path())?
        .args(["--epochs", "1000"])
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    std::thread::sleep(Duration::from_secs(1));
    let process = Pid::from_raw(i32::try_from(child.id())?).context("no process")?;
    kill_process(process, Signal::INT)?;
    let output = child.wait_with_output()?;
    assert_eq!(output.status.code(), Some(130));
    assert!(
        text(&output.stderr).contains("--resume goes on"),
        "{}",
        text(&output.stderr)
    );
    assert!(
        folder
            .path()
            .join("seed-3/checkpoint.safetensors")
            .is_file()
    );
    assert!(!weights(folder.path()).exists());
    Ok(())
}

#[test]
fn wrong_input_is_told_in_one_line() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("file");
    std::fs::write(&file, "no weights")?;
    let (inside, file) = (
        file.join("out").display().to_string(),
        file.display().to_string(),
    );
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty)?;
    let empty = empty.display().to_string();
    let out = folder.path().join("out").display().to_string();
    let cases: &[(&[&str], &str)] = &[
        (
            &["train", "mnist"],
            "there is no model `mnist`; there are: mnist-mlp",
        ),
        (
            &["eval", "mnist"],
            "there is no model `mnist`; there are: mnist-mlp",
        ),
        (
            &["train", "mnist-mlp", "--epochs", "0"],
            "--epochs: expected at least 1",
        ),
        (
            &["train", "mnist-mlp", "--batch-size", "0"],
            "--batch-size: expected at least 1",
        ),
        (
            &["train", "mnist-mlp", "--seeds", "0"],
            "--seeds: expected at least 1",
        ),
        (
            &["train", "mnist-mlp", "--epochs", "18446744073709551615"],
            "--epochs: expected at most 1000000",
        ),
        (
            &["train", "mnist-mlp", "--batch-size", "9223372036854775807"],
            "--batch-size: expected at most 1000000",
        ),
        (
            &["train", "mnist-mlp", "--to", "en"],
            "--to: mnist-mlp does not have this option; it is for: transformer-translate, gru-translate",
        ),
        (
            &["eval", "mnist-mlp", "--data", &empty, "--clip-boxes"],
            "--clip-boxes: mnist-mlp does not have this option; it is for: detect-one-stage, detect-two-stage",
        ),
        (
            &["eval", "word2vec"],
            "word vectors are measured when they are trained",
        ),
        (
            &[
                "predict",
                "digits",
                "book/screenshot.png",
                "--model",
                "gru-translate",
            ],
            "there is no model `gru-translate` that names pictures; there are: mnist-mlp",
        ),
        (
            &["train", "mnist-mlp", "--learning-rate", "NaN"],
            "--learning-rate: expected a positive number",
        ),
        (
            &[
                "train",
                "mnist-mlp",
                "--out",
                &out,
                "--builtin",
                "--limit",
                "0",
            ],
            "--limit: expected at least 1",
        ),
        (
            &["train", "mnist-mlp", "--out", &out, "--data", "/nowhere"],
            "found no such folder",
        ),
        (
            &["train", "mnist-mlp", "--out", &out, "--data", &empty],
            "expected the four IDX files of MNIST",
        ),
        (
            &["train", "cifar-cnn", "--out", &out, "--data", &empty],
            "expected pictures in folders named after their classes",
        ),
        (
            &["train", "cifar-cnn", "--out", &out, "--data", &file],
            "expected a folder, or a tar",
        ),
        (
            &["train", "mnist-mlp", "--out", &inside, "--builtin"],
            "this folder cannot be written",
        ),
        (
            &["eval", "mnist-mlp", "--builtin", "--weights", &file],
            "damaged, or not a safetensors file",
        ),
        (
            &["predict", "digits", &file],
            "file: expected a picture (JPEG, PNG, GIF, BMP, TIFF, WebP or PNM), found text",
        ),
        (
            &["predict", "digits", "/nowhere.png"],
            "/nowhere.png: No such file",
        ),
        (
            &["eval", "mnist-mlp", "--weights", "/nowhere"],
            "/nowhere: there is no such file",
        ),
    ];
    for (arguments, expected) in cases {
        let message = error(&mut models(*arguments)?)?;
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
    Ok(())
}

#[test]
fn a_run_that_diverges_or_does_not_fit_says_so() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().display().to_string();
    let start = [
        "train",
        "mnist-mlp",
        "--builtin",
        "--limit",
        "600",
        "--epochs",
        "1",
        "--out",
        &out,
    ];
    let with = |more: &[&'static str]| {
        let mut arguments = start.to_vec();
        arguments.extend(more);
        error(&mut models(arguments)?)
    };
    let message = with(&["--learning-rate", "1e30"])?;
    assert!(
        message.contains("the loss is NaN at step 2 of epoch 1"),
        "{message}"
    );
    assert!(
        message.contains("try a learning rate smaller than 1e30"),
        "{message}"
    );
    assert!(
        !folder.path().join("seed-0.safetensors").exists(),
        "nothing is half-written"
    );
    assert!(models(start)?.output()?.status.success());
    let message = with(&["--resume", "--learning-rate", "0.5"])?;
    assert!(
        message.contains("its learning_rate is 0.001, here it is 0.5"),
        "{message}"
    );
    Ok(())
}

#[test]
fn the_course_passes_words_and_exit_codes_on() -> Result<()> {
    let through_course = |arguments: &[&str]| -> Result<Output> {
        let mut command = Command::new(course()?);
        command.args(arguments).current_dir(root());
        Ok(command.env("KINDLING_MODELS", course_models()?).output()?)
    };
    let output = through_course(&["train", "mnist"])?;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("there is no model `mnist`"));
    let output = through_course(&["train", "--help"])?;
    assert!(output.status.success());
    assert!(
        text(&output.stdout).contains("--learning-rate"),
        "{}",
        text(&output.stdout)
    );
    let output = through_course(&["eval", "--nothing"])?;
    assert_eq!(output.status.code(), Some(2));
    Ok(())
}
