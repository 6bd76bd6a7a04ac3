//! What a cell shows: the outputs that a kernel sent or a notebook stores, as the book, the page and a comparison read them.

use jupyter_protocol::{Media, MediaType};
use nbformat::v4::Output;
use serde_json::{Value, json};
use std::fmt;

/// One thing that a reader sees below a cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Shown {
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
    /// A table: HTML of table elements and paragraphs, without attributes.
    Table(String),
    /// How much is not shown.
    LeftOut(LeftOut),
}

/// What a reader sees of `outputs`; neighbouring pieces of text are one.
pub fn shown(outputs: &[Output]) -> Vec<Shown> {
    let mut all: Vec<Shown> = Vec::new();
    for output in outputs.iter().filter_map(shown_of) {
        match (all.last_mut(), output) {
            (Some(Shown::Text(before)), Shown::Text(text))
            | (Some(Shown::Warning(before)), Shown::Warning(text)) => {
                if !before.ends_with('\n') {
                    before.push('\n');
                }
                before.push_str(&text);
            }
            (_, output) => all.push(output),
        }
    }
    all
}

/// What a reader sees of one output; `None` when that is nothing.
pub fn shown_of(output: &Output) -> Option<Shown> {
    let data = match output {
        Output::Stream { name, text } => {
            let text = settle(&strip_ansi(&text.0));
            let shown = if name == "stderr" {
                Shown::Warning
            } else {
                Shown::Text
            };
            return Some(text).filter(|text| !text.trim().is_empty()).map(shown);
        }
        Output::Error(error) => {
            let traceback = strip_ansi(&error.traceback.join("\n"));
            let text = if traceback.trim().is_empty() {
                strip_ansi(&error.evalue)
            } else {
                traceback
            };
            return Some(Shown::Error(text.trim_end().to_owned()));
        }
        Output::DisplayData(display) => &display.data,
        Output::ExecuteResult(result) => &result.data,
    };
    if let Some(left_out) = LeftOut::of(data) {
        return Some(Shown::LeftOut(left_out));
    }
    let forms = forms(output);
    let form = |kind: &str| {
        let found = forms.iter().find(|(name, _)| name == kind);
        found.map(|(_, content)| content.as_str())
    };
    if let Some(svg) = form("image/svg+xml") {
        Some(Shown::Svg(svg.to_owned()))
    } else if let Some(png) = form("image/png") {
        Some(Shown::Png(png.replace('\n', "")))
    } else if let Some(table) = form("text/html").filter(|html| is_table(html)) {
        Some(Shown::Table(table.to_owned()))
    } else {
        let text = strip_ansi(form("text/plain")?);
        (!text.trim().is_empty()).then_some(Shown::Text(text))
    }
}

/// The forms that a value is shown in, such as `text/plain`, each with its content as text; none for what was printed.
pub fn forms(output: &Output) -> Vec<(String, String)> {
    if matches!(output, Output::Stream { .. } | Output::Error(_)) {
        return Vec::new();
    }
    let value = serde_json::to_value(output).unwrap_or_default();
    let forms = value["data"].as_object().into_iter().flatten();
    forms
        .map(|(kind, content)| (kind.clone(), text_of(content)))
        .collect()
}

/// A notebook's text is one string or a list of lines; anything else is JSON.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        other => other.to_string(),
    }
}

/// Adds an output to those of a cell: pieces of one stream become one, and a later word of how much was left out takes the
/// place of the one before.
pub fn push(outputs: &mut Vec<Output>, output: Output) {
    let left_out = |output: &Output| matches!(output, Output::DisplayData(shown) if LeftOut::of(&shown.data).is_some());
    if outputs.last().is_some_and(left_out) && left_out(&output) {
        outputs.pop();
    }
    if let (
        Some(Output::Stream { name, text }),
        Output::Stream {
            name: new,
            text: more,
        },
    ) = (outputs.last_mut(), &output)
        && name == new
    {
        text.0.push_str(&more.0);
        return;
    }
    outputs.push(output);
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

/// Removes the codes by which a program colours what it prints on a terminal.
pub fn strip_ansi(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

/// What a reader sees of `text`: a carriage return starts its line again, so of each progress line only the last state.
pub fn settle(text: &str) -> String {
    let mut settled = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (line, end) = line
            .strip_suffix('\n')
            .map_or((line, ""), |line| (line, "\n"));
        if line.starts_with('\r') && line.ends_with('\r') {
            continue; // It was erased, and nothing followed.
        }
        match line.trim_end_matches('\r').rsplit_once('\r') {
            // What covered a longer line is not part of the text.
            Some((_, last)) => settled.push_str(last.trim_end()),
            None => settled.push_str(line.trim_end_matches('\r')),
        }
        settled.push_str(end);
    }
    settled
}

/// How much of a cell's output is not shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Whole lines.
    pub lines: u64,
    /// Bytes, those of the lines included.
    pub bytes: u64,
}

impl LeftOut {
    /// The form in which a page reads how much was left out, and says it in its own language.
    const KIND: &str = "application/vnd.kindling.left-out+json";

