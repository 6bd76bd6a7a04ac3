//! The doctests of a page: its program, and one program for each cell that must fail.

use crate::{Cell, CellKind, Page, Program, program, program_until};
use std::path::PathBuf;

/// A Rust module whose documentation is a doctest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doctest {
    /// Its file, which rustdoc names: the page, or the page with the line of the cell that must fail.
    pub path: PathBuf,
    /// A name for the module.
    pub name: String,
    /// The module; line N is line N of the page.
    pub text: String,
}

/// The doctests of `page`: first the page, then its cells that must fail.
pub fn doctests(page: &Page) -> Vec<Doctest> {
    let name = module_name(page);
    let whole = Doctest {
        path: page.shown_path(),
        text: documentation("rust", &program(page, Program::Doctest)),
        name: name.clone(),
    };
    let failing = page.cells().filter(|cell| cell.must_fail()).map(|cell| {
        let lines = program_until(page, cell, Program::Doctest);
        Doctest {
            path: failing_path(page, cell),
            name: format!("{name}_line_{}", cell.line),
            text: documentation(fence(cell), &lines),
        }
    });
    std::iter::once(whole).chain(failing).collect()
}

/// The page's path as a Rust name.
pub fn module_name(page: &Page) -> String {
    let path = page.path.with_extension("").display().to_string();
    path.chars()
        .map(|letter| {
            if letter.is_alphanumeric() {
                letter
            } else {
                '_'
            }
        })
        .collect()
}

fn fence(cell: &Cell) -> &'static str {
    if cell.kind == CellKind::CompileFail {
        "rust,compile_fail"
    } else {
        "rust,should_panic"
    }
}

fn failing_path(page: &Page, cell: &Cell) -> PathBuf {
    let stem = page.path.file_stem().unwrap_or_default().to_string_lossy();
    page.shown_path()
        .with_file_name(format!("{stem}-line-{}.md", cell.line))
}

/// The program as documentation: line 1 of the page, where its front matter starts, opens the fence.
fn documentation(fence: &str, program: &[String]) -> String {
    let mut text = format!("//! ```{fence}\n");
    for line in &program[1..] {
        // What begins with a number sign would be a hidden line to rustdoc: `##` is how it is written.
        let hides = line.trim_start().starts_with("# ") || line.trim_start().starts_with("##");
        let line = format!("//! {}{line}", if hides { "#" } else { "" });
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.push_str("//! ```\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const PAGE: &str = "---\nstatus: complete\n---\n# T\n\n```rust\nlet a = 1;\n```\n\n```rust,should_panic\nassert_eq!(a, 2);\n```\n\n```rust\n# let b = 2;\nprintln!(\"{b}\");\n```\n";

    #[test]
    fn line_n_of_a_doctest_is_line_n_of_the_page() {
        let page = Page::parse(Path::new("a/b-c.md"), PAGE).unwrap();
        let tests = doctests(&page);
        assert_eq!(tests.len(), 2);
        assert_eq!(
            (tests[0].name.as_str(), tests[0].path.as_path()),
            ("a_b_c", Path::new("book/src/a/b-c.md"))
        );
        assert_eq!(tests[1].path, Path::new("book/src/a/b-c-line-11.md"));
        let line =
            |test: &Doctest, number: usize| test.text.lines().nth(number - 1).unwrap().to_owned();
        assert_eq!(line(&tests[0], 7), "//! let a = 1;");
        assert_eq!(line(&tests[0], 11), "//!");
        assert_eq!(line(&tests[0], 15), "//! let b = 2;");
        assert_eq!(line(&tests[1], 1), "//! ```rust,should_panic");
        assert_eq!(line(&tests[1], 11), "//! assert_eq!(a, 2);");
        assert!(!tests[1].text.contains("let b"));
    }
}
