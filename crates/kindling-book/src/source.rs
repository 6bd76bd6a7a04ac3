//! A page on its way to mdBook: what is not prose (cells, figures, foldable parts) is taken out and replaced
//! by a marker, so that neither translation nor Markdown can touch it, and put back into the finished HTML.

use crate::maths::{Line, protect};
use crate::pattern::patterns;
use kindling_pages::{CellKind, Page, PageError, Tags, resolve_includes};
use pulldown_cmark::{Event, Parser};
use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

/// Something that stands for itself in every language.
#[derive(Debug, Clone)]
pub(crate) enum Slot {
    /// Minutes, memory, download, the notebook: the line under the title.
    Info,
    /// A `rust` fence.
    Cell(CellSlot),
    /// Any other fence.
    Fence { language: String, code: String },
    /// An SVG file that is part of the page.
    Svg {
        line: usize,
        svg: String,
        captioned: bool,
    },
    /// `<details><summary>`, with the attributes of `details`.
    FoldStart(String),
    /// `</summary>`.
    FoldTitleEnd,
    /// `</details>`.
    FoldEnd,
    /// The title of a `> [!TIP]` note; the number counts mdBook's kinds.
    Note(usize),
}

/// A cell as the book shows it.
#[derive(Debug, Clone)]
pub(crate) struct CellSlot {
    pub id: String,
    pub line: usize,
    pub kind: CellKind,
    pub tags: Tags,
    /// As a compiler sees it: what the notebook holds.
    pub source: String,
    /// As written, hidden lines marked, includes resolved.
    pub shown: String,
    /// The file that an include took it from.
    pub from: Option<String>,
    /// Whether a `Figure:` paragraph follows.
    pub captioned: bool,
}

/// A page ready for translation.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    pub path: PathBuf,
    pub lines: Vec<Line>,
    pub slots: Vec<Slot>,
    /// The ids of the headings and cells, for links.
    pub ids: HashSet<String>,
}

const OPEN: char = '\u{E000}';
const CLOSE: char = '\u{E001}';
const ZERO: u32 = 0xE010;

/// The marker of slot `number`: letters from the private use area, which Markdown and gettext carry along as text.
pub(crate) fn marker(number: usize) -> String {
    let digits = number.to_string();
    let digits = digits
        .bytes()
        .filter_map(|digit| char::from_u32(ZERO + u32::from(digit - b'0')));
    std::iter::once(OPEN)
        .chain(digits)
        .chain(std::iter::once(CLOSE))
        .collect()
}

/// Finds the next marker of `text`: where it starts, where it ends, and the number of its slot.
pub(crate) fn find_marker(text: &str) -> Option<(usize, usize, usize)> {
    let start = text.find(OPEN)?;
    let end = start + text[start..].find(CLOSE)?;
    let digits = text[start + OPEN.len_utf8()..end].chars();
    let number = digits.fold(0, |number, digit| {
        number * 10 + (digit as u32).saturating_sub(ZERO) as usize
    });
    Some((start, end + CLOSE.len_utf8(), number))
}

/// Whether `character` belongs to a marker.
pub(crate) fn is_marker(character: char) -> bool {
    ('\u{E000}'..='\u{E0FF}').contains(&character)
}

/// What the paragraph below a picture begins with.
pub(crate) const CAPTION: &str = "Figure: ";

pub(crate) const NOTES: [&str; 5] = ["NOTE", "TIP", "IMPORTANT", "WARNING", "CAUTION"];

patterns! {
    DETAILS = r"^\s*<details([^>]*)>\s*(.*)$";
    SUMMARY = r"^\s*<summary>(.*)</summary>\s*$";
    NOTE = r"^(\s*>\s*)\[!([A-Za-z]+)\]\s*$";
    HEADING = r"^(#{1,6})\s+(.*?)\s*#*\s*$";
    EXPLICIT_ID = r"\{#([^}\s]+)[^}]*\}$";
    HTML_ID = r#"<[a-z]+[^>]*\sid="([^"]+)""#;
}

