//! Clippy over the program of each page, its lines being the page's lines.
//!
//! `kindling-lessons` compiles the programs as modules whenever clippy reads it (see its build script), so there is no
//! second build: clippy's findings come with the module's file and line, and those are the page's.

use crate::cargo::{self, Kind};
use anyhow::{Context, Result, bail};
use kindling_pages::PageError;
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;

/// Fails with page and line of everything that clippy or the compiler has to say.
pub fn check(root: &Path) -> Result<String> {
    // The same profile as the stage that lints everything: Candle is checked once.
    let output = cargo::command(Kind::Lint, root, "clippy")?
        .args(["--package", "kindling-lessons", "--lib"])
        .args(["--message-format", "json"])
        .stderr(Stdio::piped())
        .output()
        .context("cannot start `cargo clippy`; install it with `rustup component add clippy`")?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .for_each(|line| kindling_kernel::note_compiled(line, true));
    let messages = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let problems: Vec<PageError> = messages
        .filter_map(|message: Value| problem(&message))
        .collect();
    if problems.is_empty() && !output.status.success() {
        bail!(
            "`cargo clippy` failed:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    super::all_placed(problems, "nothing to say about the programs of the pages")
}

/// What one message of cargo says about a page; `None` when it is about something else.
fn problem(message: &Value) -> Option<PageError> {
    let diagnostic = message
        .get("message")
        .filter(|_| message["reason"] == "compiler-message")?;
    let spans = diagnostic["spans"].as_array()?;
    let primary = spans.iter().find(|span| span["is_primary"] == true)?;
    let file = primary["file_name"].as_str()?.replace('\\', "/");
    let start = file.rfind("book/src/")?;
    let page = Path::new(&file[start..]).with_extension("md");
    let line = usize::try_from(primary["line_start"].as_u64()?).ok()?;
    let code = diagnostic["code"]["code"].as_str().unwrap_or("rustc");
    let advice = diagnostic["children"].as_array().into_iter().flatten();
    let help = advice
        .filter(|child| child["level"] == "help")
        .find_map(help);
    let text = diagnostic["message"].as_str()?;
    Some(PageError::new(
        page,
        line,
        format!("{text} ({code}){}", help.unwrap_or_default()),
    ))
}

/// A suggestion with its replacement, but not the link to the lint's documentation.
fn help(child: &Value) -> Option<String> {
    let text = child["message"]
        .as_str()
        .filter(|text| !text.contains("http"))?;
    let replacement = child["spans"][0]["suggested_replacement"].as_str();
    Some(match replacement {
        Some(code) if !code.trim().is_empty() => format!("; {text}: `{}`", code.trim()),
        _ => format!("; {text}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_finding_names_page_and_line() {
        let message = json!({"reason": "compiler-message", "message": {
            "message": "this loop could be a `for` loop",
            "code": {"code": "clippy::while_let_on_iterator"},
            "spans": [{"is_primary": true, "file_name": "/x/out/clippy/book/src/a/b.rs", "line_start": 17}],
            "children": [
                {"level": "help", "message": "for further information visit https://rust-lang.github.io", "spans": []},
                {"level": "help", "message": "try", "spans": [{"suggested_replacement": "for x in y"}]}
            ]
        }});
        let error = problem(&message).unwrap().to_string();
        assert_eq!(
            error,
            "book/src/a/b.md:17: this loop could be a `for` loop (clippy::while_let_on_iterator); try: `for x in y`"
        );
        assert_eq!(problem(&json!({"reason": "build-finished"})), None);
    }
}
