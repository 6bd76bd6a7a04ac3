//! `cargo course bench embeddings`: how many words a second our word vectors learn from, beside gensim's.
//!
//! Both read the same sentences with the same settings. Each is a process of its own, one after the other, some rounds over; medians
//! are compared. Without gensim it is named and left out. Our time includes counting the words, gensim's does not.

use std::{fs, path::Path, path::PathBuf, process::ExitCode, time::Instant};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use course_program::{
    bench::{Bench, Measured, Options, peak_memory, show},
    output,
};
use kindling::{
    data::Analogies,
    metrics::analogy_accuracy,
    models::{Word2Vec, Word2VecConfig},
};
use serde_json::{Map, Value, json};

use super::{train::Mode, words};

const OWN: [&str; 1] = ["ours"];
const PEERS: [&str; 1] = ["gensim"];

/// The files of the folder that both sides read.
const SENTENCES: &str = "sentences.txt";
const QUESTIONS: &str = "questions.txt";

/// What to measure, and how long.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    options: Options,

    /// How often each turn goes through the text with each model
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    epochs: u32,

    /// How many threads each side uses
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    threads: u32,

    /// A Python that has gensim (in a virtual environment: pip install gensim)
    #[arg(long, value_name = "FILE", default_value = "python3")]
    python: PathBuf,

    #[command(flatten)]
    text: words::Args,

    /// What one side learns from: a folder with sentences and questions
    #[arg(long, hide = true)]
    work: Option<PathBuf>,
}

