//! What a cell printed and drew, from the page's notebook, as HTML.

use crate::language::Words;
use crate::maths::escape;
use crate::svg::Svg;
use kindling_pages::{PageError, Shown, read_notebook, shown};
use nbformat::v4::Cell;
use std::collections::HashMap;
use std::path::Path;

/// The stored outputs of one notebook: of each cell its code, and what it shows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outputs {
    cells: HashMap<String, (String, Vec<Shown>)>,
}

impl Outputs {
    /// Reads the notebook at `file`; an absent one has no outputs.
    pub(crate) fn read(file: &Path) -> Result<Self, PageError> {
        let cells = read_notebook(file)?.map_or(Vec::new(), |notebook| notebook.cells);
        let cells = cells.into_iter().filter_map(|cell| match cell {
            Cell::Code {
                id,
                source,
                outputs,
                ..
            } => Some((id.to_string(), (source.concat(), shown(&outputs)))),
            _ => None,
        });
        Ok(Self {
            cells: cells.collect(),
        })
    }

    /// The outputs of cell `id`, if they are those of `source`: a cell that changed since has none.
    pub(crate) fn of(&self, id: &str, source: &str) -> &[Shown] {
        match self.cells.get(id) {
            Some((stored, outputs)) if stored.trim() == source.trim() => outputs,
            _ => &[],
        }
    }
}

/// Whether one of `outputs` is a picture.
pub(crate) fn draws(outputs: &[Shown]) -> bool {
    outputs
        .iter()
        .any(|output| matches!(output, Shown::Svg(_) | Shown::Png(_)))
}

/// The HTML of `outputs`. `caption` is the HTML below a picture, `alt` the same as plain text.
pub(crate) fn html(
    outputs: &[Shown],
    words: &Words,
    prefix: &str,
    caption: &str,
    alt: &str,
) -> Result<String, String> {
    let mut html = String::new();
    let mut pictures = outputs
        .iter()
        .filter(|output| matches!(output, Shown::Svg(_) | Shown::Png(_)))
        .count();
    for (index, output) in outputs.iter().enumerate() {
        match output {
            Shown::Text(text) => push_text(&mut html, words, false, text),
            Shown::Warning(text) => push_text(&mut html, words, true, text),
            Shown::LeftOut(left_out) => {
                let left_out = words.left_out(*left_out);
                html.push_str(&format!("<p class=\"output-left-out\">{left_out}</p>"));
            }
            Shown::Table(table) => {
                html.push_str(&format!("<div class=\"output-table\">{table}</div>"));
            }
            Shown::Error(text) => {
                html.push_str(&format!(
                    "<div class=\"output-error\" role=\"note\" aria-label=\"{}\">",
                    words.error_output
                ));
                push_text(&mut html, words, false, text);
                html.push_str("</div>");
            }
            Shown::Svg(svg) => {
                let svg = Svg::new(svg)?.inline(&format!("{prefix}-{index}"), alt);
                pictures -= 1;
                push_figure(&mut html, &svg, if pictures == 0 { caption } else { "" });
            }
            Shown::Png(data) => {
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

/// What was printed, on standard error if it is a `warning`.
pub(crate) fn push_text(html: &mut String, words: &Words, warning: bool, text: &str) {
    let attributes = if warning {
        format!(
            "class=\"output output-warning\" aria-label=\"{}\"",
            words.stderr
        )
    } else {
        "class=\"output\"".to_owned()
    };
    let text = escape(text.trim_end_matches('\n'));
    html.push_str(&format!("<pre {attributes}>{text}</pre>"));
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
    fn a_changed_cell_has_no_outputs() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.ipynb");
        let cell = json!({
            "cell_type": "code", "id": "c", "metadata": {}, "execution_count": null, "source": ["let a = 1;\n", "a"],
            "outputs": [{"output_type": "stream", "name": "stdout", "text": "1\n"}],
        });
        let notebook = json!({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5});
        std::fs::write(&file, notebook.to_string()).unwrap();
        let outputs = Outputs::read(&file).unwrap();
        assert_eq!(outputs.of("c", "let a = 1;\na\n").len(), 1);
        assert!(outputs.of("c", "let a = 2;\na\n").is_empty());
        std::fs::write(&file, "{").unwrap();
        assert!(
            Outputs::read(&file)
                .unwrap_err()
                .to_string()
                .contains("this is not a notebook")
        );
    }
}
