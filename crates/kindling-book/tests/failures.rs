//! Every fault of a page fails the build with the page and the line, and leaves the old book alone.

mod fixture;

use fixture::Fixture;

/// Builds a page whose fault stands in line 5.
fn fails(text: &str, message: &str) {
    let page = format!("---\nstatus: complete\n---\n# One\n{text}\n");
    let fixture = Fixture::new(&page);
    let error = fixture.error();
    assert!(error.contains("book/src/a/one.md:5: "), "{error}");
    assert!(error.contains(message), "{error}");
    assert!(!fixture.path("book/build").exists());
}

#[test]
fn a_missing_include() {
    fails("{{#include missing.svg}}", "cannot include");
}

#[test]
fn a_missing_anchor() {
    let page = "---\nstatus: complete\n---\n# One\n\n```rust,ignore,reason=\"shown\"\n{{#include ../../../code.rs:there}}\n```\n";
    let fixture = Fixture::new(page);
    fixture.write(
        "code.rs",
        "// ANCHOR: here\nfn f() {}\n// ANCHOR_END: here\n",
    );
    let error = fixture.error();
    assert!(
        error.contains("book/src/a/one.md:7: ") && error.contains("no `ANCHOR: there`"),
        "{error}"
    );
}

#[test]
fn a_broken_link() {
    fails("See [three](../three.md).", "SUMMARY.md does not list");
    fails("See [three](three.txt).", "does not exist");
    fails(
        "See <a href=\"../three.md\">three</a>.",
        "SUMMARY.md does not list",
    );
}

#[test]
fn a_broken_anchor() {
    fails(
        "See [two](../two.md#no-part).",
        "has no heading `#no-part`; it has a-part, two",
    );
    fails("See [above](#nothing).", "has no heading `#nothing`");
}

#[test]
fn a_missing_picture() {
    fails("![A line](line.svg)", "does not exist");
}

#[test]
fn a_missing_alternative_text() {
    fails("![](line.svg)", "no alternative text");
    fails("<img src=\"line.svg\">", "no alternative text");
}

#[test]
fn an_unknown_fence_word() {
    fails(
        "```rust,norun\nlet a = 1;\n```",
        "unknown fence word `norun`",
    );
    fails("```rst\nlet a = 1;\n```", "unknown fence `rst`");
}

#[test]
fn an_unclosed_fence() {
    fails("```rust\nlet a = 1;", "never closed");
}

#[test]
fn wrong_maths() {
    fails("A $\\frac{a}{$ and more", "KaTeX");
    fails("A $\\nosuchcommand$.", "nosuchcommand");
}

#[test]
fn an_unclosed_fold() {
    fails(
        "<details><summary>Why?</summary>\n\nSo.",
        "has no `</details>`",
    );
}

#[test]
fn a_drawn_svg_without_words() {
    let fixture =
        Fixture::new("---\nstatus: complete\n---\n# One\n\n{{#include line.svg}}\n\nWords.\n");
    fixture.write(
        "book/src/a/line.svg",
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1 1\"/></svg>",
    );
    let error = fixture.error();
    assert!(
        error.contains("book/src/a/one.md:6: ") && error.contains("Figure: "),
        "{error}"
    );
}

#[test]
fn a_drawing_cell_without_words() {
    let fixture =
        Fixture::new("---\nstatus: complete\n---\n# One\n\n```rust\ndraw()\n```\n\nWords.\n");
    fixture.write(
        "notebooks/a/one.ipynb",
        r#"{"metadata": {}, "nbformat": 4, "nbformat_minor": 5, "cells": [{"cell_type": "code", "id": "one-1", "metadata": {},
            "execution_count": null, "source": "draw()", "outputs": [{"output_type": "display_data", "metadata": {}, "data": {"image/svg+xml": "<svg viewBox=\"0 0 1 1\"></svg>"}}]}]}"#,
    );
    let error = fixture.error();
    assert!(
        error.contains("book/src/a/one.md:7: this cell draws a picture"),
        "{error}"
    );
}

#[test]
fn a_notebook_that_is_not_json() {
    let fixture = Fixture::new("---\nstatus: complete\n---\n# One\n\n```rust\n1\n```\n");
    fixture.write("notebooks/a/one.ipynb", "{\"cells\": [");
    let error = fixture.error();
    assert!(
        error.contains("notebooks/a/one.ipynb:1: this is not a notebook"),
        "{error}"
    );
}

#[test]
fn all_faults_are_named_at_once() {
    let fixture = Fixture::new("# One\n\n[x](no.md)\n\n![](line.svg)\n");
    let error = fixture.error();
    assert!(
        error.contains("one.md:3:") && error.contains("one.md:5:") && error.contains("3 problems"),
        "{error}"
    );
}

#[test]
fn a_failed_build_keeps_the_old_book() {
    let fixture = Fixture::new("# One\n\nGood.\n");
    fixture.build().unwrap();
    let before = fixture.read("book/build/a/one.html");
    fixture.write("book/src/a/one.md", "# One\n\n[x](no.md)\n");
    fixture.error();
    assert_eq!(fixture.read("book/build/a/one.html"), before);
    let left: Vec<_> = std::fs::read_dir(fixture.path("book"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        left.iter()
            .all(|name| !name.to_string_lossy().starts_with(".book")),
        "{left:?}"
    );
}

#[test]
fn a_damaged_catalogue_is_named() {
    let fixture = Fixture::new("# One\n\nGood.\n");
    fixture.write(
        "book/po/zh-CN.po",
        "msgid \"Good.\"\nmsgstr \"好。\nnonsense\n",
    );
    let error = fixture.error();
    assert!(
        error.contains("zh-CN.po:2: expected one text in quotation marks"),
        "{error}"
    );
}
