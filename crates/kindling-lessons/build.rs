//! Writes one module for each lesson, and one for each cell that must fail; and the programs themselves, for clippy.

use kindling_pages::{Book, ExtraCrate, Page, PageError, Program, doctests, module_name, program};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// What a lesson may do and a crate should not: its `main` is never called, it displays what a cell ends in, and its
/// numbers are lists on the heap, because those can live from cell to cell.
const ALLOWED: [&str; 7] = [
    "dead_code",
    "clippy::let_unit_value",
    "clippy::useless_vec",
    "clippy::unwrap_used",
    "clippy::expect_used",
    "clippy::panic",
    "clippy::items_after_statements",
];

/// The variable that names the pages to write, with commas between: rustdoc compiles all that there are, whatever it is asked to run.
const ONLY: &str = "KINDLING_LESSONS";

/// The variable that has the pages compiled and not run: their cells run on the kernel.
const COMPILED_ONLY: &str = "KINDLING_LESSONS_COMPILED_ONLY";

fn main() {
    if let Err(error) = generate() {
        println!("cargo::error={}", error.to_string().replace('\n', " "));
    }
}

fn generate() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let root = folder
        .ancestors()
        .nth(2)
        .ok_or("this crate lies in crates/")?;
    println!(
        "cargo::rerun-if-changed={}",
        root.join("book/src").display()
    );
    println!("cargo::rerun-if-env-changed={ONLY}");
    println!("cargo::rerun-if-env-changed={COMPILED_ONLY}");
    let compiled_only = env::var_os(COMPILED_ONLY).is_some();
    let only = env::var(ONLY).unwrap_or_default();
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let book = Book::open(root).map_err(|error: PageError| error.to_string())?;
    let mut modules = String::new();
    let mut programs = String::new();
    for page in book.lessons().filter(|page| page.cells().next().is_some()) {
        if !is_wanted(page, &only) {
            continue;
        }
        if let Some(feature) = missing_feature(page) {
            println!(
                "cargo::warning={} is left out: it needs the feature `{feature}`",
                page.shown_path().display()
            );
            continue;
        }
        for mut test in doctests(page) {
            if compiled_only {
                // Those that must fail are quick.
                test.text = test.text.replacen("```rust\n", "```rust,no_run\n", 1);
            }
            write_module(
                &out.join(&test.path),
                &test.name,
                &test.text,
                "pub mod",
                &mut modules,
            )?;
        }
        let file = out
            .join("clippy")
            .join(page.shown_path().with_extension("rs"));
        write_module(
            &file,
            &module_name(page),
            &linted(page),
            "mod",
            &mut programs,
        )?;
    }
    fs::write(out.join("pages.rs"), modules)?;
    fs::write(out.join("programs.rs"), programs)?;
    Ok(())
}

/// Whether the list of pages, such as `algorithms/boxes,practice/summaries`, names the page; an empty list names all.
fn is_wanted(page: &Page, only: &str) -> bool {
    let name = page.path.with_extension("");
    only.is_empty() || only.split(',').any(|wanted| Path::new(wanted) == name)
}

/// The feature that compiles the crate that the page asks for, where it is off.
fn missing_feature(page: &Page) -> Option<&'static str> {
    let feature = ExtraCrate::named(page.front.crates.as_deref()?)?.feature?;
    let variable = format!("CARGO_FEATURE_{}", feature.to_uppercase());
    env::var_os(variable).is_none().then_some(feature)
}

/// The page's program as a module. Line 1 of the page, where its front matter starts, says what a lesson may do.
fn linted(page: &Page) -> String {
    let mut lines = program(page, Program::Plain);
    lines[0] = format!("#![allow({})]", ALLOWED.join(", "));
    lines.join("\n") + "\n"
}

fn write_module(
    file: &Path,
    name: &str,
    text: &str,
    keyword: &str,
    modules: &mut String,
) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, text)?;
    let _ = writeln!(
        modules,
        "#[path = {:?}]\n{keyword} {name};",
        file.display().to_string()
    );
    Ok(())
}
