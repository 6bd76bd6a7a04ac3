//! `cargo course summarize`: a text in fewer words.

use std::{ops::Range, path::PathBuf};

use anyhow::{Result, bail};
use course_program::{input, output};
use kindling::{
    pipeline::{SUBJECT_LENGTH, Summarizer},
    text::words,
};
use kindling_pretrained::{Pretrained, abstractive, hub, is_abstractive, summarizer};

/// The engines that pick sentences of the text.
const PICKING: [&str; 3] = ["extractive", "tf-idf", "lead"];

/// Say in fewer words what a text says.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The text, in UTF-8; - reads standard input
    #[arg(value_name = "FILE|-")]
    file: PathBuf,

    /// What writes it: `extractive` picks sentences by a pretrained model's vectors if that is here and else by their words, `tf-idf` by
    /// their words, `lead` takes the first ones; `abstractive` writes a subject line with the weights that ship, or with yours if you
    /// ran `cargo course train summarizer`, and a file of such weights may be named; a T5's folder or name on the Hugging Face hub writes its own
    #[arg(long, value_name = "NAME", default_value = "extractive")]
    engine: String,

    /// The least length, in words, for `abstractive` and a T5 in tokens; by default 30, for `abstractive` 1
    #[arg(long, value_name = "NUMBER")]
    least: Option<usize>,

    /// The greatest length; by default 130, for `abstractive` 12
    #[arg(long, value_name = "NUMBER")]
    most: Option<usize>,

    /// How many beginnings `abstractive` or a T5 follows at once
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=64))]
    beams: Option<u32>,

    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

/// Runs `cargo course summarize`.
pub fn run(args: &Args) -> Result<()> {
    let (least, most) = args.limits();
    let length = length(least, most)?;
    let text = input::read(&args.file)?;
    let summarizer = engine(&args.engine, args.beams)?;
    let summary = summarizer.summarize(&text, length)?;
    if args.json {
        let line = serde_json::json!({
            "engine": summarizer.engine(),
            "unit": summarizer.unit().to_string(),
            "least": least,
            "most": most,
            "summary": summary,
            "words": words(&summary).len(),
        });
        return output::print(&line.to_string());
    }
    output::note(&format!(
        "{}, {least} to {most} {}",
        summarizer.engine(),
        summarizer.unit()
    ));
    output::print(&summary)
}

impl Args {
    /// The least and the greatest length, those of a subject line where the engine writes one.
    fn limits(&self) -> (usize, usize) {
        let (least, most) = if is_abstractive(&self.engine) {
            (SUBJECT_LENGTH.start, SUBJECT_LENGTH.end - 1)
        } else {
            (30, 130)
        };
        (self.least.unwrap_or(least), self.most.unwrap_or(most))
    }
}

/// The limits of a length of which both ends are allowed.
pub fn length(least: usize, most: usize) -> Result<Range<usize>> {
    if most == 0 || least > most {
        bail!("--least and --most: expected numbers such as 30 and 130, found {least} and {most}");
    }
    Ok(least..most.saturating_add(1))
}

/// The engine of this name, with so many beams if it writes words of its own.
fn engine(name: &str, beams: Option<u32>) -> Result<Summarizer> {
    let Some(beams) = beams else {
        return Ok(summarizer(name)?);
    };
    if PICKING.contains(&name) {
        bail!(
            "--beams: expected abstractive or a T5 as --engine, found {name}, which writes nothing of its own"
        );
    }
    if is_abstractive(name) {
        let engine = abstractive(name)?;
        return Ok(Summarizer::new(engine.beams(beams as usize)));
    }
    let pretrained = Pretrained::open(hub::find(name)?)?;
    Ok(Summarizer::new(
        pretrained.named(name).beams(beams as usize),
    ))
}
