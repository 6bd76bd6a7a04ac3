//! The commands that use pretrained language models: what they print, and what wrong input is told.

use anyhow::{Context, Result};
use kindling_tests::{course, course_language, course_models, refusal, root, text, written};
use serde_json::Value;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

const TEXT: &str = "The river rose during the night. By morning the river stood in the cellars. The cellars were dry by noon.";

/// The program, without any model at hand unless a test names one.
fn language<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Result<Command> {
    let mut command = Command::new(course_language()?);
    command
        .args(arguments)
        .current_dir(root())
        .env_remove("KINDLING_MINILM")
        .env_remove("KINDLING_REPOSITORY")
        .env("HF_HOME", "/nowhere")
        .stdin(Stdio::null());
    Ok(command)
}

/// The folder of a tiny T5.
fn t5() -> String {
    let folder = root().join("crates/kindling-pretrained/fixtures/t5-relu");
    folder.display().to_string()
}

/// What it prints, given this text on standard input.
fn with_input(command: &mut Command, text: &[u8]) -> Result<Output> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take().context("no input")?;
    input.write_all(text)?;
    drop(input);
    Ok(child.wait_with_output()?)
}

#[test]
fn a_text_is_summarised_by_each_engine() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("text.txt");
    std::fs::write(&file, TEXT)?;
    let summary = |engine: &str| -> Result<Value> {
        let mut command = language(["summarize", "--least", "5", "--most", "8", "--json"])?;
        let output = command.args(["--engine", engine]).arg(&file).output()?;
        assert!(output.status.success(), "{}", text(&output.stderr));
        Ok(serde_json::from_slice(&output.stdout)?)
    };
    let found = summary("extractive")?;
    assert_eq!(found["engine"], "extractive (TF-IDF)");
    assert_eq!(
        found["summary"],
        "By morning the river stood in the cellars."
    );
    assert_eq!(
        summary("lead")?["summary"],
        "The river rose during the night."
    );
    let found = summary(&t5())?;
    assert_eq!(found["engine"], format!("pretrained ({})", t5()));
    assert_eq!(found["unit"], "tokens");
    let mut command = language(["summarize", "-", "--least", "5", "--most", "8"])?;
    let output = with_input(
        &mut command,
        "小明喜欢读书。小明每天晚上读书。天气很好。".as_bytes(),
    )?;
    assert_eq!(text(&output.stdout), "小明每天晚上读书。\n");
    assert_eq!(text(&output.stderr), "extractive (TF-IDF), 5 to 8 words\n");
    Ok(())
}

#[test]
fn the_summarisers_can_be_measured() -> Result<()> {
    let nothing = tempfile::tempdir()?; // no weights of the course's own
    let mut command = language(["eval", "summarizer", "--builtin", "--limit", "20", "--json"])?;
    let output = command
        .env("KINDLING_REPOSITORY", nothing.path())
        .output()?;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    let rows = printed.lines().map(|line| Ok(serde_json::from_str(line)?));
    let rows: Vec<Value> = rows.collect::<Result<_>>()?;
    let engines: Vec<&Value> = rows.iter().map(|row| &row["engine"]).collect();
    assert_eq!(
        engines,
        ["lead", "extractive (TF-IDF)"],
        "none of them twice"
    );
    let score = rows[1]["rouge1"].as_f64().context("no score")?;
    assert!(score > 0.0 && score < 1.0, "{score}");
    Ok(())
}

/// Runs `course train summarizer` on a few e-mails that a program wrote.
fn train_summarizer(out: &Path, more: &[&str]) -> Result<Output> {
    let mut command = Command::new(course_models()?);
    command
        .args(["train", "summarizer", "--epochs", "1", "--out"])
        .arg(out)
        .args(more)
        .current_dir(root())
        .env_remove("KINDLING_REPOSITORY")
        .stdin(Stdio::null());
    Ok(command.output()?)
}