    /// Reads how much `data` says was left out; `None` where it says something else.
    pub fn of(data: &Media) -> Option<Self> {
        data.content.iter().find_map(|form| match form {
            MediaType::Other((kind, value)) if kind == Self::KIND => Some(Self {
                lines: value["lines"].as_u64().unwrap_or_default(),
                bytes: value["characters"].as_u64().unwrap_or_default(),
            }),
            _ => None,
        })
    }

    /// For readers in Jupyter and for the page.
    pub fn media(self) -> Media {
        Media::new(vec![
            MediaType::Plain(self.to_string()),
            MediaType::Other((Self::KIND.to_owned(), self.counts())),
        ])
    }

    /// The same as the data of a message.
    pub fn data(self) -> Value {
        json!({"text/plain": self.to_string(), Self::KIND: self.counts()})
    }

    fn counts(self) -> Value {
        json!({"lines": self.lines, "characters": self.bytes})
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.lines {
            0 => write!(formatter, "… {} characters left out …", grouped(self.bytes)),
            1 => write!(formatter, "… 1 line left out …"),
            lines => write!(formatter, "… {} lines left out …", grouped(lines)),
        }
    }
}

/// A number with a comma before each three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(value: Value) -> Output {
        serde_json::from_value(value).unwrap()
    }

    fn read(value: Value) -> Option<Shown> {
        shown_of(&output(value))
    }

    #[test]
    fn outputs_are_read() {
        let stream = json!({"output_type": "stream", "name": "stdout", "text": ["a\n", "\r1 of 2\r2 of 2\n"]});
        assert_eq!(read(stream), Some(Shown::Text("a\n2 of 2\n".to_owned())));
        let error = json!({"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["\u{1b}[31mline 1\u{1b}[0m", "line 2"]});
        assert_eq!(read(error), Some(Shown::Error("line 1\nline 2".to_owned())));
        let value = json!({"output_type": "execute_result", "execution_count": 1, "data": {"text/plain": "3"}, "metadata": {}});
        assert_eq!(read(value), Some(Shown::Text("3".to_owned())));
    }

    #[test]
    fn a_table_is_shown_and_other_html_is_not() {
        let display = |html: &str| {
            let data = json!({"text/html": [html], "text/plain": "as text"});
            read(json!({"output_type": "display_data", "data": data, "metadata": {}}))
        };
        let table = "<table>\n<tr><th>a &lt; b</th></tr>\n</table>\n<p>… and 2 more rows</p>";
        assert_eq!(display(table), Some(Shown::Table(table.to_owned())));
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
                Some(Shown::Text("as text".to_owned())),
                "{other}"
            );
        }
    }

    #[test]
    fn text_beside_text_is_one() {
        let printed = |name: &str, text: &str| {
            output(json!({"output_type": "stream", "name": name, "text": text}))
        };
        let all = shown(&[
            printed("stdout", "a"),
            printed("stdout", "b\n"),
            printed("stderr", "c"),
        ]);
        let expected = [
            Shown::Text("a\nb\n".to_owned()),
            Shown::Warning("c".to_owned()),
        ];
        assert_eq!(all, expected);
        let mut pushed = Vec::new();
        for text in ["a", "b\n"] {
            push(&mut pushed, printed("stdout", text));
        }
        assert!(matches!(&pushed[..], [Output::Stream { text, .. }] if text.0 == "ab\n"));
    }

    #[test]
    fn colours_of_a_terminal_are_removed_and_lines_are_kept() {
        assert_eq!(strip_ansi("\u{1b}[91mError\u{1b}[0m: x"), "Error: x");
        assert_eq!(
            strip_ansi("\u{1b}[1mFinished\u{1b}(B\u{1b}[0m x"),
            "Finished x"
        );
        assert_eq!(strip_ansi("a\r\tb\n╭─ 中文\u{1b}["), "a\r\tb\n╭─ 中文");
    }

    #[test]
    fn of_a_progress_line_the_last_state_is_seen() {
        assert_eq!(
            settle("start\n\r1 of 2\r2 of 2\ndone\n"),
            "start\n2 of 2\ndone\n"
        );
        assert_eq!(settle("\rstep 10\rdone   "), "done");
        assert_eq!(
            settle("\r1 of 2\r      \rtable\n\r1 of 9\r      \r"),
            "table\n"
        );
    }

    #[test]
    fn how_much_was_left_out_is_said_once() {
        let mut outputs = Vec::new();
        for bytes in [5, 50, 500] {
            let data = LeftOut { lines: 0, bytes }.media();
            let metadata = serde_json::Map::new();
            let said = nbformat::v4::DisplayData { data, metadata };
            push(&mut outputs, Output::DisplayData(said));
        }
        assert_eq!(outputs.len(), 1);
        let expected = LeftOut {
            lines: 0,
            bytes: 500,
        };
        assert_eq!(shown(&outputs), [Shown::LeftOut(expected)]);
        assert_eq!(expected.to_string(), "… 500 characters left out …");
        let lines = |lines| LeftOut { lines, bytes: 9 }.to_string();
        assert_eq!(
            [lines(1), lines(1_234_567)],
            ["… 1 line left out …", "… 1,234,567 lines left out …"]
        );
    }
}
