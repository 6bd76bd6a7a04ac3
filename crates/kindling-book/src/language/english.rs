//! English, in which the pages are written.

use super::Words;

pub(super) const WORDS: Words = Words {
    code: "en",
    own_name: "English",
    english_name: "English",
    closed: "This is a course of somebody on this machine. To get in, open the address that <code>cargo course up</code> printed: it ends in <code>?token=…</code>. If you have opened it before, <a href=\"\">try again</a>.",
    page: include_str!("en.json"),
    minutes: "{} minutes",
    memory: "{} memory",
    download: "{} download",
    notebook: "Notebook",
    outline: "Outline: this page is not written yet",
    shown_only: "shown, not run",
    no_run: "takes a while",
    compile_fail: "does not compile",
    should_panic: "panics",
    error_output: "Error",
    stderr: "Standard error",
    caption: &[],
    left_out: "… {count} {what} left out …",
    lines: ["line", "lines"],
    characters: ["character", "characters"],
    search: "Search",
    search_help: "Press <kbd>S</kbd> or <kbd>/</kbd> to search in the book",
    notes: ["Note", "Tip", "Important", "Warning", "Caution"],
    frame: &[],
    script: &[],
};
