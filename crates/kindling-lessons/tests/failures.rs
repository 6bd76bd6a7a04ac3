//! A page that is wrong says so with its own name and line: real pages, really compiled and run by rustdoc.

#![allow(clippy::unwrap_used)] // The helpers of a test may fail it.

use kindling_pages::{Page, doctests};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs the doctests of a page whose one cell is `code`, from line 7 on; returns all that rustdoc says.
fn run(code: &str) -> (bool, String) {
    run_page(&format!("```rust\n{code}\n```\n"))
}

fn run_page(cells: &str) -> (bool, String) {
    let source = format!("---\nstatus: complete\n---\n# A page\n\n{cells}");
    let page = Page::parse(Path::new("chapter/page.md"), &source).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut modules = String::new();
    for test in doctests(&page) {
        let file = folder.path().join(&test.path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, &test.text).unwrap();
        modules.push_str(&format!("#[path = {file:?}]\npub mod {};\n", test.name));
    }
    let root = folder.path().join("lib.rs");
    std::fs::write(&root, modules).unwrap();
    let (libraries, lessons) = built();
    let output = Command::new("rustdoc")
        .args(["--edition", "2024", "--test", "--crate-name", "broken"])
        .arg(&root)
        .arg("--extern")
        .arg(format!("kindling_lessons={}", lessons.display()))
        .arg("-L")
        .arg(format!("dependency={}", libraries.display()))
        .output()
        .unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    (output.status.success(), text)
}

/// Where this test's libraries are, and the newest build of this crate.
fn built() -> (PathBuf, PathBuf) {
    let libraries = std::env::current_exe()
        .unwrap()
        .parent()
        .unwrap()
        .to_owned();
    let entries = std::fs::read_dir(&libraries)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let candidates = entries.filter(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with("libkindling_lessons-") && name.ends_with(".rlib")
    });
    let newest = candidates
        .max_by_key(|path| path.metadata().unwrap().modified().unwrap())
        .unwrap();
    (libraries, newest)
}

#[test]
fn a_sound_page_passes() {
    let (passed, text) =
        run_page("```rust\nlet a = 1;\n```\n\n```rust\nassert_eq!(a, 1);\na + 1\n```\n");
    assert!(passed, "{text}");
    assert!(
        text.contains("book/src/chapter/page.md - chapter_page"),
        "{text}"
    );
}

#[test]
fn a_compile_error_names_page_and_line() {
    let (passed, text) = run("let a = 1;\nlet b: u8 = \"x\";");
    assert!(
        !passed && text.contains("book/src/chapter/page.md:8:"),
        "{text}"
    );
}

#[test]
fn a_failed_assertion_names_page_and_line() {
    let (passed, text) = run("let a = 1;\nassert_eq!(a, 2, \"they differ\");");
    assert!(
        !passed && text.contains("book/src/chapter/page.md:8: this cell panicked: "),
        "{text}"
    );
    assert!(text.contains("they differ"), "{text}");
}

#[test]
fn a_panic_elsewhere_names_the_cell() {
    let cells = "```rust\nlet list = vec![1];\n```\n\n```rust\nlet text = String::from_utf8(vec![255]).unwrap();\n```\n";
    let (passed, text) = run_page(cells);
    assert!(
        !passed && text.contains("book/src/chapter/page.md:11: this cell panicked: "),
        "{text}"
    );
}

#[test]
fn an_error_names_page_and_cell() {
    let (passed, text) = run("let number: i32 = \"seven\".parse()?;");
    assert!(
        !passed
            && text.contains(
                "book/src/chapter/page.md:6: the cell that starts here returned an error"
            ),
        "{text}"
    );
}

#[test]
fn a_cell_that_must_fail_has_to() {
    let cells = |kind: &str, code: &str| {
        format!("```rust\nlet a = 1;\n```\n\n```rust,{kind}\n{code}\n```\n")
    };
    assert!(run_page(&cells("compile_fail", "let b: u8 = \"x\";")).0);
    assert!(run_page(&cells("should_panic", "assert_eq!(a, 2);")).0);
    let (passed, text) = run_page(&cells("compile_fail", "let b = a;"));
    assert!(!passed && text.contains("page-line-11.md"), "{text}");
    let (passed, text) = run_page(&cells("should_panic", "assert_eq!(a, 1);"));
    assert!(!passed && text.contains("page-line-11.md"), "{text}");
}