#[test]
fn a_summariser_is_trained_measured_and_used() -> Result<()> {
    let home = tempfile::tempdir()?; // stands for a repository without weights
    let out = home.path().join(".kindling/runs/summarizer");
    let output = train_summarizer(&out, &["--builtin", "--limit", "60"])?;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    assert!(
        said.contains(" training, ") && said.contains("60 test pairs"),
        "{said}"
    );
    assert!(
        said.contains("ROUGE-1 ") && said.contains("seed-0.safetensors"),
        "{said}"
    );

    // Found as the weights of this machine, and as a file; both say the same.
    let weights = out.join("seed-0.safetensors");
    let file = weights.display().to_string();
    let mut rows = Vec::new();
    for engine in ["abstractive", &file] {
        let mut command = language(["eval", "summarizer", "--builtin", "--limit", "9", "--json"])?;
        command.env("KINDLING_REPOSITORY", home.path());
        let output = command.args(["--engine", engine]).output()?;
        assert!(output.status.success(), "{}", text(&output.stderr));
        rows.push(serde_json::from_slice::<Value>(&output.stdout)?);
    }
    assert_eq!(rows[0], rows[1]);
    assert_eq!(rows[0]["engine"], "abstractive (copying Transformer)");
    assert_eq!(rows[0]["unit"], "tokens");
    let mut command = language(["eval", "summarizer", "--builtin", "--limit", "2", "--json"])?;
    let output = command.env("KINDLING_REPOSITORY", home.path()).output()?;
    let printed = text(&output.stdout);
    // Lead, TF-IDF and abstractive: without a sentence model, TF-IDF stands for both ways of picking, once.
    assert_eq!(printed.lines().count(), 3, "with abstractive: {printed}");

    // Any text has a summary, also one of which only the beginning is read.
    let long = TEXT.repeat(40);
    for (input, beams) in [
        (TEXT, "1"),
        (TEXT, "4"),
        ("Read this book.", "2"),
        (&long, "1"),
    ] {
        let mut command = language(["summarize", "-", "--json", "--engine", &file])?;
        let output = with_input(command.args(["--beams", beams]), input.as_bytes())?;
        assert!(output.status.success(), "{}", text(&output.stderr));
        let found: Value = serde_json::from_slice(&output.stdout)?;
        assert_eq!(
            (&found["least"], &found["most"]),
            (&Value::from(1), &Value::from(12))
        );
        assert!(
            found["summary"]
                .as_str()
                .is_some_and(|summary| !summary.is_empty())
        );
    }

    let text_file = written(home.path(), "text.txt", TEXT.as_bytes())?;
    let problem = |engine: &str, more: &[&str]| {
        let start = ["summarize", text_file.as_str(), "--engine", engine];
        refusal(&mut language([&start[..], more].concat())?)
    };
    let message = problem(&file, &["--least", "100", "--most", "130"])?;
    assert!(
        message.contains("writes at most 30 tokens, found at least 100"),
        "{message}"
    );
    let bytes = std::fs::read(&weights)?;
    let cut = written(home.path(), "cut.safetensors", &bytes[..bytes.len() / 2])?;
    let message = problem(&cut, &[])?;
    assert!(message.contains("cut.safetensors: damaged"), "{message}");
    let alone = written(home.path(), "alone.safetensors", &bytes)?;
    let message = problem(&alone, &[])?;
    assert!(
        message.contains("alone.tokenizer: expected the tokenizer"),
        "{message}"
    );
    let message = problem("/nowhere.safetensors", &[])?;
    assert!(
        message.contains("/nowhere.safetensors: No such file"),
        "{message}"
    );
    let other = root().join("data/weights/mnist-mlp.safetensors");
    let message = problem(&other.display().to_string(), &[])?;
    assert!(
        message.contains("expected weights that `cargo course train summarizer` made"),
        "{message}"
    );
    // A tokenizer that was trained on other e-mails has another number of tokens.
    let others = home.path().join("others");
    let output = train_summarizer(&others, &["--builtin", "--limit", "20"])?;
    assert!(output.status.success(), "{}", text(&output.stderr));
    std::fs::rename(
        others.join("seed-0.tokenizer"),
        home.path().join("alone.tokenizer"),
    )?;
    let message = problem(&alone, &[])?;
    assert!(message.contains("they do not belong together"), "{message}");
    Ok(())
}

/// A file name, for the weights of this machine would be taken first.
fn shipped_summarizer() -> String {
    let weights = root().join("data/weights/summarizer.safetensors");
    weights.display().to_string()
}

#[test]
fn the_summariser_that_ships_writes_a_subject() -> Result<()> {
    let email = "Please send me the draft of the master agreement before Friday. Thanks, Ana";
    let shipped = shipped_summarizer();
    let mut command = language(["summarize", "-", "--json", "--engine", &shipped])?;
    let output = with_input(&mut command, email.as_bytes())?;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(found["engine"], "abstractive (copying Transformer)");
    let subject = found["summary"].as_str().context("no summary")?;
    let said = subject.to_lowercase();
    assert!(
        said.contains("draft") || said.contains("agreement"),
        "{subject}"
    );
    assert!(found["words"].as_u64().is_some_and(|words| words <= 12));
    Ok(())
}

