//! The program of a page: its cells as the statements of one `main`.
//!
//! Line N of a program is line N of the page, so a compiler's line is a reader's line.

use crate::{Cell, CellKind, Page};
use syn::spanned::Spanned;

/// What stands around the cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// Plain statements: what clippy reads.
    Plain,
    /// The same, telling `kindling_lessons` which cell it is in, so that a failure names page and line.
    Doctest,
}

/// All cells that run or compile, as one program; one string a line of the page.
pub fn program(page: &Page, style: Program) -> Vec<String> {
    let cells = page
        .cells()
        .filter(|cell| matches!(cell.kind, CellKind::Run | CellKind::NoRun));
    assemble(page, style, cells)
}

/// The program of one cell that must fail: the cells that run before it, then the cell.
pub fn program_until(page: &Page, last: &Cell, style: Program) -> Vec<String> {
    let cells = page.cells().filter(|cell| {
        let runs = cell.kind == CellKind::Run
            || (cell.kind == CellKind::NoRun && last.kind == CellKind::CompileFail);
        cell.id == last.id || (runs && cell.line < last.line)
    });
    assemble(page, style, cells)
}

fn assemble<'a>(page: &Page, style: Program, cells: impl Iterator<Item = &'a Cell>) -> Vec<String> {
    // The front matter of a lesson takes at least three lines: room for what opens the program.
    let mut lines = vec![String::new(); page.source.lines().count().max(3)];
    let result = "Result<(), Box<dyn std::error::Error>>";
    lines[1] = match style {
        Program::Plain => format!("fn main() -> {result} {{"),
        Program::Doctest => {
            let path = page.shown_path().display().to_string().replace('\\', "/");
            format!("fn main() -> {result} {{ ::kindling_lessons::run({path:?}, || -> {result} {{")
        }
    };
    for cell in cells {
        if style == Program::Doctest {
            let compiled_only = cell.kind == CellKind::NoRun;
            lines[cell.fence_line - 1] = format!(
                "::kindling_lessons::cell!({}, {compiled_only});",
                cell.fence_line
            );
        }
        for (offset, line) in statement(&cell.source).lines().enumerate() {
            lines[cell.line - 1 + offset] = line.to_owned();
        }
    }
    lines.push(match style {
        Program::Plain => "Ok(()) }".to_owned(),
        Program::Doctest => "Ok(()) }) }".to_owned(),
    });
    lines
}

/// Makes a statement of the expression that a notebook would display, without moving a line.
fn statement(source: &str) -> String {
    let wrapped = format!("{{\n{source}\n}}");
    let Ok(block) = syn::parse_str::<syn::Block>(&wrapped) else {
        return source.to_owned(); // The compiler says what is wrong, with the line.
    };
    let span = match block.stmts.last() {
        Some(syn::Stmt::Expr(expression, None)) if !is_loop(expression) => expression.span(),
        Some(syn::Stmt::Macro(statement)) if statement.semi_token.is_none() => statement.mac.span(),
        _ => return source.to_owned(),
    };
    let (start, end) = (span.start(), span.end());
    let mut lines: Vec<String> = wrapped.lines().map(str::to_owned).collect();
    insert(&mut lines[end.line - 1], end.column, ";");
    insert(&mut lines[start.line - 1], start.column, "let _ = ");
    lines[1..lines.len() - 1].join("\n")
}

fn is_loop(expression: &syn::Expr) -> bool {
    match expression {
        syn::Expr::ForLoop(_) | syn::Expr::While(_) | syn::Expr::Loop(_) => true,
        syn::Expr::If(branch) => branch.else_branch.is_none(),
        _ => false,
    }
}

/// Inserts at a column counted in characters.
fn insert(line: &mut String, column: usize, text: &str) {
    let byte = line
        .char_indices()
        .nth(column)
        .map_or(line.len(), |(byte, _)| byte);
    line.insert_str(byte, text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const PAGE: &str = "---\nstatus: complete\n---\n# T\n\n```rust\nlet a = 1;\na + 1 // two\n```\n\n```rust,compile_fail\nlet b: u8 = \"x\";\n```\n\n```rust\nfor _ in 0..2 {}\n```\n";

    #[test]
    fn a_line_of_the_program_is_a_line_of_the_page() {
        let page = Page::parse(Path::new("a.md"), PAGE).unwrap();
        let lines = program(&page, Program::Plain);
        for (index, line) in PAGE.lines().enumerate() {
            if line.starts_with("let a") || line.starts_with("for") {
                assert_eq!(lines[index], line);
            }
        }
        assert_eq!(lines[7], "let _ = a + 1; // two");
        assert!(!lines.concat().contains("let b"));
        assert!(syn::parse_file(&lines.join("\n")).is_ok());
    }

    #[test]
    fn a_failing_cell_has_a_program_of_its_own() {
        let page = Page::parse(Path::new("a.md"), PAGE).unwrap();
        let failing = page.cells().find(|cell| cell.must_fail()).unwrap();
        let lines = program_until(&page, failing, Program::Plain);
        assert!(lines.concat().contains("let a = 1;") && lines.concat().contains("let b"));
        assert!(!lines.concat().contains("for _"));
    }

    #[test]
    fn a_displayed_expression_becomes_a_statement() {
        assert_eq!(
            statement("Foo::new(\n  1,\n)?"),
            "let _ = Foo::new(\n  1,\n)?;"
        );
        assert_eq!(
            statement("let x = 1;\nprintln!(\"{x}\")"),
            "let x = 1;\nlet _ = println!(\"{x}\");"
        );
        assert_eq!(statement("fn f() {}"), "fn f() {}");
        assert_eq!(statement("if true { x(); }"), "if true { x(); }");
        assert_eq!(statement("let é = \"ü\"; é"), "let é = \"ü\"; let _ = é;");
    }
}