/// Takes everything out of `page` that is not prose; `root` is the repository.
pub(crate) fn prepare(root: &Path, page: &Page) -> Result<Prepared, PageError> {
    let mut reader = Reader {
        root,
        page,
        source: page.source.lines().collect(),
        lines: Vec::new(),
        slots: Vec::new(),
        ids: HashSet::new(),
        open: Vec::new(),
        titled: false,
    };
    reader.read()?;
    let (lines, slots, ids) = (protect(&reader.lines), reader.slots, reader.ids);
    Ok(Prepared {
        path: page.path.clone(),
        lines,
        slots,
        ids,
    })
}

struct Reader<'a> {
    root: &'a Path,
    page: &'a Page,
    source: Vec<&'a str>,
    lines: Vec<Line>,
    slots: Vec<Slot>,
    ids: HashSet<String>,
    /// The lines of `<details>` that wait for their end.
    open: Vec<usize>,
    titled: bool,
}

impl Reader<'_> {
    fn error(&self, line: usize, message: impl Into<String>) -> PageError {
        PageError::new(self.page.shown_path(), line, message)
    }

    fn slot(&mut self, line: usize, prefix: &str, slot: Slot) {
        let text = format!("{prefix}{}", marker(self.slots.len()));
        self.slots.push(slot);
        self.lines.push(Line::new(line, prefix.trim_end()));
        self.lines.push(Line::new(line, text));
        self.lines.push(Line::new(line, prefix.trim_end()));
    }

    fn read(&mut self) -> Result<(), PageError> {
        let mut index = self.page.front.lines;
        while index < self.source.len() {
            index = self.line(index)?;
        }
        match self.open.last() {
            Some(line) => Err(self.error(
                *line,
                "this `<details>` has no `</details>` on a line of its own; add it",
            )),
            None => Ok(()),
        }
    }

    /// Reads the line at `index`, and what belongs to it; returns where to go on.
    fn line(&mut self, index: usize) -> Result<usize, PageError> {
        let number = index + 1;
        let text = self.source[index];
        let trimmed = text.trim_start();
        if trimmed.starts_with("```") || trimmed.starts_with("~~~") {
            return self.fence(index);
        }
        if trimmed.starts_with("{{#") {
            return self.included(index);
        }
        if text.contains("{{#include") {
            return Err(self.error(number, "an include must stand alone on its line; move it"));
        }
        if trimmed.trim_end() == "</details>" {
            if self.open.pop().is_none() {
                return Err(self.error(number, "this `</details>` has no `<details>`; remove it"));
            }
            self.slot(number, "", Slot::FoldEnd);
            return Ok(index + 1);
        }
        if let Some(found) = DETAILS.captures(text) {
            return self.details(index, found[1].trim(), &found[2]);
        }
        if let Some(found) = NOTE.captures(text) {
            let kind = found[2].to_uppercase();
            let Some(kind) = NOTES.iter().position(|name| *name == kind) else {
                let message = format!(
                    "unknown note `{}`; the notes are {}",
                    &found[2],
                    NOTES.join(", ")
                );
                return Err(self.error(number, message));
            };
            let prefix = found[1].to_owned();
            self.slot(number, &prefix, Slot::Note(kind));
            return Ok(index + 1);
        }
        if let Some(found) = HEADING.captures(text) {
            let (level, title) = (found[1].len(), found[2].to_owned());
            self.heading(number, level, &title);
            return Ok(index + 1);
        }
        let ids = HTML_ID.captures_iter(text);
        self.ids.extend(ids.map(|found| found[1].to_owned()));
        self.lines.push(Line::new(number, text));
        Ok(index + 1)
    }

    /// A heading keeps the id of its English text in every language, so that links and the language picker stay true.
    fn heading(&mut self, number: usize, level: usize, title: &str) {
        let marks = "#".repeat(level);
        if let Some(found) = EXPLICIT_ID.captures(title) {
            self.ids.insert(found[1].to_owned());
            self.lines
                .push(Line::new(number, format!("{marks} {title}")));
        } else {
            let slug = heading_id(title);
            let mut id = slug.clone();
            let mut count = 0;
            while !self.ids.insert(id.clone()) {
                count += 1;
                id = format!("{slug}-{count}");
            }
            self.lines
                .push(Line::new(number, format!("{marks} {title} {{#{id}}}")));
        }
        if level == 1 && !self.titled {
            self.titled = true;
            self.slot(number, "", Slot::Info);
        }
    }

    /// The fence whose first line is at `index`, as the page knows it; what only looks like one is prose.
    fn fence(&mut self, index: usize) -> Result<usize, PageError> {
        let number = index + 1;
        let page = self.page;
        let text = self.source[index];
        let indent = &text[..text.len() - text.trim_start().len()];
        let includes = |code: &str| resolve_includes(self.root, &page.path, code, number + 1);
        if let Some(cell) = page.cells().find(|cell| cell.fence_line == number) {
            let shown = includes(&cell.raw)?;
            let from = shown
                .files
                .first()
                .map(|file| repository_path(self.root, file));
            let slot = CellSlot {
                id: cell.id.clone(),
                line: cell.line,
                kind: cell.kind,
                tags: cell.tags.clone(),
                source: cell.source.clone(),
                shown: shown.text,
                from,
                captioned: self.captioned(cell.end_line),
            };
            self.ids.insert(format!("cell-{}", cell.id));
            self.slot(number, indent, Slot::Cell(slot));
            Ok(cell.end_line)
        } else if let Some(fence) = page.fences.iter().find(|fence| fence.line == number) {
            let slot = Slot::Fence {
                language: fence.language.clone(),
                code: includes(&fence.code)?.text,
            };
            self.slot(number, indent, slot);
            Ok(fence.end_line)
        } else {
            self.lines.push(Line::new(number, text));
            Ok(index + 1)
        }
    }

    /// Whether the next paragraph from `index` on is a caption.
    fn captioned(&self, index: usize) -> bool {
        let rest = self.source.get(index..).unwrap_or_default();
        rest.iter()
            .find(|line| !line.trim().is_empty())
            .is_some_and(|line| line.starts_with(CAPTION))
    }

    fn included(&mut self, index: usize) -> Result<usize, PageError> {
        let number = index + 1;
        let text = self.source[index].trim();
        if !text.starts_with("{{#include ") || !text.ends_with(".svg}}") {
            let message =
                "outside a fence only `{{#include file.svg}}` can stand; put code into a fence";
            return Err(self.error(number, message));
        }
        let svg = resolve_includes(self.root, &self.page.path, text, number)?.text;
        let captioned = self.captioned(index + 1);
        if !captioned && !svg.contains("<title") {
            let message = "this picture has no text for those who cannot see it; follow it with a paragraph `Figure: …`";
            return Err(self.error(number, message));
        }
        self.slot(
            number,
            "",
            Slot::Svg {
                line: number,
                svg,
                captioned,
            },
        );
        Ok(index + 1)
    }

    fn details(&mut self, index: usize, attributes: &str, rest: &str) -> Result<usize, PageError> {
        let number = index + 1;
        let mut next = index + 1;
        let mut title = rest;
        if title.trim().is_empty() {
            title = self.source.get(next).copied().unwrap_or("");
            next += 1;
        }
        let Some(found) = SUMMARY.captures(title) else {
            let message =
                "`<details>` must go on with `<summary>…</summary>`, on its line or the next";
            return Err(self.error(number, message));
        };
        self.open.push(number);
        let title = found[1].trim().to_owned();
        self.slot(number, "", Slot::FoldStart(attributes.to_owned()));
        self.lines.push(Line::new(number, title));
        self.slot(number, "", Slot::FoldTitleEnd);
        Ok(next)
    }
}