#[test]
fn the_summariser_that_ships_is_ahead_of_lead_on_real_e_mails() -> Result<()> {
    if kindling_skip::mirror("aeslc/").is_none() {
        return Ok(());
    }
    let shipped = shipped_summarizer();
    let engines = ["--engine", "lead", "--engine", &shipped];
    // All of the test set: over a hundred e-mails, chance decides between the two.
    let start = ["eval", "summarizer", "--json"];
    let output = language([&start[..], &engines].concat())?.output()?;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    let rows = printed.lines().map(|line| Ok(serde_json::from_str(line)?));
    let rows: Vec<Value> = rows.collect::<Result<_>>()?;
    for measure in ["rouge1", "rouge2", "rougeL"] {
        let [lead, ours] = [&rows[0], &rows[1]].map(|row| row[measure].as_f64());
        assert!(
            lead.is_some() && lead < ours,
            "{measure}: {lead:?} {ours:?}"
        );
    }
    Ok(())
}

#[test]
fn training_a_summariser_tells_wrong_input_in_one_line() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("out");
    let pairs = written(folder.path(), "pairs.tsv", b"a text\tsaid\nno tab\n")?;
    let few = written(folder.path(), "few.tsv", b"a text\tsaid\n")?;
    for (arguments, expected) in [
        (
            &["--builtin", "--limit", "0"][..],
            "--limit: expected at least 1",
        ),
        (
            &["--builtin", "--epochs", "0"],
            "--epochs: expected at least 1",
        ),
        (
            &["--data", "/nowhere.tsv"],
            "--data: expected a file of pairs: /nowhere.tsv: No such file",
        ),
        (&["--data", &pairs], "pairs.tsv"),
        (&["--data", &few], "few.tsv: expected at least 10 pairs"),
    ] {
        let output = train_summarizer(&out, arguments)?;
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {message}");
        assert!(
            message.starts_with("error: ") && message.contains(expected),
            "{message}"
        );
        assert_eq!(message.lines().count(), 1, "{message}");
    }
    let nothing = folder.path().display().to_string();
    let file = written(folder.path(), "text.txt", TEXT.as_bytes())?;
    let mut command = language(["summarize", &file, "--engine", "abstractive"])?;
    let output = command.env("KINDLING_REPOSITORY", &nothing).output()?;
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        message.contains("there are no weights of summarizer yet; train them with `cargo course train summarizer`"),
        "{message}"
    );
    Ok(())
}

#[test]
fn sentences_become_vectors_and_find_their_neighbours() -> Result<()> {
    let Some(folder) = kindling_skip::minilm() else {
        return Ok(());
    };
    let lines = "The river rose.\n\n  Nobody slept.\nThe water came up.\n";
    let mut command = language(["embed", "-"])?;
    let output = with_input(command.env("KINDLING_MINILM", &folder), lines.as_bytes())?;
    let printed = text(&output.stdout);
    let rows = printed.lines().map(|line| Ok(serde_json::from_str(line)?));
    let rows: Vec<Value> = rows.collect::<Result<_>>()?;
    let sentences: Vec<&Value> = rows.iter().map(|row| &row["sentence"]).collect();
    assert_eq!(
        sentences,
        ["The river rose.", "Nobody slept.", "The water came up."]
    );
    assert!(rows.iter().all(|row| {
        row["vector"]
            .as_array()
            .is_some_and(|vector| vector.len() == 384)
    }));
    let mut command = language(["embed", "-", "--nearest", "1", "--model"])?;
    let output = with_input(command.arg(&folder), lines.as_bytes())?;
    let printed = text(&output.stdout);
    let printed: Vec<&str> = printed.lines().collect();
    assert_eq!(printed.len(), 6, "{printed:?}");
    assert!(
        printed[0] == "The river rose." && printed[1].ends_with("The water came up."),
        "{printed:?}"
    );
    Ok(())
}

