//! Compares the outputs of two runs: words exactly, numbers within a tolerance, times not at all.

use anyhow::{Result, bail};
use kindling_pages::{Cell, Page, forms, outputs};
use nbformat::v4::{Notebook, Output};

/// How far numbers may be apart where a cell does not say: floating-point sums differ between processors.
const TOLERANCE: f64 = 1e-3;

/// Fails, naming page, line and cell, where `fresh` shows something else than `stored`.
pub fn compare(page: &Page, stored: &Notebook, fresh: &Notebook) -> Result<()> {
    for cell in page.cells().filter(|cell| cell.in_notebook()) {
        let timing = cell.tags.timing;
        let old = shown(outputs(stored, &cell.id).unwrap_or_default(), timing);
        let new = shown(outputs(fresh, &cell.id).unwrap_or_default(), timing);
        if let Some(difference) = difference(cell, &old, &new) {
            let advice = "if the new output is right, run `cargo course notebooks --execute --force` on the page";
            bail!(
                "{}:{}: cell `{}` {difference}; {advice}",
                page.shown_path().display(),
                cell.line,
                cell.id
            );
        }
    }
    Ok(())
}

/// The outputs as text; pictures inside a figure count by being there, and so does all that is drawn from times.
fn shown(outputs: &[Output], timing: bool) -> String {
    let mut text = String::new();
    for output in outputs {
        match output {
            Output::Stream { name, text: stream } => {
                text.push_str(&format!("[{name}]\n{}", stream.0))
            }
            Output::Error(error) => text.push_str(&format!("[error]\n{}\n", error.evalue)),
            value => {
                let forms = forms(value);
                if timing {
                    let kinds: Vec<&str> = forms.iter().map(|(kind, _)| kind.as_str()).collect();
                    text.push_str(&format!("[display] {}\n", kinds.join(" ")));
                    continue;
                }
                text.push_str("[display]\n");
                for (kind, content) in forms {
                    text.push_str(&format!("{kind}\n{}\n", without_pictures(&content)));
                }
                text.push('\n');
            }
        }
    }
    text
}

fn without_pictures(text: &str) -> String {
    let mut parts = text.split("base64,");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=')))
            .unwrap_or(part.len());
        plain.push_str("base64,…");
        plain.push_str(&part[end..]);
    }
    plain
}

/// What differs first, or `None`.
fn difference(cell: &Cell, old: &str, new: &str) -> Option<String> {
    let tolerance = cell.tags.tolerance.unwrap_or(TOLERANCE);
    let (old_lines, new_lines): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    if old_lines.len() != new_lines.len() {
        return Some(format!(
            "shows {} lines instead of {}:\n{new}",
            new_lines.len(),
            old_lines.len()
        ));
    }
    let differs = old_lines
        .iter()
        .zip(&new_lines)
        .find(|(old, new)| !same_line(old, new, tolerance, cell.tags.timing));
    differs
        .map(|(old, new)| format!("shows\n  {new}\ninstead of\n  {old}\n(tolerance {tolerance})"))
}

fn same_line(old: &str, new: &str, tolerance: f64, timing: bool) -> bool {
    let (old, new) = (tokens(old), tokens(new));
    old.len() == new.len()
        && old
            .iter()
            .zip(&new)
            .enumerate()
            .all(|(index, (a, b))| match (a, b) {
                (Token::Number(x), Token::Number(y)) => {
                    let is_time = timing && is_time_unit(old.get(index + 1));
                    is_time
                        || (x - y).abs() <= tolerance * (1.0 + x.abs().max(y.abs()))
                        || (x.is_nan() && y.is_nan())
                }
                (a, b) => a == b,
            })
}

#[derive(Debug, PartialEq)]
enum Token<'a> {
    Number(f64),
    Text(&'a str),
}

