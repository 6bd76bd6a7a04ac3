//! `{{#include file:anchor}}`, strict: a missing file or anchor is an error with page and line, and the
//! lines come without the indentation that they have in common.

use crate::PageError;
use std::path::{Path, PathBuf};

/// A page's text with its includes resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The text.
    pub text: String,
    /// The files that were included, so that a change of one of them can be seen.
    pub files: Vec<PathBuf>,
}

/// Resolves the includes of `text`, which is the page `path` (relative to `book/src` below `root`) from
/// `first_line` on.
pub fn resolve_includes(
    root: &Path,
    path: &Path,
    text: &str,
    first_line: usize,
) -> Result<Resolved, PageError> {
    let shown = Path::new("book/src").join(path);
    let mut resolved = Resolved {
        text: String::with_capacity(text.len()),
        files: Vec::new(),
    };
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let trimmed = line.trim();
        let Some(target) = trimmed
            .strip_prefix("{{#include ")
            .and_then(|rest| rest.strip_suffix("}}"))
        else {
            resolved.text.push_str(line);
            continue;
        };
        let error = |message: String| PageError::new(&shown, first_line + index, message);
        let (file, anchor) = match target.trim().split_once(':') {
            Some((file, anchor)) => (file, Some(anchor)),
            None => (target.trim(), None),
        };
        let folder = path.parent().unwrap_or(Path::new(""));
        let file = root.join("book/src").join(folder).join(file);
        let content = std::fs::read_to_string(&file)
            .map_err(|problem| error(format!("cannot include {}: {problem}", file.display())))?;
        let content = match anchor {
            None => content,
            Some(name) => anchored(&content, name)
                .map_err(|what| error(format!("{}: {what}", file.display())))?,
        };
        resolved.text.push_str(&dedent(&content));
        resolved.files.push(file);
    }
    Ok(resolved)
}

fn anchored(content: &str, name: &str) -> Result<String, String> {
    let is = |line: &str, mark: &str| {
        line.split_once(mark)
            .is_some_and(|(_, rest)| rest.trim_end_matches("*/").trim() == name)
    };
    let mut lines = content.lines().skip_while(|line| !is(line, "ANCHOR:"));
    lines
        .next()
        .ok_or_else(|| format!("there is no `ANCHOR: {name}`"))?;
    let mut inside = String::new();
    for line in lines {
        if is(line, "ANCHOR_END:") {
            return Ok(inside);
        }
        if !line.contains("ANCHOR:") && !line.contains("ANCHOR_END:") {
            inside.push_str(line);
            inside.push('\n');
        }
    }
    Err(format!("`ANCHOR: {name}` has no `ANCHOR_END: {name}`"))
}

fn dedent(content: &str) -> String {
    let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let common = content
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(indent)
        .min()
        .unwrap_or(0);
    let mut text = String::with_capacity(content.len());
    for line in content.lines() {
        text.push_str(line.get(common..).unwrap_or(""));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_comes_dedented_and_a_missing_one_is_named() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("book/src/a")).unwrap();
        std::fs::write(
            root.path().join("code.rs"),
            "x\n    // ANCHOR: f\n    fn f() {\n        1\n    }\n    // ANCHOR_END: f\n",
        )
        .unwrap();
        let include = |target: &str| {
            let text = format!("one\n{{{{#include {target}}}}}\n");
            resolve_includes(root.path(), Path::new("a/b.md"), &text, 10)
        };
        assert_eq!(
            include("../../../code.rs:f").unwrap().text,
            "one\nfn f() {\n    1\n}\n"
        );
        let missing = include("../../../code.rs:g").unwrap_err();
        assert_eq!(missing.line, 11);
        assert!(missing.message.contains("no `ANCHOR: g`"));
        assert!(
            include("../nothing.rs")
                .unwrap_err()
                .message
                .contains("cannot include")
        );
    }
}
