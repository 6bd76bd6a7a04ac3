//! What a cell printed and drew, from the page's notebook, as HTML.

use crate::language::Words;
use crate::maths::escape;
use crate::svg::Svg;
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;

/// One output of a cell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Output {
    /// Printed text, or the text of a value.
    Text(String),
    /// Printed on standard error.
    Warning(String),
    /// The message of a cell that failed.
    Error(String),
    /// A drawing.
    Svg(String),
    /// A picture, base64.
    Png(String),
    /// A table: HTML that [`is_table`] has looked at.
    Table(String),
}

/// The stored outputs of one notebook, by cell.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outputs {
    cells: HashMap<String, (String, Vec<Output>)>,
}

impl Outputs {
    /// Reads the notebook at `file`; an absent one has no outputs.
    pub(crate) fn read(file: &Path) -> Result<Self> {
        if !file.exists() {
            return Ok(Self::default());
        }
        let shown = file.display();
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))?;
        let notebook: Value = serde_json::from_str(&text).with_context(|| {
            format!("{shown} is not a notebook; run `cargo course sync` to write it anew")
        })?;
        let mut cells = HashMap::new();
        for cell in notebook["cells"].as_array().into_iter().flatten() {
            let Some(id) = cell["id"].as_str() else {
                continue;
            };
            let outputs = cell["outputs"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(output)
                .collect();
            cells.insert(id.to_owned(), (text_of(&cell["source"]), outputs));
        }
        Ok(Self { cells })
    }

    /// The outputs of cell `id`, if they are those of `source`: a cell that changed since has none.
    pub(crate) fn of(&self, id: &str, source: &str) -> Vec<Output> {
        match self.cells.get(id) {
            Some((stored, outputs)) if stored.trim() == source.trim() => merged(outputs),
            _ => Vec::new(),
        }
    }
}

/// Joins neighbouring pieces of the same stream.
fn merged(outputs: &[Output]) -> Vec<Output> {
    let mut result: Vec<Output> = Vec::new();
    for output in outputs {
        match (result.last_mut(), output) {
            (Some(Output::Text(before)), Output::Text(text))
            | (Some(Output::Warning(before)), Output::Warning(text)) => {
                if !before.ends_with('\n') {
                    before.push('\n');
                }
                before.push_str(text);
            }
            _ => result.push(output.clone()),
        }
    }
    result
}

/// A notebook's text: one string, or a list of lines.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        _ => String::new(),
    }
}

fn output(value: &Value) -> Option<Output> {
    let output = match value["output_type"].as_str()? {
        "stream" => {
            let text = last_progress(&strip_ansi(&text_of(&value["text"])));
            if text.trim().is_empty() {
                return None;
            }
            if value["name"] == "stderr" {
                Output::Warning(text)
            } else {
                Output::Text(text)
            }
        }
        "error" => {
            let traceback = strip_ansi(&text_of(&Value::Array(
                value["traceback"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|line| Value::from(format!("{}\n", text_of(line))))
                    .collect(),
            )));
            let text = if traceback.trim().is_empty() {
                text_of(&value["evalue"])
            } else {
                traceback
            };
            Output::Error(text.trim_end().to_owned())
        }
        _ => {
            let data = &value["data"];
            if !data["image/svg+xml"].is_null() {
                Output::Svg(text_of(&data["image/svg+xml"]))
            } else if !data["image/png"].is_null() {
                Output::Png(text_of(&data["image/png"]).replace('\n', ""))
            } else if let Some(table) =
                Some(text_of(&data["text/html"])).filter(|html| is_table(html))
            {
                Output::Table(table)
            } else {
                let text = strip_ansi(&text_of(&data["text/plain"]));
                if text.trim().is_empty() {
                    return None;
                }
                Output::Text(text)
            }
        }
    };
    Some(output)
}

/// Whether `html` is a table as the course's crate draws it: elements of a table and paragraphs, without attributes.
///
/// Other HTML is not shown: it could do anything on a page that may run code.
fn is_table(html: &str) -> bool {
    let known = ["table", "thead", "tbody", "tr", "th", "td", "p"];
    let mut tags = html.split('<');
    let before = tags.next().unwrap_or_default();
    let known_tag = |part: &str| {
        let name = part.split_once('>').map(|(name, _)| name);
        name.is_some_and(|name| known.contains(&name.strip_prefix('/').unwrap_or(name)))
    };
    before.trim().is_empty() && html.contains("<table>") && tags.all(known_tag)
}