/// `file` as seen from the repository, with its `..` resolved.
fn repository_path(root: &Path, file: &Path) -> String {
    let mut path = PathBuf::new();
    for component in file.strip_prefix(root).unwrap_or(file).components() {
        match component {
            Component::ParentDir => {
                path.pop();
            }
            other => path.push(other),
        }
    }
    path.display().to_string()
}

/// The id of a heading, made as mdBook makes it; maths is left out.
pub(crate) fn heading_id(title: &str) -> String {
    let protected = crate::maths::join(&protect(&[Line::new(1, title)]));
    let plain: String = Parser::new(&protected)
        .filter_map(|event| match event {
            Event::Code(code) if code.starts_with('$') && code.ends_with('$') => None,
            Event::Text(text) | Event::Code(text) => Some(text.to_string()),
            _ => None,
        })
        .collect();
    let id: String = plain
        .trim()
        .to_lowercase()
        .chars()
        .filter_map(|character| match character {
            letter if letter.is_alphanumeric() || letter == '_' || letter == '-' => Some(letter),
            space if space.is_whitespace() => Some('-'),
            _ => None,
        })
        .collect();
    if id.is_empty() {
        "section".to_owned()
    } else {
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maths::join;

    fn prepared(text: &str) -> Result<Prepared, PageError> {
        let page = Page::parse(Path::new("a/b.md"), text)?;
        prepare(Path::new("/nonexistent"), &page)
    }

    #[test]
    fn markers_are_found_again() {
        let text = format!("a {} b", marker(207));
        let (start, end, number) = find_marker(&text).unwrap();
        assert_eq!((&text[..start], &text[end..], number), ("a ", " b", 207));
    }

    #[test]
    fn prose_stays_and_the_rest_becomes_slots() {
        let text = "---\nstatus: complete\n---\n# A title\n\nWords $x_1$.\n\n```rust\nlet a = 1;\n```\n\nFigure: What to see.\n\n<details class=\"quiz\"><summary>Why?</summary>\n\nSo.\n\n</details>\n";
        let prepared = prepared(text).unwrap();
        let markdown = join(&prepared.lines);
        assert!(markdown.contains("# A title {#a-title}"));
        assert!(markdown.contains("Words `$x_1$`."));
        assert!(!markdown.contains("let a"));
        assert!(markdown.contains("\nWhy?\n"));
        assert_eq!(prepared.slots.len(), 5);
        assert!(matches!(&prepared.slots[1], Slot::Cell(cell) if cell.captioned && cell.line == 9));
        assert!(prepared.ids.contains("cell-a-title-1"));
        let figure = prepared
            .lines
            .iter()
            .find(|line| line.text.starts_with("Figure:"))
            .unwrap();
        assert_eq!(figure.origin, 12);
    }

    #[test]
    fn folds_must_close() {
        let error = prepared("# T\n\n<details><summary>S</summary>\n\ntext\n").unwrap_err();
        assert_eq!(error.line, 3);
        assert!(
            prepared("# T\n\n</details>\n")
                .unwrap_err()
                .message
                .contains("has no `<details>`")
        );
        assert!(
            prepared("# T\n\n<details>\n\ntext\n</details>\n")
                .unwrap_err()
                .message
                .contains("<summary>")
        );
    }

    #[test]
    fn includes_are_strict() {
        let error = prepared("# T\n\n{{#include missing.svg}}\n").unwrap_err();
        assert_eq!(error.line, 3);
        assert!(
            prepared("# T\n\nsee {{#include a.rs}}\n")
                .unwrap_err()
                .message
                .contains("alone on its line")
        );
        assert!(
            prepared("# T\n\n{{#include a.rs}}\n")
                .unwrap_err()
                .message
                .contains("only")
        );
    }

    #[test]
    fn headings_have_ids_without_their_maths() {
        assert_eq!(heading_id("The `Linear` layer"), "the-linear-layer");
        assert_eq!(heading_id("Why $x_1$ grows"), "why--grows");
    }
}
