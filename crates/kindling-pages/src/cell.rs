//! A cell: one `rust` fence of a page, and what its info string says about it.

/// Fences that are shown and never run.
pub const OTHER_FENCES: [&str; 7] = [
    "text", "console", "toml", "json", "python", "mermaid", "bash",
];

const WORDS: &str = "no_run, ignore, compile_fail, should_panic, timing, solution, tolerance=…, name=\"…\", reason=\"…\"";

/// What becomes of a cell in the doctest and in the notebook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CellKind {
    /// Runs in both.
    #[default]
    Run,
    /// Compiled by the doctest, run in the notebook.
    NoRun,
    /// Shown only.
    Ignore,
    /// Must not compile.
    CompileFail,
    /// Must panic.
    ShouldPanic,
}

/// What the info string says besides the kind.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tags {
    /// The outputs contain times, which are not compared.
    pub timing: bool,
    /// How far numbers in the outputs may be apart, relative and absolute.
    pub tolerance: Option<f64>,
    /// The cell solves an exercise.
    pub solution: bool,
    /// A name for the cell.
    pub name: Option<String>,
    /// Why a cell is ignored.
    pub reason: Option<String>,
}

/// One `rust` fence.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// The heading it stands under and its number there, such as `the-chain-rule-2`.
    pub id: String,
    /// The page's line of the opening fence.
    pub fence_line: usize,
    /// The page's line of the first line of code.
    pub line: usize,
    /// The page's line of the closing fence.
    pub end_line: usize,
    /// What becomes of it.
    pub kind: CellKind,
    /// What else the info string says.
    pub tags: Tags,
    /// The code as a compiler sees it, hidden lines included.
    pub source: String,
    /// The code as written on the page.
    pub raw: String,
}

impl Cell {
    /// Whether the cell becomes a code cell of the notebook.
    pub fn in_notebook(&self) -> bool {
        self.kind != CellKind::Ignore
    }

    /// Whether the notebook's cell must end in an error.
    pub fn must_fail(&self) -> bool {
        matches!(self.kind, CellKind::CompileFail | CellKind::ShouldPanic)
    }
}

/// Reads the info string of a `rust` fence.
pub(crate) fn parse_info(info: &str) -> Result<(CellKind, Tags), String> {
    let mut kind = CellKind::Run;
    let mut tags = Tags::default();
    for word in split_info(info).into_iter().skip(1) {
        let (word, value) = match word.split_once('=') {
            Some((word, value)) => (
                word.trim().to_owned(),
                Some(value.trim().trim_matches('"').to_owned()),
            ),
            None => (word, None),
        };
        let found = match (word.as_str(), value) {
            ("no_run", None) => CellKind::NoRun,
            ("ignore", None) => CellKind::Ignore,
            ("compile_fail", None) => CellKind::CompileFail,
            ("should_panic", None) => CellKind::ShouldPanic,
            (tag, value) => {
                set_tag(&mut tags, tag, value)?;
                continue;
            }
        };
        if kind != CellKind::Run {
            return Err(format!(
                "`{word}` contradicts an earlier word of the fence `{info}`; keep one"
            ));
        }
        kind = found;
    }
    if kind == CellKind::Ignore && tags.reason.as_deref().unwrap_or("").is_empty() {
        return Err("an ignored cell needs a reason: write `rust,ignore,reason=\"…\"`".to_owned());
    }
    Ok((kind, tags))
}

fn set_tag(tags: &mut Tags, tag: &str, value: Option<String>) -> Result<(), String> {
    match (tag, value) {
        ("timing", None) => tags.timing = true,
        ("solution", None) => tags.solution = true,
        ("tolerance", Some(value)) => {
            let tolerance = value
                .parse()
                .ok()
                .filter(|number: &f64| *number >= 0.0 && number.is_finite());
            let expected = || format!("`tolerance` must be a number such as 0.01, found `{value}`");
            tags.tolerance = Some(tolerance.ok_or_else(expected)?);
        }
        ("name", Some(value)) => tags.name = Some(value),
        ("reason", Some(value)) => tags.reason = Some(value),
        (other, _) => {
            return Err(format!(
                "unknown fence word `{other}`; after `rust` may stand {WORDS}"
            ));
        }
    }
    Ok(())
}

/// Splits at commas that are not inside quotation marks.
fn split_info(info: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for character in info.chars() {
        match character {
            ',' if !quoted => words.push(String::new()),
            _ => {
                quoted ^= character == '"';
                if let Some(word) = words.last_mut() {
                    word.push(character);
                }
            }
        }
    }
    words
        .into_iter()
        .map(|word| word.trim().to_owned())
        .filter(|word| !word.is_empty())
        .collect()
}

/// A line of a cell: `# code` is hidden and means `code`, `##code` is shown and means `#code`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeLine<'a> {
    /// The spaces before it.
    pub indent: &'a str,
    /// What a compiler sees after them.
    pub code: &'a str,
    /// Whether the book hides it, as rustdoc does.
    pub hidden: bool,
}

/// Reads a line of a cell, with or without its end.
pub fn code_line(line: &str) -> CodeLine<'_> {
    let (indent, rest) = line.split_at(line.len() - line.trim_start_matches([' ', '\t']).len());
    let (code, hidden) = if let Some(code) = rest.strip_prefix("# ") {
        (code, true)
    } else if rest.starts_with("##") {
        (&rest[1..], false)
    } else if rest.trim_end() == "#" {
        (&rest[1..], true)
    } else {
        (rest, false)
    };
    CodeLine {
        indent,
        code,
        hidden,
    }
}

/// The code as a compiler sees it.
pub(crate) fn unhide(raw: &str) -> String {
    let lines = raw.split_inclusive('\n').map(code_line);
    lines.flat_map(|line| [line.indent, line.code]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read() {
        let (kind, tags) = parse_info("rust,no_run,timing,tolerance=0.02,name=\"a, b\"").unwrap();
        assert_eq!(kind, CellKind::NoRun);
        assert!(tags.timing);
        assert_eq!(tags.tolerance, Some(0.02));
        assert_eq!(tags.name.as_deref(), Some("a, b"));
    }

    #[test]
    fn wrong_words_are_named() {
        assert!(
            parse_info("rust,norun")
                .unwrap_err()
                .contains("unknown fence word `norun`")
        );
        assert!(parse_info("rust,ignore").unwrap_err().contains("reason"));
        assert!(
            parse_info("rust,no_run,ignore,reason=\"x\"")
                .unwrap_err()
                .contains("contradicts")
        );
        assert!(
            parse_info("rust,tolerance=big")
                .unwrap_err()
                .contains("found `big`")
        );
    }

    #[test]
    fn hidden_lines_are_code() {
        assert_eq!(
            unhide("# use a;\n#\nb\n##[c]\n#[derive(D)]\n"),
            "use a;\n\nb\n#[c]\n#[derive(D)]\n"
        );
    }
}