/// Keeps of each line what a terminal would show in the end: what follows its last carriage return.
fn last_progress(text: &str) -> String {
    let lines = text.split('\n').map(|line| {
        line.trim_end_matches('\r')
            .rsplit('\r')
            .next()
            .unwrap_or("")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Removes the colours of a terminal.
pub(crate) fn strip_ansi(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('\u{1b}') {
        result.push_str(&rest[..start]);
        rest = &rest[start + 1..];
        if let Some(sequence) = rest.strip_prefix('[') {
            let end = sequence
                .find(|letter: char| letter.is_ascii_alphabetic())
                .map_or(sequence.len(), |end| end + 1);
            rest = &sequence[end..];
        }
    }
    result.push_str(rest);
    result
}

/// Whether one of `outputs` is a picture.
pub(crate) fn draws(outputs: &[Output]) -> bool {
    outputs
        .iter()
        .any(|output| matches!(output, Output::Svg(_) | Output::Png(_)))
}

/// The HTML of `outputs`. `caption` is the HTML below a picture, `alt` the same as plain text.
pub(crate) fn html(
    outputs: &[Output],
    words: &Words,
    prefix: &str,
    caption: &str,
    alt: &str,
) -> Result<String, String> {
    let mut html = String::new();
    let mut pictures = outputs
        .iter()
        .filter(|output| matches!(output, Output::Svg(_) | Output::Png(_)))
        .count();
    for (index, output) in outputs.iter().enumerate() {
        match output {
            Output::Text(text) => push_text(&mut html, "output", text),
            Output::Warning(text) => push_text(&mut html, "output output-warning", text),
            Output::Table(table) => {
                html.push_str(&format!("<div class=\"output-table\">{table}</div>"));
            }
            Output::Error(text) => {
                html.push_str(&format!(
                    "<div class=\"output-error\" role=\"note\" aria-label=\"{}\">",
                    words.error_output
                ));
                push_text(&mut html, "output", text);
                html.push_str("</div>");
            }
            Output::Svg(svg) => {
                let svg = Svg::new(svg)?.inline(&format!("{prefix}-{index}"), alt);
                pictures -= 1;
                push_figure(&mut html, &svg, if pictures == 0 { caption } else { "" });
            }
            Output::Png(data) => {
                let picture = format!(
                    "<img src=\"data:image/png;base64,{data}\" alt=\"{}\">",
                    escape(alt)
                );
                pictures -= 1;
                push_figure(
                    &mut html,
                    &picture,
                    if pictures == 0 { caption } else { "" },
                );
            }
        }
    }
    Ok(html)
}

fn push_text(html: &mut String, class: &str, text: &str) {
    html.push_str(&format!(
        "<pre class=\"{class}\">{}</pre>",
        escape(text.trim_end_matches('\n'))
    ));
}

/// A picture with its caption.
pub(crate) fn push_figure(html: &mut String, picture: &str, caption: &str) {
    let caption = if caption.is_empty() {
        String::new()
    } else {
        format!("<figcaption>{caption}</figcaption>")
    };
    html.push_str(&format!("<figure>{picture}{caption}</figure>"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn outputs_are_read() {
        let stream = json!({"output_type": "stream", "name": "stdout", "text": ["a\n", "\r1 of 2\r2 of 2\n"]});
        assert_eq!(
            output(&stream),
            Some(Output::Text("a\n2 of 2\n".to_owned()))
        );
        let error = json!({"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["\u{1b}[31mline 1\u{1b}[0m", "line 2"]});
        assert_eq!(
            output(&error),
            Some(Output::Error("line 1\nline 2".to_owned()))
        );
        let value =
            json!({"output_type": "execute_result", "data": {"text/plain": "3"}, "metadata": {}});
        assert_eq!(output(&value), Some(Output::Text("3".to_owned())));
    }

    #[test]
    fn a_table_is_shown_and_other_html_is_not() {
        let display = |html: &str| {
            let data = json!({"text/html": [html], "text/plain": "as text"});
            output(&json!({"output_type": "display_data", "data": data, "metadata": {}}))
        };
        let table = "<table>\n<tr><th>a &lt; b</th></tr>\n</table>\n<p>… and 2 more rows</p>";
        assert_eq!(display(table), Some(Output::Table(table.to_owned())));
        for other in [
            "<table><tr><td><script>alert(1)</script></td></tr></table>",
            "<table onclick=\"alert(1)\"></table>",
            "<table><tr><td>a</td></tr></table><img src=x>",
            "<p>no table</p>",
            "words <table></table>",
            "<table",
        ] {
            assert_eq!(
                display(other),
                Some(Output::Text("as text".to_owned())),
                "{other}"
            );
        }
    }

    #[test]
    fn a_changed_cell_has_no_outputs() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.ipynb");
        let cell = json!({"id": "c", "source": ["let a = 1;\n", "a"], "outputs": [{"output_type": "stream", "name": "stdout", "text": "1\n"}]});
        std::fs::write(&file, json!({"cells": [cell]}).to_string()).unwrap();
        let outputs = Outputs::read(&file).unwrap();
        assert_eq!(outputs.of("c", "let a = 1;\na\n").len(), 1);
        assert!(outputs.of("c", "let a = 2;\na\n").is_empty());
        std::fs::write(&file, "{").unwrap();
        assert!(
            Outputs::read(&file)
                .unwrap_err()
                .to_string()
                .contains("is not a notebook")
        );
    }
}
