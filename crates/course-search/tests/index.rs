//! The program, on little books. They lie in cargo's own folder for tests: a crate for temporary folders would have Pagefind compiled
//! again, with other features.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// An empty folder of this name.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn run(book: &Path) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_course-search"));
    program.arg(book).output().unwrap()
}

/// Indexes the book; how many pages it says are in it.
fn pages(book: &Path) -> usize {
    let output = run(book);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

#[test]
fn search_cuts_chinese_sentences_into_words() {
    let book = folder("chinese");
    let page = |name: &str, language: &str, text: &str| {
        let html = format!(
            "<!DOCTYPE html><html lang=\"{language}\"><head><title>T</title></head><body><main data-pagefind-body><h1>T</h1><p>{text}</p></main></body></html>"
        );
        std::fs::write(book.join(name), html).unwrap();
    };
    page("index.html", "en", "Lower the learning rate a little.");
    page("zh.html", "zh-CN", "另一页说，把学习率调低一点。");
    assert_eq!(pages(&book), 2);
    // Again, over the old index: nothing of it stays.
    std::fs::write(book.join("pagefind/stale"), "").unwrap();
    assert_eq!(pages(&book), 2);
    let folder = book.join("pagefind");
    assert!(!folder.join("stale").exists());
    assert!(!book.join("pagefind.part").exists());
    let entry = std::fs::read_to_string(folder.join("pagefind-entry.json")).unwrap();
    assert!(
        entry.contains("\"en\"") && entry.contains("\"zh-cn\""),
        "{entry}"
    );
    assert!(!folder.join("pagefind-ui.js").exists());
    let mut words = Vec::new();
    for file in std::fs::read_dir(folder.join("index")).unwrap() {
        let file = std::fs::File::open(file.unwrap().path()).unwrap();
        flate2::read::GzDecoder::new(file)
            .read_to_end(&mut words)
            .unwrap();
    }
    // A word of the index is a CBOR string: its length, then its bytes.
    let holds = |word: &str| {
        let mut entry = vec![0x60 + u8::try_from(word.len()).unwrap()];
        entry.extend_from_slice(word.as_bytes());
        words.windows(entry.len()).any(|window| window == entry)
    };
    assert!(
        holds("learn") || holds("learning"),
        "the English word is not in the index"
    );
    assert!(
        holds("学习") || holds("学习率"),
        "the Chinese word is not in the index"
    );
    assert!(!holds("把学习率"), "the sentence was not cut");
}

#[test]
fn a_folder_without_a_book_is_named() {
    let empty = folder("empty");
    let output = run(&empty);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(
        said.contains("holds no book") && said.contains(empty.to_str().unwrap()),
        "{said}"
    );
    assert!(!empty.join("pagefind").exists());
}
