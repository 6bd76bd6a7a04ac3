//! The translators' side: the catalogue follows the pages and loses no work.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fixture;

use fixture::Fixture;
use kindling_book::{
    Language, catalogue_is_stale, check_translations, coverage, merge, untranslated,
    update_catalogue,
};

const PAGE: &str = "---\nstatus: complete\n---\n# One\n\nA loss tells how wrong the model is today.\n\n```rust\nlet code = \"is shared\";\n```\n\nUse `code` and $x$.\n";

fn chinese() -> Language {
    Language::with_code("zh-CN").unwrap()
}

fn translate(fixture: &Fixture, id: &str, text: &str) {
    let catalogue = fixture.read("book/po/zh-CN.po");
    let entry = format!("msgid \"{id}\"\nmsgstr \"\"");
    assert!(catalogue.contains(&entry), "{catalogue}");
    fixture.write(
        "book/po/zh-CN.po",
        &catalogue.replace(&entry, &format!("msgid \"{id}\"\nmsgstr \"{text}\"")),
    );
}

#[test]
fn prose_and_titles_are_texts_and_code_is_not() {
    let fixture = Fixture::new(PAGE);
    let update = update_catalogue(fixture.root(), chinese()).unwrap();
    let catalogue = fixture.read("book/po/zh-CN.po");
    assert_eq!(update.total, 7, "{catalogue}");
    assert!(catalogue.contains("msgid \"Use `code` and `$x$`.\""));
    assert!(catalogue.contains("#: book/src/SUMMARY.md\n#: book/src/a/one.md\nmsgid \"One\""));
    assert!(!catalogue.contains("is shared") && !catalogue.contains("status"));
    assert!(!catalogue_is_stale(fixture.root(), chinese()).unwrap());
    assert!(!update_catalogue(fixture.root(), chinese()).unwrap().changed);
    assert_eq!(fixture.read("book/po/zh-CN.po"), catalogue);
}

#[test]
fn an_edited_text_keeps_its_translation_as_fuzzy_and_does_not_count() {
    let fixture = Fixture::new(PAGE);
    update_catalogue(fixture.root(), chinese()).unwrap();
    translate(
        &fixture,
        "A loss tells how wrong the model is today.",
        "损失说明模型今天错得多厉害。",
    );
    let page = |coverage: kindling_book::Coverage| coverage.pages[1].clone();
    assert_eq!(
        page(coverage(fixture.root(), chinese()).unwrap()).translated,
        1
    );
    fixture.write("book/src/a/one.md", &PAGE.replace("today", "now"));
    let update = update_catalogue(fixture.root(), chinese()).unwrap();
    assert_eq!((update.added, update.dropped, update.fuzzy), (1, 1, 1));
    let catalogue = fixture.read("book/po/zh-CN.po");
    assert!(
        catalogue.contains("#, fuzzy") && catalogue.contains("损失说明"),
        "{catalogue}"
    );
    assert!(!catalogue.contains("msgid \"A loss tells how wrong the model is today.\""));
    assert_eq!(
        page(coverage(fixture.root(), chinese()).unwrap()).translated,
        0
    );
    fixture.build().unwrap();
    assert!(
        fixture
            .read("book/build/zh-CN/a/one.html")
            .contains("A loss tells how wrong the model is now.")
    );
}

#[test]
fn a_complete_page_must_be_translated_in_full() {
    let fixture = Fixture::new(PAGE);
    update_catalogue(fixture.root(), chinese()).unwrap();
    let missing = coverage(fixture.root(), chinese()).unwrap().missing();
    assert!(
        missing
            .iter()
            .any(|line| line.starts_with("book/src/a/one.md:4: 3 of 3")),
        "{missing:?}"
    );
    assert!(
        !missing.iter().any(|line| line.contains("two.md")),
        "an outline page may wait: {missing:?}"
    );
}

#[test]
fn a_translation_keeps_code_maths_and_links() {
    let fixture = Fixture::new(PAGE);
    update_catalogue(fixture.root(), chinese()).unwrap();
    translate(&fixture, "Use `code` and `$x$`.", "使用 `cod` 和 `$x$`。");
    let problems = check_translations(fixture.root(), chinese()).unwrap();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(
        problems[0].contains("lacks the code `code`")
            && problems[0].starts_with("book/src/a/one.md")
    );
    assert!(problems[1].contains("has the code `cod`"));
}

#[test]
fn a_page_can_be_translated_on_its_own() {
    let fixture = Fixture::new(PAGE);
    update_catalogue(fixture.root(), chinese()).unwrap();
    let part = untranslated(
        fixture.root(),
        chinese(),
        Some(std::path::Path::new("a/one.md")),
    )
    .unwrap();
    assert!(
        part.contains("msgid \"One\"") && !part.contains("The second page."),
        "{part}"
    );
    fixture.write(
        "part.po",
        &part.replace(
            "msgid \"One\"\nmsgstr \"\"",
            "msgid \"One\"\nmsgstr \"第一\"",
        ),
    );
    assert_eq!(
        merge(fixture.root(), chinese(), &fixture.path("part.po")).unwrap(),
        1
    );
    assert!(fixture.read("book/po/zh-CN.po").contains("msgstr \"第一\""));
    fixture.write("part.po", "msgid \"Nowhere\"\nmsgstr \"无\"\n");
    let error = merge(fixture.root(), chinese(), &fixture.path("part.po"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("no page has the text `Nowhere`"), "{error}");
}
