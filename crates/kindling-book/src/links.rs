//! Links and pictures: everything that a page points to must be there.

use crate::maths::join;
use crate::pattern::patterns;
use crate::source::Prepared;
use kindling_pages::PageError;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

patterns! {
    IMG = r"<img\b[^>]*>";
    ATTRIBUTE = r#"\b(alt|src|href)="([^"]*)""#;
    ANCHOR = r"<a\b[^>]*>";
}

/// Checks the links and pictures of all pages; `source` is the folder `book/src`.
pub(crate) fn check(source: &Path, pages: &[Prepared]) -> Vec<PageError> {
    let by_path: HashMap<&Path, &Prepared> = pages
        .iter()
        .map(|page| (page.path.as_path(), page))
        .collect();
    let mut errors = Vec::new();
    for page in pages {
        let mut checker = Checker {
            source,
            by_path: &by_path,
            page,
            errors: &mut errors,
        };
        checker.check();
    }
    errors
}

struct Checker<'a> {
    source: &'a Path,
    by_path: &'a HashMap<&'a Path, &'a Prepared>,
    page: &'a Prepared,
    errors: &'a mut Vec<PageError>,
}

impl Checker<'_> {
    fn check(&mut self) {
        let markdown = join(&self.page.lines);
        let options = Options::ENABLE_TABLES
            | Options::ENABLE_FOOTNOTES
            | Options::ENABLE_STRIKETHROUGH
            | Options::ENABLE_TASKLISTS
            | Options::ENABLE_HEADING_ATTRIBUTES;
        let mut alt: Option<String> = None;
        for (event, range) in Parser::new_ext(&markdown, options).into_offset_iter() {
            let line = self.line(&markdown, range.start);
            match event {
                Event::Start(Tag::Link { dest_url, .. }) => self.target(line, &dest_url),
                Event::Start(Tag::Image { dest_url, .. }) => {
                    self.target(line, &dest_url);
                    alt = Some(String::new());
                }
                Event::Text(text) | Event::Code(text) => {
                    if let Some(alt) = &mut alt {
                        alt.push_str(&text);
                    }
                }
                Event::End(TagEnd::Image) => {
                    let nothing = alt.take().is_some_and(|alt| alt.trim().is_empty());
                    if nothing {
                        self.error(
                            line,
                            "this picture has no alternative text; write `![what it shows](file)`",
                        );
                    }
                }
                Event::Html(html) | Event::InlineHtml(html) => self.html(line, &html),
                _ => {}
            }
        }
    }

    fn line(&self, markdown: &str, offset: usize) -> usize {
        let index = markdown[..offset].matches('\n').count();
        self.page.lines.get(index).map_or(1, |line| line.origin)
    }

    fn error(&mut self, line: usize, message: impl Into<String>) {
        let path = Path::new("book/src").join(&self.page.path);
        self.errors.push(PageError::new(path, line, message));
    }

    fn html(&mut self, line: usize, html: &str) {
        let value = |tag: &str, name: &str| {
            ATTRIBUTE
                .captures_iter(tag)
                .find(|found| &found[1] == name)
                .map(|found| found[2].to_owned())
        };
        for tag in IMG.find_iter(html) {
            if value(tag, "alt").is_none_or(|alt| alt.trim().is_empty()) {
                self.error(
                    line,
                    "this picture has no alternative text; add `alt=\"what it shows\"`",
                );
            }
            if let Some(src) = value(tag, "src") {
                self.target(line, &src);
            }
        }
        for tag in ANCHOR.find_iter(html) {
            if let Some(href) = value(tag, "href") {
                self.target(line, &href);
            }
        }
    }

    fn target(&mut self, line: usize, target: &str) {
        let scheme = target.split_once(':').is_some_and(|(scheme, _)| {
            scheme.len() > 1
                && scheme
                    .chars()
                    .all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter))
        });
        if scheme {
            return;
        }
        if target.is_empty() {
            return self.error(line, "this link is empty; give it an address");
        }
        let (file, anchor) = target
            .split_once('#')
            .map_or((target, None), |(file, anchor)| (file, Some(anchor)));
        let path = if file.is_empty() {
            self.page.path.clone()
        } else {
            self.resolve(file)
        };
        let Some(to) = self.by_path.get(path.as_path()) else {
            let shown = Path::new("book/src").join(&path);
            if path.extension().is_some_and(|extension| extension == "md") {
                let message = format!(
                    "the link `{target}` leads to {}, which SUMMARY.md does not list",
                    shown.display()
                );
                self.error(line, message);
            } else if !self.source.join(&path).is_file() {
                self.error(
                    line,
                    format!(
                        "`{target}` leads to {}, which does not exist",
                        shown.display()
                    ),
                );
            }
            return;
        };
        if let Some(anchor) = anchor
            && !to.ids.contains(anchor)
        {
            let mut known: Vec<&str> = to
                .ids
                .iter()
                .map(String::as_str)
                .filter(|id| !id.starts_with("cell-"))
                .collect();
            known.sort_unstable();
            let message = format!(
                "`{target}`: {} has no heading `#{anchor}`; it has {}",
                path.display(),
                known.join(", ")
            );
            self.error(line, message);
        }
    }

    /// `file` relative to the page's folder, as a path below `book/src`.
    fn resolve(&self, file: &str) -> PathBuf {
        let mut path = self.page.path.parent().unwrap_or(Path::new("")).to_owned();
        for component in Path::new(file).components() {
            match component {
                Component::ParentDir if !path.as_os_str().is_empty() && !path.ends_with("..") => {
                    path.pop();
                }
                Component::CurDir => {}
                other => path.push(other),
            }
        }
        path
    }
}