#[test]
fn wrong_input_is_told_in_one_line() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let good = written(folder.path(), "good.txt", TEXT.as_bytes())?;
    let empty = written(folder.path(), "empty.txt", b" \n\n")?;
    let marks = written(folder.path(), "marks.txt", "… — !".as_bytes())?;
    let latin = written(folder.path(), "latin.txt", b"caf\xe9 noir")?;
    let none = folder.path().join("none");
    std::fs::create_dir(&none)?;
    let (none, t5) = (none.display().to_string(), t5());
    let cases: &[(&[&str], &str)] = &[
        (&["summarize", "/nowhere.txt"], "/nowhere.txt: No such file"),
        (&["embed", "/nowhere.txt"], "/nowhere.txt: No such file"),
        (
            &["summarize", &empty],
            "empty.txt: expected some text, found none",
        ),
        (
            &["embed", &empty],
            "empty.txt: expected some text, found none",
        ),
        (&["summarize", "-"], "standard input: expected some text"),
        (
            &["summarize", &marks],
            "text: expected at least one word, found none",
        ),
        (
            &["summarize", &latin],
            "latin.txt: expected text in UTF-8, found something else at byte 3",
        ),
        (&["embed", &latin], "latin.txt: expected text in UTF-8"),
        (
            &["summarize", &good, "--least", "9", "--most", "5"],
            "--least and --most: expected numbers such as 30 and 130, found 9 and 5",
        ),
        (
            &["summarize", &good, "--least", "0", "--most", "0"],
            "--least and --most: expected",
        ),
        (
            &["summarize", &good, "--engine", "./nothing"],
            "./nothing: there is no such folder",
        ),
        (
            &["summarize", &good, "--engine", ""],
            "model: expected a folder or a name",
        ),
        (
            &["summarize", &good, "--engine", &none],
            "expected a model's config.json, tokenizer.json, model.safetensors",
        ),
        (
            &["summarize", &good, "--engine", "lead", "--beams", "2"],
            "--beams: expected abstractive or a T5 as --engine, found lead",
        ),
        (&["embed", &good, "--model", &none], "found no config.json"),
        (
            &["embed", &good, "--model", &t5],
            "config.json: expected the model_type \"bert\", found \"t5\"",
        ),
        (
            &["eval", "summarizer", "--builtin", "--engine", &none],
            "found no config.json",
        ),
        (
            &[
                "eval",
                "summarizer",
                "--builtin",
                "--least",
                "9",
                "--most",
                "5",
            ],
            "--least and --most: expected",
        ),
    ];
    for (arguments, expected) in cases {
        let message = refusal(&mut language(*arguments)?)?;
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
    if let Some(folder) = kindling_skip::minilm() {
        let folder = folder.display().to_string();
        let message = refusal(&mut language(["summarize", &good, "--engine", &folder])?)?;
        assert!(
            message.contains("expected the model_type \"t5\" or \"mt5\", found \"bert\""),
            "{message}"
        );
    }
    // A broken model is not silently replaced by words.
    let output = language(["summarize", &good])?
        .env("KINDLING_MINILM", &none)
        .output()?;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("found no config.json"),
        "{}",
        text(&output.stderr)
    );
    Ok(())
}

#[test]
fn without_a_network_a_model_of_the_hub_is_refused_in_one_line() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let good = written(folder.path(), "good.txt", TEXT.as_bytes())?;
    let mut command = language(["embed", &good, "--model", "nobody/nothing"])?;
    // A port that nothing listens on stands for the hub.
    command
        .env("HF_ENDPOINT", "http://127.0.0.1:1")
        .env("HF_HOME", folder.path());
    let output = command.output()?;
    assert_eq!(output.status.code(), Some(1));
    let message = text(&output.stderr);
    assert!(
        message.starts_with(
            "error: nobody/nothing: there is no such folder, and the Hugging Face hub"
        ),
        "{message}"
    );
    assert!(
        message.contains("name a local folder") && message.lines().count() == 1,
        "{message}"
    );
    Ok(())
}

#[test]
fn a_reader_that_goes_away_is_no_failure() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lines: String = (0..4000)
        .map(|number| format!("Sentence number {number}.\n"))
        .collect();
    let file = written(folder.path(), "lines.txt", lines.as_bytes())?;
    let mut command = language([
        "eval",
        "summarizer",
        "--builtin",
        "--limit",
        "5",
        "--engine",
        "lead",
    ])?;
    for _ in 0..400 {
        command.args(["--engine", "lead"]);
    }
    let mut commands = vec![command];
    if let Some(folder) = kindling_skip::minilm() {
        let mut command = language(["embed", &file])?;
        command.env("KINDLING_MINILM", folder);
        commands.push(command);
    }
    for mut command in commands {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().context("no output")?;
        let mut first = String::new();
        BufReader::new(output).read_line(&mut first)?; // and then it is closed
        assert!(!first.is_empty());
        let output = child.wait_with_output()?;
        assert!(output.status.success(), "{:?}", output.status);
        assert_eq!(text(&output.stderr), "");
    }
    Ok(())
}

