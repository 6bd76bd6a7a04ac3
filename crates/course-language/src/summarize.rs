//! `cargo course summarize`: a text in fewer words.

use std::{ops::Range, path::PathBuf};

use anyhow::{Result, bail};
use course_program::{input, output};
use kindling::{pipeline::Summarizer, text::words};
use kindling_pretrained::{Pretrained, hub, summarizer};

/// The engines that pick sentences of the text.
const PICKING: [&str; 3] = ["extractive", "tf-idf", "lead"];

/// Say in fewer words what a text says.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The text, in UTF-8; - reads standard input
    #[arg(value_name = "FILE|-")]
    file: PathBuf,

    /// What writes it: `extractive` picks sentences by a pretrained model's vectors if that is here and else by their words, `tf-idf` by
    /// their words, `lead` takes the first ones; a T5's folder or name on the Hugging Face hub writes its own
    #[arg(long, value_name = "NAME", default_value = "extractive")]
    engine: String,

    /// The least length, in words; for a T5 in tokens
    #[arg(long, value_name = "NUMBER", default_value_t = 30)]
    least: usize,

    /// The greatest length
    #[arg(long, value_name = "NUMBER", default_value_t = 130)]
    most: usize,

    /// How many beginnings a T5 follows at once
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=64))]
    beams: Option<u32>,

    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

/// Runs `cargo course summarize`.
pub fn run(args: &Args) -> Result<()> {
    let length = length(args.least, args.most)?;
    let text = input::read(&args.file)?;
    let summarizer = engine(&args.engine, args.beams)?;
    let summary = summarizer.summarize(&text, length)?;
    if args.json {
        let line = serde_json::json!({
            "engine": summarizer.engine(),
            "unit": summarizer.unit().to_string(),
            "least": args.least,
            "most": args.most,
            "summary": summary,
            "words": words(&summary).len(),
        });
        return output::print(&line.to_string());
    }
    output::note(&format!(
        "{}, {} to {} {}",
        summarizer.engine(),
        args.least,
        args.most,
        summarizer.unit()
    ));
    output::print(&summary)
}

/// The limits of a length of which both ends are allowed.
pub fn length(least: usize, most: usize) -> Result<Range<usize>> {
    if most == 0 || least > most {
        bail!("--least and --most: expected numbers such as 30 and 130, found {least} and {most}");
    }
    Ok(least..most.saturating_add(1))
}

/// The engine of this name, with so many beams if it is a T5.
fn engine(name: &str, beams: Option<u32>) -> Result<Summarizer> {
    let Some(beams) = beams else {
        return Ok(summarizer(name)?);
    };
    if PICKING.contains(&name) {
        bail!("--beams: expected a T5 as --engine, found {name}, which writes nothing of its own");
    }
    let pretrained = Pretrained::open(hub::find(name)?)?;
    Ok(Summarizer::new(
        pretrained.named(name).beams(beams as usize),
    ))
}
