//! A benchmark's report: one JSON object of objects, or the same as a table.

use anyhow::Result;
use serde_json::Value;

use crate::output;

/// Prints the report; what was not measured is `null`, or `-` in the table.
pub fn show(report: &Value, json: bool) -> Result<()> {
    if json {
        return output::print(&serde_json::to_string_pretty(report)?);
    }
    for (name, row) in report.as_object().into_iter().flatten() {
        output::print(name)?;
        for (key, value) in row.as_object().into_iter().flatten() {
            output::print(&format!("  {key:<30}{:>12}", cell(value)))?;
        }
    }
    Ok(())
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(words) => words.clone(),
        Value::Number(number) if number.is_f64() => number
            .as_f64()
            .map_or("-".to_owned(), |number| format!("{number:.3}")),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::cell;

    #[test]
    fn numbers_words_and_gaps_each_fill_a_cell() {
        let cells =
            [json!(0.12345), json!(7), json!("words"), json!(null)].map(|value| cell(&value));
        assert_eq!(cells, ["0.123", "7", "words", "-"]);
    }
}
