//! The book: its pages in the order of `SUMMARY.md`.

use crate::{Page, PageError};
use pulldown_cmark::{Event, Parser, Tag};
use std::path::{Path, PathBuf};

/// The pages of the book.
#[derive(Debug, Clone)]
pub struct Book {
    /// The repository.
    pub root: PathBuf,
    /// The pages, in the order of `SUMMARY.md`.
    pub pages: Vec<Page>,
}

impl Book {
    /// Reads `book/src/SUMMARY.md` below `root` and every page that it links to.
    pub fn open(root: &Path) -> Result<Self, PageError> {
        let source = root.join("book/src");
        let summary = read(
            &source.join("SUMMARY.md"),
            Path::new("book/src/SUMMARY.md"),
            1,
        )?;
        let mut pages: Vec<Page> = Vec::new();
        for (event, range) in Parser::new(&summary).into_offset_iter() {
            let Event::Start(Tag::Link { dest_url, .. }) = event else {
                continue;
            };
            let path = PathBuf::from(dest_url.as_ref());
            if dest_url.is_empty() || pages.iter().any(|page| page.path == path) {
                continue;
            }
            let line = summary[..range.start].matches('\n').count() + 1;
            let text = read(&source.join(&path), Path::new("book/src/SUMMARY.md"), line)?;
            pages.push(Page::parse(&path, &text)?);
        }
        Ok(Self {
            root: root.to_owned(),
            pages,
        })
    }

    /// The lessons: pages with cells.
    pub fn lessons(&self) -> impl Iterator<Item = &Page> {
        self.pages.iter().filter(|page| page.is_complete())
    }

    /// The page at `path` (relative to `book/src`, with or without `.md`).
    pub fn page(&self, path: &Path) -> Option<&Page> {
        self.pages
            .iter()
            .find(|page| page.path == path || page.path.with_extension("") == path)
    }
}

/// Reads `file`, which line `line` of `named_by` asks for.
fn read(file: &Path, named_by: &Path, line: usize) -> Result<String, PageError> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        let message = format!(
            "cannot read {}: {error}; create the file or mend the link",
            file.display()
        );
        PageError::new(named_by, line, message)
    })?;
    // A checkout on Windows may end lines with a carriage return.
    Ok(text.replace("\r\n", "\n"))
}
