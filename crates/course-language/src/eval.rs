//! `cargo course eval summarizer`: how much of people's subject lines the engines find in e-mails.

use std::collections::HashSet;

use anyhow::Result;
use course_program::output;
use kindling::{
    data::{Emails, Source},
    metrics::Rouge,
    pipeline::{Abstractive, SUBJECT_LENGTH, Summarizer, rouge_of_subjects},
    train::places,
};
use kindling_pretrained::summarizer;
use serde_json::json;

use crate::summarize::length;

/// What this program measures; `course-models` measures the rest.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum What {
    /// ROUGE on the test set of AESLC: e-mails, and the subjects that people gave them
    Summarizer,
}

/// Measure the summarisers.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What is measured
    what: What,

    /// An engine, as `cargo course summarize` names them; may be given several times. By default lead, tf-idf, extractive, and
    /// abstractive where there are weights for it
    #[arg(long, value_name = "NAME")]
    engine: Vec<String>,

    /// The least length of a subject
    #[arg(long, value_name = "NUMBER", default_value_t = SUBJECT_LENGTH.start)]
    least: usize,

    /// The greatest length of a subject
    #[arg(long, value_name = "NUMBER", default_value_t = SUBJECT_LENGTH.end - 1)]
    most: usize,

    /// Use only so many e-mails
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,

    /// E-mails written by a program, which need no download
    #[arg(long)]
    builtin: bool,

    /// Print a line of JSON for each engine
    #[arg(long)]
    json: bool,
}

/// Runs `cargo course eval summarizer`.
pub fn run(args: &Args) -> Result<()> {
    let What::Summarizer = args.what;
    let names = match args.engine.as_slice() {
        [] => default_engines(),
        names => names.to_vec(),
    };
    let length = length(args.least, args.most)?;
    // All engines first: with an unknown one among them, nothing is measured.
    let engines = names.iter().map(|name| Ok(summarizer(name)?));
    let mut engines: Vec<Summarizer> = engines.collect::<Result<_>>()?;
    if args.engine.is_empty() {
        // Without a pretrained model `extractive` is `tf-idf`, which was measured.
        let mut seen = HashSet::new();
        engines.retain(|engine| seen.insert(engine.engine()));
    }
    let emails = if args.builtin {
        Emails::builtin(0, 0, 500, 0)?
    } else {
        Emails::load()?
    };
    let count = args.limit.map_or(usize::MAX, |limit| limit as usize);
    let test = &emails.test[..count.min(emails.test.len())];
    let data = match emails.source {
        Source::Builtin => "built-in e-mails",
        _ => "AESLC",
    };
    if !args.json {
        output::print(&format!(
            "{} test e-mails of {data}, subjects of {} to {}: F1 in %, of several subjects the best",
            test.len(),
            args.least,
            args.most
        ))?;
        output::print(&format!(
            "{:<40}{:>9}{:>9}{:>9}",
            "", "ROUGE-1", "ROUGE-2", "ROUGE-L"
        ))?;
    }
    for engine in engines {
        let rouge = rouge_of_subjects(&engine, test, length.clone())?;
        print_row(&engine, data, test.len(), &rouge, args.json)?;
    }
    Ok(())
}

/// Those that pick sentences, and the one with weights of the course, if they are there.
fn default_engines() -> Vec<String> {
    let mut names = vec!["lead", "tf-idf", "extractive"];
    if places::find_weights(Abstractive::NAME, None).is_ok() {
        names.push("abstractive");
    }
    names.into_iter().map(str::to_owned).collect()
}

fn print_row(
    engine: &Summarizer,
    data: &str,
    count: usize,
    rouge: &Rouge,
    json: bool,
) -> Result<()> {
    let scores = [rouge.rouge1.f1, rouge.rouge2.f1, rouge.rouge_l.f1];
    if json {
        let line = json!({
            "engine": engine.engine(),
            "unit": engine.unit().to_string(),
            "data": data,
            "examples": count,
            "rouge1": scores[0],
            "rouge2": scores[1],
            "rougeL": scores[2],
        });
        return output::print(&line.to_string());
    }
    let [one, two, longest] = scores.map(|score| 100.0 * score);
    let engine = engine.engine();
    output::print(&format!("{engine:<40}{one:>9.2}{two:>9.2}{longest:>9.2}"))
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn what_is_measured_has_the_name_of_the_model_that_is_trained() {
        let value = What::Summarizer.to_possible_value().unwrap();
        assert_eq!(value.get_name(), Abstractive::NAME);
    }
}
