//! Writes one module for each lesson, and one for each cell that must fail.

use kindling_pages::{Book, Cell, CellKind, Page, PageError, Program, program, program_until};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() {
    if let Err(error) = generate() {
        println!("cargo::error={error}");
    }
}

fn generate() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    println!(
        "cargo::rerun-if-changed={}",
        root.join("book/src").display()
    );
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let book = Book::open(&root).map_err(|error: PageError| error.to_string())?;
    let mut modules = String::new();
    for page in book.lessons() {
        let name = page
            .path
            .with_extension("")
            .display()
            .to_string()
            .replace(['/', '\\', '-', '.'], "_");
        let lines = doctest("rust", &program(page, Program::Doctest));
        write_module(&out, &mut modules, &page.shown_path(), &name, &lines)?;
        for cell in page.cells().filter(|cell| cell.must_fail()) {
            let path = failing_path(page, cell);
            let lines = doctest(fence(cell), &program_until(page, cell, Program::Doctest));
            write_module(
                &out,
                &mut modules,
                &path,
                &format!("{name}_line_{}", cell.line),
                &lines,
            )?;
        }
    }
    fs::write(out.join("pages.rs"), modules)?;
    Ok(())
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
fn doctest(fence: &str, program: &[String]) -> String {
    let mut text = format!("//! ```{fence}\n");
    for line in &program[1..] {
        let hidden_mark =
            if line.trim_start().starts_with("# ") || line.trim_start().starts_with("##") {
                "#"
            } else {
                ""
            };
        text.push_str(format!("//! {hidden_mark}{line}").trim_end());
        text.push('\n');
    }
    text.push_str("//! ```\n");
    text
}

fn write_module(
    out: &Path,
    modules: &mut String,
    path: &Path,
    name: &str,
    text: &str,
) -> io::Result<()> {
    let file = out.join(path);
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&file, text)?;
    let _ = writeln!(
        modules,
        "#[path = {:?}]\npub mod {name};",
        file.display().to_string()
    );
    Ok(())
}
