//! Cells are formatted by rustfmt, in one style: a line is used as long as it lasts, because a cell is read in one look.

use anyhow::{Context, Result, anyhow, bail};
use kindling_pages::{Book, Cell, CellKind, Page, PageError, write_whole};
use std::io::Write as _;
use std::process::{Command, Stdio};

/// What a line of a cell may hold: rustfmt's own width, for which `book/theme/kindling.css` leaves room on a screen of 1280 pixels.
const WIDTH: usize = 100;
/// rustfmt reads whole functions: a cell's lines stand this much further in there.
const INDENT: usize = 4;

/// Fails with page and line of the first line in each cell that rustfmt would write differently.
pub fn check(book: &Book) -> Result<String> {
    let mut problems = Vec::new();
    let mut count = 0;
    for page in book.lessons() {
        for cell in page.cells().filter(|cell| cell.kind != CellKind::Ignore) {
            count += 1;
            problems.extend(check_cell(page, cell)?);
        }
    }
    super::all_placed(problems, &format!("{count} cells are formatted"))
}

fn check_cell(page: &Page, cell: &Cell) -> Result<Option<PageError>> {
    let error =
        |line: usize, message: String| Some(PageError::new(page.shown_path(), line, message));
    let formatted = match format(&cell.source)? {
        Ok(formatted) => formatted,
        // What a lesson about an error shows need not even be Rust.
        Err(_) if cell.kind == CellKind::CompileFail => return Ok(None),
        Err(message) => {
            return Ok(error(
                cell.line,
                format!("rustfmt cannot read this cell: {message}"),
            ));
        }
    };
    Ok(
        first_difference(&cell.source, &formatted).and_then(|(index, wanted)| {
            error(
                cell.line + index,
                format!("rustfmt writes the cell from here on as\n{wanted}"),
            )
        }),
    )
}

/// Writes the cells of the pages as rustfmt does, where no hidden line stands in the way; returns how many it changed.
pub fn apply(book: &Book) -> Result<usize> {
    let mut changed = 0;
    for page in book.lessons() {
        let mut lines: Vec<&str> = page.source.lines().collect();
        let mut formatted = Vec::new();
        for cell in page
            .cells()
            .filter(|cell| cell.kind != CellKind::Ignore && cell.raw == cell.source)
        {
            let Ok(code) = format(&cell.source)? else {
                continue;
            };
            let plain: String = code
                .lines()
                .map(|line| format!("{}\n", outdented(line)))
                .collect();
            // The second half is false where a string over several lines was moved, too: that one is left to its author.
            if first_difference(&cell.source, &code).is_some() && format(&plain)?.ok() == Some(code)
            {
                formatted.push((cell, plain));
            }
        }
        // From the last cell to the first: the lines of the others stay where they are.
        for (cell, code) in formatted.iter().rev() {
            lines.splice(cell.line - 1..cell.end_line - 1, code.lines());
        }
        if !formatted.is_empty() {
            changed += formatted.len();
            let path = book.root.join(page.shown_path());
            write_whole(&path, &(lines.join("\n") + "\n"))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    Ok(changed)
}

/// The cell as rustfmt writes it, still standing in a function; or what rustfmt says.
fn format(source: &str) -> Result<Result<String, String>> {
    let style = format!("max_width={},use_small_heuristics=Max", WIDTH + INDENT);
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024", "--emit", "stdout", "--config", &style])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| {
            anyhow!(
                "cannot start rustfmt ({error}); install it with `rustup component add rustfmt`"
            )
        })?;
    let mut stdin = rustfmt.stdin.take().context("rustfmt has no input")?;
    stdin.write_all(format!("fn cell() {{\n{source}}}\n").as_bytes())?;
    drop(stdin);
    let output = rustfmt.wait_with_output()?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Ok(Err(text
            .lines()
            .next()
            .unwrap_or("no reason given")
            .to_owned()));
    }
    let text =
        String::from_utf8(output.stdout).context("rustfmt wrote something that is not text")?;
    let body = text
        .strip_prefix("fn cell() {\n")
        .and_then(|text| text.strip_suffix("}\n"));
    match body {
        Some(body) => Ok(Ok(body.to_owned())),
        None => bail!("rustfmt gave back no function:\n{text}"),
    }
}

/// A line as it stands outside of the function.
fn outdented(line: &str) -> &str {
    line.strip_prefix(&" ".repeat(INDENT)).unwrap_or(line)
}

/// The first line that differs, and the three lines that rustfmt has from there on.
fn first_difference(source: &str, formatted: &str) -> Option<(usize, String)> {
    let ours: Vec<&str> = source.lines().collect();
    let theirs: Vec<&str> = formatted.lines().collect();
    let same = |index: usize| match (ours.get(index), theirs.get(index)) {
        (Some(ours), Some(theirs)) => ours == theirs || *ours == outdented(theirs),
        (ours, theirs) => ours.is_none() && theirs.is_none(),
    };
    let index = (0..ours.len().max(theirs.len())).find(|index| !same(*index))?;
    let wanted: Vec<String> = theirs
        .iter()
        .skip(index)
        .take(3)
        .map(|line| format!("    {}", outdented(line)))
        .collect();
    Some((index, wanted.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn problem(code: &str) -> Option<PageError> {
        let source = format!("---\nstatus: complete\n---\n# T\n\n```rust\n{code}\n```\n");
        let page = Page::parse(Path::new("a.md"), &source).unwrap();
        let cell = page.cells().next().unwrap().clone();
        check_cell(&page, &cell).unwrap()
    }

    #[test]
    fn a_formatted_cell_passes() {
        assert_eq!(
            problem("use std::fmt::Write;\nlet a = 1;\n# let b = 2;\na + b"),
            None
        );
        assert_eq!(
            problem("let text = \"one\n    two\";\nprintln!(\"{text}\");"),
            None
        );
    }

    #[test]
    fn cells_are_formatted_in_their_page() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("book/src/a.md");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        let before = "---\nstatus: complete\n---\n# T\n\n```rust\nlet a=1;\n```\nWords.\n\n```rust\nlet b = \"x\n     y\";let c=2;\n```\n\n```rust\n# let d=3;\nf(a,\n  b)\n```\n\n```rust\ng(a,\n  b)\n```\n";
        std::fs::write(&file, before).unwrap();
        std::fs::write(root.path().join("book/src/SUMMARY.md"), "[T](a.md)\n").unwrap();
        assert_eq!(apply(&Book::open(root.path()).unwrap()).unwrap(), 2);
        let after = before
            .replace("let a=1;", "let a = 1;")
            .replace("g(a,\n  b)", "g(a, b)");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), after);
    }

    #[test]
    fn an_unformatted_line_is_named() {
        let error = problem("let a = 1;\nlet b=2;").unwrap();
        assert_eq!(error.line, 8);
        assert!(error.message.contains("let b = 2;"), "{error}");
    }

    #[test]
    fn what_is_no_rust_is_named() {
        assert!(
            problem("let a = ;")
                .unwrap()
                .message
                .contains("cannot read this cell")
        );
    }
}
