//! `cargo course eval` for translators.

use std::process::ExitCode;

use anyhow::{Result, bail};
use course_program::output;

use super::{
    NamedTranslator,
    pairs::{self, Languages},
    task::judge,
    translate::Translator,
};
use crate::{eval::Options, weights::Trained};

/// Measures BLEU on the test set of the languages that the weights were trained for.
pub fn evaluate(named: &NamedTranslator, options: &Options) -> Result<ExitCode> {
    let args = &options.data;
    args.check()?;
    let trained = Trained::find(named.name, options.weights.clone())?;
    let translator = Translator::of(named, &trained)?;
    let Trained { file, details } = &trained;
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
    if options.json {
        let line = serde_json::json!({
            "model": named.name,
            "weights": file.display().to_string(),
            "data": source,
            "examples": test.len(),
            "bleu": score.value,
        });
        output::print(&line.to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    trained.introduce(named.name)?;
    output::print(&format!(
        "{}{}, on {} pairs of {source}",
        score.words,
        score.how,
        test.len()
    ))?;
    Ok(ExitCode::SUCCESS)
}