/// Where there is a device that is always full.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_in_one_line() -> Result<()> {
    let full = Path::new("/dev/full");
    let folder = tempfile::tempdir()?;
    let file = written(folder.path(), "text.txt", TEXT.as_bytes())?;
    let mut command = language(["summarize", "--engine", "lead", &file])?;
    let output = command
        .stdout(std::fs::OpenOptions::new().write(true).open(full)?)
        .output()?;
    assert_eq!(output.status.code(), Some(1));
    let message = text(&output.stderr);
    assert!(
        message.ends_with("error: standard output: No space left on device (os error 28)\n"),
        "{message}"
    );
    Ok(())
}

#[test]
fn text_is_read_as_editors_leave_it() -> Result<()> {
    let lead = [
        "summarize",
        "-",
        "--engine",
        "lead",
        "--least",
        "1",
        "--most",
        "9",
    ];
    let said = |bytes: &[u8]| -> Result<(Option<i32>, String)> {
        let output = with_input(&mut language(lead)?, bytes)?;
        Ok((
            output.status.code(),
            text(&output.stdout) + &text(&output.stderr),
        ))
    };
    let expected = "The river rose during the night.\n";
    let marked = format!("\u{feff}{}", TEXT.replace(". ", ".\r\r"));
    for bytes in [marked.into_bytes(), TEXT.replace(' ', "\r\n").into_bytes()] {
        let (code, words) = said(&bytes)?;
        assert!(code == Some(0) && words.starts_with(expected), "{words}");
    }
    let wide: Vec<u8> = TEXT.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let (code, words) = said(&wide)?;
    assert_eq!(code, Some(1));
    assert_eq!(
        words,
        "error: standard input: expected text in UTF-8, found UTF-16; save it as UTF-8\n"
    );
    Ok(())
}

#[test]
fn odd_texts_have_a_subject_or_a_sentence_about_them() -> Result<()> {
    let shipped = shipped_summarizer();
    let subject = |words: &str| -> Result<Output> {
        let mut command = language(["summarize", "-", "--engine", &shipped])?;
        with_input(&mut command, words.as_bytes())
    };
    assert_eq!(text(&subject("word")?.stdout), "word\n");
    let output = subject("河水夜里上涨。早晨地窖里都是水。中午地窖干了。")?;
    assert_eq!(output.status.code(), Some(1));
    let message = text(&output.stderr);
    assert!(
        message.contains("was not trained on this script") && message.lines().count() == 1,
        "{message}"
    );
    Ok(())
}

#[test]
fn the_course_passes_words_and_exit_codes_on() -> Result<()> {
    let through_course = |arguments: &[&str]| -> Result<Output> {
        let mut command = Command::new(course()?);
        command.args(arguments).current_dir(root());
        command.env("KINDLING_LANGUAGE", course_language()?);
        Ok(command.stdin(Stdio::null()).output()?)
    };
    let output = through_course(&["summarize", "/nowhere.txt"])?;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("/nowhere.txt: No such file"));
    for (arguments, word) in [
        (["summarize", "--help"], "--engine"),
        (["embed", "--help"], "--nearest"),
        (["eval", "summarizer"], "--help"),
    ] {
        let mut arguments = arguments.to_vec();
        if arguments[0] == "eval" {
            arguments.push("--help");
        }
        let output = through_course(&arguments)?;
        assert!(output.status.success(), "{arguments:?}");
        assert!(
            text(&output.stdout).contains(word),
            "{}",
            text(&output.stdout)
        );
    }
    // Options may stand before what is measured.
    let measured = ["eval", "--builtin", "--limit", "5", "--engine", "lead"];
    for order in [["--json", "summarizer"], ["summarizer", "--json"]] {
        let output = through_course(&[&measured[..], &order].concat())?;
        assert!(output.status.success(), "{}", text(&output.stderr));
        let line: Value = serde_json::from_slice(&output.stdout)?;
        assert_eq!(line["engine"], "lead");
    }
    let output = through_course(&["embed", "--nothing"])?;
    assert_eq!(output.status.code(), Some(2));
    Ok(())
}