/// Cuts a line into numbers and what stands between them.
fn tokens(line: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = line;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        let length = if before.is_alphabetic() || before == '_' {
            0
        } else {
            number_length(rest)
        };
        if let (true, Ok(number)) = (length > 0, rest[..length].parse()) {
            tokens.push(Token::Number(number));
            before = '0';
            rest = &rest[length..];
        } else {
            let end = first.len_utf8();
            match tokens.last_mut() {
                // Spaces that align columns move when a number gets a digit more.
                Some(Token::Text(text)) if first == ' ' && text.ends_with(' ') => {}
                _ => tokens.push(Token::Text(&rest[..end])),
            }
            before = first;
            rest = &rest[end..];
        }
    }
    tokens
}

fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = usize::from(bytes.first() == Some(&b'-'));
    let digits = |at: usize| {
        bytes[at.min(bytes.len())..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count()
    };
    let whole = digits(at);
    if whole == 0 {
        return 0;
    }
    at += whole;
    if bytes.get(at) == Some(&b'.') && digits(at + 1) > 0 {
        at += 1 + digits(at + 1);
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'-' | b'+')));
        if digits(at + 1 + sign) > 0 {
            at += 1 + sign + digits(at + 1 + sign);
        }
    }
    at
}

/// Whether the text after a number starts a unit of time.
fn is_time_unit(token: Option<&Token<'_>>) -> bool {
    matches!(token, Some(Token::Text(" " | "s" | "m" | "µ" | "n" | ":")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(old: &str, new: &str) -> bool {
        same_line(old, new, 1e-3, false)
    }

    #[test]
    fn numbers_may_differ_a_little_and_words_not_at_all() {
        assert!(same("loss 0.12345, step 7", "loss 0.12350, step 7"));
        assert!(!same("loss 0.12", "loss 0.13"));
        assert!(!same("loss 0.12", "lost 0.12"));
        assert!(same("x -1e-9", "x 1e-9"));
        assert!(
            !same("tensor2", "tensor3"),
            "digits of a name are no number"
        );
        assert!(same("  9.9996 %", " 10.0004 %"));
        assert!(!same_line("took 5 rounds", "took 6 rounds", 1e-3, false));
    }

    #[test]
    fn times_are_masked_only_where_the_cell_says_so() {
        assert!(same_line("took 1.25 s", "took 9.75 s", 1e-3, true));
        assert!(!same_line("took 1.25 s", "took 9.75 s", 1e-3, false));
        assert!(!same_line("accuracy 0.5%", "accuracy 0.9%", 1e-3, true));
    }

    #[test]
    fn a_picture_counts_by_being_there() {
        assert_eq!(
            without_pictures("a base64,AAB= b base64,Q"),
            "a base64,… b base64,…"
        );
    }

    #[test]
    fn a_changed_output_names_page_line_and_cell() {
        let source = "---\nstatus: complete\n---\n# T\n\n```rust\nloss\n```\n\n```rust,tolerance=0.1\nloss\n```\n";
        let page = Page::parse(std::path::Path::new("a/b.md"), source).unwrap();
        let shows = |first: &str, second: &str| -> Notebook {
            let mut notebook =
                kindling_pages::notebook(std::path::Path::new("/"), &page, None).unwrap();
            let mut texts = [first, second].into_iter();
            for cell in &mut notebook.cells {
                if let nbformat::v4::Cell::Code { outputs, .. } = cell {
                    let text = nbformat::v4::MultilineString(texts.next().unwrap().to_owned());
                    outputs.push(Output::Stream {
                        name: "stdout".to_owned(),
                        text,
                    });
                }
            }
            notebook
        };
        let stored = shows("loss 0.500\n", "loss 0.500\n");
        assert!(compare(&page, &stored, &shows("loss 0.5001\n", "loss 0.550\n")).is_ok());
        let error = compare(&page, &stored, &shows("loss 0.550\n", "loss 0.500\n"))
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("book/src/a/b.md:7: cell `t-1` shows"),
            "{error}"
        );
        assert!(compare(&page, &stored, &shows("loss 0.500\n", "loss 0.500\nmore\n")).is_err());
    }
}
