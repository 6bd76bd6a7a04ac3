//! `cargo course eval` for translators.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Result, bail};
use course_program::output;
use kindling::train::{places, read_details};

use super::{
    pairs::{self, Languages},
    task::judge,
    translate::Translator,
};
use crate::data;

/// Measures BLEU on the test set of the languages that the weights were trained for.
pub fn evaluate(
    name: &str,
    weights: Option<PathBuf>,
    args: &data::Args,
    as_json: bool,
) -> Result<ExitCode> {
    args.check()?;
    let file = places::find_weights(name, weights)?;
    let translator = Translator::open(name, Some(file.clone()))?;
    let details = read_details(&file)?;
    let trained_on = details.get("data").map_or("", String::as_str);
    let languages = match Languages::of_data(trained_on) {
        Some(languages) => languages,
        // Given pairs have their languages.
        None if args.builtin || args.data.is_some() => Languages::default(),
        None => bail!(
            "{}: trained on {trained_on:?}; say with --data FILE or --builtin what to measure on",
            file.display()
        ),
    };
    let (test, source) = pairs::test(&translator.tokenizer, &languages, args)?;
    if test.is_empty() {
        bail!("{source}: expected pairs that are short enough to measure by, found none");
    }
    let score = judge(&translator, &test)?;
    if as_json {
        let line = serde_json::json!({
            "model": name,
            "weights": file.display().to_string(),
            "data": source,
            "examples": test.len(),
            "bleu": score.value,
        });
        output::print(&line.to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    output::print(&format!("{name} with the weights in {}", file.display()))?;
    if let (Some(score), Some(command)) = (details.get("score"), details.get("command")) {
        output::print(&format!("recorded when trained: {score} ({command})"))?;
    }
    output::print(&format!(
        "{} {}, on {} pairs of {source}",
        score.words,
        score.how,
        test.len()
    ))?;
    Ok(ExitCode::SUCCESS)
}
