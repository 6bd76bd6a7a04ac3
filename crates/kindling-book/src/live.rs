//! What a cell shows while it runs, as HTML made by the same function as the outputs of a page in the book.

use crate::language::Language;
use crate::outputs::{html, push_text};
use kindling_pages::{LeftOut, Shown, settle, shown_of, strip_ansi};
use nbformat::v4::Output;

/// What a page has to change below a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Append this element.
    Append(String),
    /// Put this element in the place of the last one.
    Replace(String),
    /// Add text to the last element.
    Print {
        /// Lines that stay as they are; they stand before the one that may still change.
        lines: String,
        /// The line that may still change: it takes the place of what was there.
        last: String,
    },
}

/// The outputs of one run of a cell, as far as they have come.
#[derive(Debug)]
pub struct Live {
    language: Language,
    /// Begins the ids inside drawings, which must be unique on a page.
    prefix: String,
    /// How many values were shown.
    count: usize,
    /// The stream that printed last, with nothing after it.
    printing: Option<Printing>,
    said_left_out: bool,
}

#[derive(Debug)]
struct Printing {
    stream: String,
    /// The line that may still change, from its last carriage return on.
    rest: String,
    /// The end of the line before, which shows when something follows it.
    newline: &'static str,
}

impl Live {
    /// Begins a run of `cell` on a page in `language`.
    pub fn new(cell: &str, language: Language) -> Self {
        let name = cell
            .chars()
            .filter(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_'));
        Self {
            language,
            prefix: format!("run-{}", name.collect::<String>()),
            count: 0,
            printing: None,
            said_left_out: false,
        }
    }

    /// What the page has to change to show `output`, too.
    pub fn show(&mut self, output: &Output) -> Vec<Change> {
        if let Output::Stream { name, text } = output {
            return self.print(name, &text.0);
        }
        let Some(shown) = shown_of(output) else {
            return Vec::new();
        };
        self.printing = None;
        self.count += 1;
        let replaces = self.said_left_out && matches!(shown, Shown::LeftOut(_));
        self.said_left_out = matches!(shown, Shown::LeftOut(_));
        let html = self.html(shown);
        vec![if replaces {
            Change::Replace(html)
        } else {
            Change::Append(html)
        }]
    }

    /// A change did not reach the page: what comes next does not go on with it.
    pub fn lose(&mut self) {
        self.printing = None;
        self.said_left_out = false;
    }

    fn html(&self, shown: Shown) -> String {
        let prefix = format!("{}-{}", self.prefix, self.count);
        let words = self.language.words();
        html(&[shown], words, &prefix, "", "").unwrap_or_else(|message| {
            let mut html = String::new();
            push_text(&mut html, words, false, &message);
            html
        })
    }

    /// Lines that are complete stay as they are; only the last one may still change.
    fn print(&mut self, stream: &str, text: &str) -> Vec<Change> {
        let mut changes = Vec::new();
        self.said_left_out = false;
        if self
            .printing
            .as_ref()
            .is_none_or(|printing| printing.stream != stream)
        {
            let mut html = String::new();
            push_text(&mut html, self.language.words(), stream == "stderr", "");
            changes.push(Change::Append(html));
            self.printing = None;
        }
        let printing = self.printing.get_or_insert_with(|| Printing {
            stream: stream.to_owned(),
            rest: String::new(),
            newline: "",
        });
        printing.rest.push_str(text);
        let end = printing.rest.rfind('\n').map_or(0, |end| end + 1);
        let complete = settle(&strip_ansi(&printing.rest[..end]));
        let mut lines = String::new();
        if let Some(complete) = complete.strip_suffix('\n') {
            lines = format!("{}{complete}", printing.newline);
            printing.newline = "\n";
        }
        printing.rest.drain(..end);
        // Of what a carriage return overwrites nothing is kept.
        let rest = printing.rest.trim_end_matches('\r');
        let start = rest.rfind('\r').unwrap_or_default();
        printing.rest.drain(..start);
        let mut last = settle(&strip_ansi(&printing.rest));
        if !last.is_empty() {
            last.insert_str(0, printing.newline);
        }
        changes.push(Change::Print { lines, last });
        changes
    }
}

/// The element that says that `characters` of a cell's output are not shown.
pub fn left_out(characters: u64, language: Language) -> String {
    let left_out = LeftOut {
        lines: 0,
        bytes: characters,
    };
    Live::new("", language).html(Shown::LeftOut(left_out))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn output(value: Value) -> Output {
        serde_json::from_value(value).unwrap()
    }

    fn printed(name: &str, text: &str) -> Output {
        output(json!({"output_type": "stream", "name": name, "text": text}))
    }

    fn display(data: Value) -> Output {
        output(json!({"output_type": "display_data", "metadata": {}, "data": data}))
    }

    /// The elements that a page shows in the end.
    fn page(changes: Vec<Change>) -> Vec<String> {
        let mut elements: Vec<(String, String, String)> = Vec::new();
        for change in changes {
            match change {
                Change::Append(html) => elements.push((html, String::new(), String::new())),
                Change::Replace(html) => {
                    *elements.last_mut().unwrap() = (html, String::new(), String::new())
                }
                Change::Print { lines, last } => {
                    let element = elements.last_mut().unwrap();
                    element.1.push_str(&lines);
                    element.2 = last;
                }
            }
        }
        let end = |(html, lines, last): (String, String, String)| {
            html.replace("</pre>", &format!("{lines}{last}</pre>"))
        };
        elements.into_iter().map(end).collect()
    }

    #[test]
    fn what_is_printed_grows_and_progress_lines_are_overwritten() {
        let mut live = Live::new("a-1", Language::SOURCE);
        let said = |lines| display(LeftOut { lines, bytes: 9 }.data());
        let outputs = [
            printed("stdout", "\rstep 1"),
            printed("stdout", "\rstep 20  \rstep 3  "),
            printed("stdout", "\ndone\n\u{1b}[1m0\u{1b}[0m\n"),
            printed("stdout", "\r1"),
            printed("stdout", "\r2"),
            printed("stderr", "careful <b>\n"),
            said(5),
            said(1_234_567),
            printed("stdout", "erased\r      \r"),
            printed("stdout", "last\n"),
        ];
        let changes = outputs
            .iter()
            .flat_map(|output| live.show(output))
            .collect();
        assert_eq!(
            page(changes),
            [
                "<pre class=\"output\">step 3\ndone\n0\n2</pre>",
                "<pre class=\"output output-warning\" aria-label=\"Standard error\">careful <b></pre>",
                "<p class=\"output-left-out\">… 1,234,567 lines left out …</p>",
                "<pre class=\"output\">last</pre>",
            ]
        );
    }

    #[test]
    fn values_are_shown_as_in_the_book() {
        let chinese = Language::with_code("zh-CN").unwrap();
        let mut live = Live::new("a-1\"$1", chinese);
        let mut shown = |data: Value| page(live.show(&display(data))).concat();
        assert_eq!(
            shown(json!({"text/plain": "1 < 2"})),
            "<pre class=\"output\">1 &lt; 2</pre>"
        );
        let table = json!({"text/html": "<table><tr><td>1</td></tr></table>", "text/plain": "1"});
        assert!(shown(table).starts_with("<div class=\"output-table\"><table>"));
        let drawing = shown(
            json!({"image/svg+xml": "<svg viewBox=\"0 0 1 1\"><title>T</title><g id=\"x\"/></svg>"}),
        );
        assert!(
            drawing.starts_with("<figure><svg") && drawing.contains("id=\"run-a-11-3-0-x\""),
            "{drawing}"
        );
        assert!(shown(json!({"image/svg+xml": "no drawing"})).contains("not an SVG file"));
        assert!(shown(json!({"image/png": "AAB="})).contains("src=\"data:image/png;base64,AAB=\""));
        assert_eq!(
            left_out(1_000, chinese),
            "<p class=\"output-left-out\">……省略 1,000 个字符……</p>"
        );
    }

    #[test]
    fn what_was_lost_is_not_gone_on_with() {
        let mut live = Live::new("a", Language::SOURCE);
        let first = live.show(&printed("stdout", "a"));
        assert!(
            matches!(&first[..], [Change::Append(_), Change::Print { last, .. }] if last == "a")
        );
        live.lose();
        let next = live.show(&printed("stdout", "b"));
        assert!(
            matches!(&next[..], [Change::Append(_), Change::Print { last, .. }] if last == "b")
        );
    }
}