/// Runs the benchmark.
pub fn run(args: &Args) -> Result<ExitCode> {
    if let (Some(side), Some(folder)) = (&args.options.side, &args.work) {
        output::print(&turn(side, folder, args)?.to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    let words = words::Words::load(&args.text)?;
    let folder = tempfile::tempdir().context("no folder for the sentences")?;
    let lines: Vec<String> = words.sentences.iter().map(|line| line.join(" ")).collect();
    fs::write(folder.path().join(SENTENCES), lines.join("\n"))?;
    let questions = words.analogies.as_ref().map_or(String::new(), questions);
    fs::write(folder.path().join(QUESTIONS), questions)?;
    let numbers = [
        "--epochs".to_owned(),
        args.epochs.to_string(),
        "--threads".to_owned(),
        args.threads.to_string(),
        "--work".to_owned(),
    ];
    let bench = Bench {
        command: "bench-embeddings",
        own: &OWN,
        own_arguments: numbers
            .iter()
            .map(Into::into)
            .chain([folder.path().into()])
            .collect(),
        peers: &PEERS,
        peer_arguments: vec![folder.path().into(), settings(args).to_string().into()],
        script: include_str!("gensim.py"),
        python: &args.python,
    };
    let measured = bench.measure(&args.options)?;
    let mut report = report(&measured);
    report["embeddings"]["text"] = json!(words.name);
    report["embeddings"]["words"] = json!(words.count());
    report["embeddings"]["epochs"] = json!(args.epochs);
    report["embeddings"]["threads"] = json!(args.threads);
    show(&report, args.options.json)?;
    Ok(ExitCode::SUCCESS)
}

/// The settings of both sides but the learning rate of CBOW: gensim moves each word of a context by the whole gradient, ours by its share.
fn config(args: &Args) -> Word2VecConfig {
    Word2VecConfig {
        epochs: args.epochs as usize,
        threads: args.threads as usize,
        ..Word2VecConfig::default()
    }
}

fn settings(args: &Args) -> Value {
    let config = config(args);
    json!({
        "vector_size": config.features,
        "window": config.window,
        "negative": config.negatives,
        "sample": config.subsample,
        "epochs": config.epochs,
        "alpha": config.learning_rate,
        "min_count": config.minimum_count,
        "workers": config.threads,
        "seed": config.seed,
    })
}

/// The questions in the format of the public test set.
fn questions(analogies: &Analogies) -> String {
    let mut text = String::new();
    for section in &analogies.sections {
        text += &format!(": {}\n", section.name);
        for question in &section.questions {
            text += &(question.join(" ") + "\n");
        }
    }
    text
}

/// Times our side in this process.
fn turn(side: &str, folder: &Path, args: &Args) -> Result<Value> {
    if side != "ours" {
        bail!("--side: expected ours, found {side}");
    }
    let text = fs::read_to_string(folder.join(SENTENCES)).context(SENTENCES)?;
    let words = |line: &str| line.split(' ').map(str::to_owned).collect();
    let sentences: Vec<Vec<String>> = text.lines().map(words).collect();
    let count: usize = sentences.iter().map(Vec::len).sum();
    let questions = Analogies::read(folder.join(QUESTIONS)).ok();
    let mut turn = Map::new();
    for mode in Mode::value_variants() {
        let (algorithm, learning_rate) = mode.algorithm();
        let config = Word2VecConfig {
            algorithm,
            learning_rate,
            ..config(args)
        };
        let begin = Instant::now();
        let model = Word2Vec::train(&sentences, &config)?;
        let seconds = begin.elapsed().as_secs_f64();
        let speed = (count * config.epochs) as f64 / seconds;
        turn.insert(format!("{}_words_per_s", key(*mode)), json!(speed));
        if let Some(questions) = &questions {
            let accuracy = analogy_accuracy(&model, questions)?.total().accuracy();
            turn.insert(format!("{}_accuracy", key(*mode)), json!(accuracy));
        }
    }
    turn.insert("peak_mb".to_owned(), json!(peak_memory()));
    Ok(Value::Object(turn))
}

/// What a mode is called in the report.
fn key(mode: Mode) -> &'static str {
    match mode {
        Mode::SkipGram => "skip_gram",
        Mode::Cbow => "cbow",
    }
}

/// Words a second and the share of analogies completed, medians over the rounds, and ratios of speeds.
fn report(measured: &Measured) -> Value {
    let mut report = Map::new();
    for mode in Mode::value_variants() {
        let mut row = Map::new();
        for number in ["words_per_s", "accuracy"] {
            for (side, value) in measured.row(&format!("{}_{number}", key(*mode))) {
                row.insert(format!("{side}_{number}"), value);
            }
        }
        let speed = format!("{}_words_per_s", key(*mode));
        let ratio = json!(measured.ratio(&speed, "ours", "gensim"));
        if *mode == Mode::SkipGram {
            let first = json!({"ratio_to_gensim": ratio});
            report.insert("embeddings".to_owned(), first);
        }
        row.insert("ratio_to_gensim".to_owned(), ratio);
        report.insert(key(*mode).to_owned(), Value::Object(row));
    }
    let memory = Value::Object(measured.row("peak_mb"));
    report.insert("peak_mb".to_owned(), memory);
    Value::Object(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_that_of_skip_gram_and_absent_without_gensim() {
        let turn = |skip_gram: f64, cbow: f64| {
            vec![
                json!({"skip_gram_words_per_s": skip_gram, "cbow_words_per_s": cbow, "cbow_accuracy": 0.5}),
            ]
        };
        let all = [("ours", turn(900.0, 400.0)), ("gensim", turn(600.0, 500.0))];
        let both = report(&Measured::from_turns(&all));
        assert_eq!(both["embeddings"]["ratio_to_gensim"], json!(1.5));
        assert_eq!(both["cbow"]["ratio_to_gensim"], json!(0.8));
        assert_eq!(both["cbow"]["gensim_accuracy"], json!(0.5));
        let alone = report(&Measured::from_turns(&all[..1]));
        assert_eq!(alone["embeddings"]["ratio_to_gensim"], Value::Null);
    }

    #[test]
    fn questions_are_written_as_they_are_read() {
        let text = ": one\na b c d\ne f g h\n: two\ni j k l\n";
        let analogies = Analogies::parse("here", text).unwrap();
        assert_eq!(questions(&analogies), text);
    }
}
