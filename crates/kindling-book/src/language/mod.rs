//! The languages of the book and the words of its frame: everything that is not written on a page.

mod chinese;
mod english;

use kindling_pages::{LeftOut, grouped};
use std::fmt;

/// A language that the book is built in: a row of [`Language::ALL`].
#[derive(Clone, Copy)]
pub struct Language(&'static Words);

impl Language {
    /// All languages, the one of the pages first. Another one is a file like `chinese.rs` with its JSON beside it, a line here,
    /// and the catalogue that `cargo course sync` then makes.
    pub const ALL: [Self; 2] = [Self(&english::WORDS), Self(&chinese::WORDS)];

    /// The language in which the pages are written.
    pub const SOURCE: Self = Self::ALL[0];

    /// The languages that the pages are translated into.
    pub fn translated() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().skip(1)
    }

    /// The language with this code.
    pub fn with_code(code: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|language| language.code() == code)
    }

    /// The tag that HTML, gettext and the folder in the built book use.
    pub fn code(self) -> &'static str {
        self.0.code
    }

    /// What its own readers call it.
    pub fn name(self) -> &'static str {
        self.0.own_name
    }

    /// What it is called in English.
    pub fn english_name(self) -> &'static str {
        self.0.english_name
    }

    /// The folder below the built book; the pages' own language is the book itself.
    pub fn folder(self) -> &'static str {
        if self == Self::SOURCE {
            ""
        } else {
            self.code()
        }
    }

    /// The catalogue of its translations, relative to the repository; none for the pages' own language.
    pub fn catalogue(self) -> Option<String> {
        (self != Self::SOURCE).then(|| format!("book/po/{}.po", self.code()))
    }

    /// What is said, as HTML, to a visitor of the page server who has no token.
    pub fn closed(self) -> &'static str {
        self.0.closed
    }

    /// The words of the frame.
    pub(crate) fn words(self) -> &'static Words {
        self.0
    }
}

impl PartialEq for Language {
    fn eq(&self, other: &Self) -> bool {
        self.code() == other.code()
    }
}

impl Eq for Language {}

impl fmt::Debug for Language {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

impl fmt::Display for Language {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

/// What the book itself says around a page.
pub(crate) struct Words {
    pub code: &'static str,
    pub own_name: &'static str,
    pub english_name: &'static str,
    pub closed: &'static str,
    /// What the scripts of a page say, as JSON.
    pub page: &'static str,
    pub minutes: &'static str,
    pub memory: &'static str,
    pub download: &'static str,
    pub notebook: &'static str,
    pub outline: &'static str,
    pub shown_only: &'static str,
    pub no_run: &'static str,
    pub compile_fail: &'static str,
    pub should_panic: &'static str,
    pub error_output: &'static str,
    pub stderr: &'static str,
    /// What a paragraph below a picture begins with, besides the source's own word.
    pub caption: &'static [&'static str],
    /// How much of an output is not shown: the number, and what was counted.
    pub left_out: &'static str,
    /// One line, several lines.
    pub lines: [&'static str; 2],
    /// One character, several characters.
    pub characters: [&'static str; 2],
    pub search: &'static str,
    pub search_help: &'static str,
    pub notes: [&'static str; 5],
    /// Texts of mdBook's own frame and what to show in their place.
    pub frame: &'static [(&'static str, &'static str)],
    /// The same for `book.js`, which makes the buttons of a cell and tells their state by their titles.
    pub script: &'static [(&'static str, &'static str)],
}

impl Words {
    /// The sentence that says how much of a cell's output is not shown.
    pub(crate) fn left_out(&self, left_out: LeftOut) -> String {
        let (count, what) = match left_out.lines {
            0 => (left_out.bytes, self.characters),
            lines => (lines, self.lines),
        };
        self.left_out
            .replace("{count}", &grouped(count))
            .replace("{what}", what[usize::from(count != 1)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// Where each text is, and the places in it that a script fills.
    fn texts(at: &str, value: &Value, found: &mut Vec<(String, Vec<String>)>) {
        match value {
            Value::Object(parts) => parts
                .iter()
                .for_each(|(key, part)| texts(&format!("{at}.{key}"), part, found)),
            Value::Array(parts) => parts
                .iter()
                .enumerate()
                .for_each(|(index, part)| texts(&format!("{at}.{index}"), part, found)),
            other => {
                let text = other.as_str().unwrap_or_default();
                let mut places: Vec<String> = text
                    .split('{')
                    .skip(1)
                    .map(|part| part.split('}').next().unwrap().to_owned())
                    .collect();
                places.sort();
                found.push((at.to_owned(), places));
            }
        }
    }

    #[test]
    fn the_scripts_of_a_page_have_the_same_words_in_each_language() {
        let of = |language: Language| {
            let mut found = Vec::new();
            let words = language.words().page;
            texts("", &serde_json::from_str(words).unwrap(), &mut found);
            found.sort();
            found
        };
        for language in Language::translated() {
            assert_eq!(of(language), of(Language::SOURCE), "{language}");
        }
    }

    #[test]
    fn each_language_has_its_place() {
        let chinese = Language::with_code("zh-CN").unwrap();
        assert_eq!(chinese.catalogue().unwrap(), "book/po/zh-CN.po");
        assert_eq!(
            (chinese.folder(), chinese.to_string()),
            ("zh-CN", "zh-CN".to_owned())
        );
        assert_eq!(
            (Language::SOURCE.folder(), Language::SOURCE.catalogue()),
            ("", None)
        );
        assert_eq!(Language::with_code("fr"), None);
        for language in Language::translated() {
            assert!(!language.words().caption.is_empty(), "{language}");
        }
    }
}
