//! A page: prose and cells in the order in which a reader meets them.

use crate::cell::{parse_info, unhide};
use crate::{Cell, CellKind, FrontMatter, OTHER_FENCES, PageError, Status};
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A stretch of prose, or a cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// Markdown, starting at `line` of the page.
    Prose {
        /// The page's line of its first line.
        line: usize,
        /// The Markdown itself.
        text: String,
    },
    /// A `rust` fence.
    Cell(Cell),
}

/// A fence that is shown and never run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// One of [`OTHER_FENCES`].
    pub language: String,
    /// The page's line of the opening fence.
    pub line: usize,
    /// The page's line of the closing fence.
    pub end_line: usize,
    /// What stands between them, without the indentation of the opening fence.
    pub code: String,
}

/// One lesson page.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Relative to `book/src`, such as `algorithms/forward-propagation.md`.
    pub path: PathBuf,
    /// The first heading.
    pub title: String,
    /// Minutes, memory, download, device, status.
    pub front: FrontMatter,
    /// Prose and cells, top to bottom.
    pub blocks: Vec<Block>,
    /// The fences that are no cells; they are part of the prose, too.
    pub fences: Vec<Fence>,
    /// The whole file.
    pub source: String,
}

impl Page {
    /// Reads `source`, the text of `path` (relative to `book/src`).
    pub fn parse(path: &Path, source: &str) -> Result<Self, PageError> {
        let shown = Path::new("book/src").join(path);
        let front = FrontMatter::parse(&shown, source)?;
        let body_start = source
            .split_inclusive('\n')
            .take(front.lines)
            .map(str::len)
            .sum();
        let mut reader = Reader::new(&shown, source, body_start);
        reader.read()?;
        let page = Self {
            path: path.to_owned(),
            title: reader.title,
            front,
            blocks: reader.blocks,
            fences: reader.fences,
            source: source.to_owned(),
        };
        if page.front.status == Status::Outline
            && let Some(cell) = page.cells().find(|cell| cell.in_notebook())
        {
            let message = "this page has cells, so it is a lesson: write `status: complete` in its front matter";
            return Err(PageError::new(shown, cell.fence_line, message));
        }
        Ok(page)
    }

    /// The cells, top to bottom.
    pub fn cells(&self) -> impl Iterator<Item = &Cell> {
        self.blocks.iter().filter_map(|block| match block {
            Block::Cell(cell) => Some(cell),
            Block::Prose { .. } => None,
        })
    }

    /// The page relative to the repository, as errors name it.
    pub fn shown_path(&self) -> PathBuf {
        Path::new("book/src").join(&self.path)
    }

    /// Whether the page is a lesson.
    pub fn is_complete(&self) -> bool {
        self.front.status == Status::Complete
    }
}

struct Reader<'a> {
    path: &'a Path,
    source: &'a str,
    position: usize,
    title: String,
    heading: String,
    counts: HashMap<String, usize>,
    blocks: Vec<Block>,
    fences: Vec<Fence>,
}

impl<'a> Reader<'a> {
    fn new(path: &'a Path, source: &'a str, position: usize) -> Self {
        let (title, heading) = (String::new(), "start".to_owned());
        Self {
            path,
            source,
            position,
            title,
            heading,
            counts: HashMap::new(),
            blocks: Vec::new(),
            fences: Vec::new(),
        }
    }

    fn line_of(&self, offset: usize) -> usize {
        self.source[..offset].matches('\n').count() + 1
    }

    fn error(&self, offset: usize, message: impl Into<String>) -> PageError {
        PageError::new(self.path, self.line_of(offset), message)
    }

    fn read(&mut self) -> Result<(), PageError> {
        let body = self.position;
        let source = self.source;
        let mut heading = None;
        let events = Parser::new_ext(
            &source[body..],
            Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES,
        );
        for (event, range) in events.into_offset_iter() {
            let range = range.start + body..range.end + body;
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => self.enter(heading.take().unwrap_or_default()),
                Event::Text(text) | Event::Code(text) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                }
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                    self.fence(&info, range)?
                }
                Event::Html(text) if text.trim_start().starts_with("```") => {
                    let message =
                        "this fence is part of the HTML above it; leave an empty line between them";
                    return Err(self.error(range.start, message));
                }
                _ => {}
            }
        }
        self.prose_until(source.len());
        if self.title.is_empty() {
            return Err(self.error(
                body,
                "the page has no title; start it with a line `# Title`",
            ));
        }
        Ok(())
    }

    fn enter(&mut self, heading: String) {
        if self.title.is_empty() {
            self.title = heading.clone();
        }
        self.heading = slug(&heading);
    }

    fn fence(&mut self, info: &str, range: Range<usize>) -> Result<(), PageError> {
        let text = &self.source[range.clone()];
        let first = text.lines().next().unwrap_or("");
        let mark: String = first
            .chars()
            .take_while(|c| matches!(c, '`' | '~'))
            .collect();
        let last = text.trim_end().lines().next_back().unwrap_or("").trim();
        if text.trim_end().lines().count() < 2
            || !last.starts_with(&mark)
            || !last.trim_matches(['`', '~']).is_empty()
        {
            return Err(self.error(
                range.start,
                format!("this fence is never closed; add a line `{mark}`"),
            ));
        }
        let language = info.split([',', ' ']).next().unwrap_or("");
        let trimmed = range.start + text.trim_end().len();
        let fence_line = self.line_of(range.start);
        let end_line = self.line_of(trimmed);
        let lines: Vec<&str> = text.trim_end().split_inclusive('\n').collect();
        let code = &lines[1..lines.len() - 1];
        if language != "rust" {
            if OTHER_FENCES.contains(&language) {
                let line_start = self.source[..range.start]
                    .rfind('\n')
                    .map_or(0, |end| end + 1);
                let indent = &self.source[line_start..range.start];
                let dedented = code
                    .iter()
                    .map(|line| line.strip_prefix(indent).unwrap_or(line));
                self.fences.push(Fence {
                    language: language.to_owned(),
                    line: fence_line,
                    end_line,
                    code: dedented.collect(),
                });
                return Ok(());
            }
            let expected = OTHER_FENCES.join(", ");
            let message =
                format!("unknown fence `{info}`; a fence is `rust` (a cell) or one of: {expected}");
            return Err(self.error(range.start, message));
        }
        let (kind, tags) = parse_info(info).map_err(|message| self.error(range.start, message))?;
        self.prose_until(range.start);
        if kind != CellKind::Ignore && text.contains("{{#include") {
            let message = "a cell that runs is written on the page; show included code as `rust,ignore,reason=\"shown from the crate\"`";
            return Err(self.error(range.start, message));
        }
        let raw = code.concat();
        let count = self.counts.entry(self.heading.clone()).or_default();
        *count += 1;
        let id = format!("{}-{count}", self.heading);
        let source = unhide(&raw);
        self.blocks.push(Block::Cell(Cell {
            id,
            fence_line,
            line: fence_line + 1,
            end_line,
            kind,
            tags,
            source,
            raw,
        }));
        self.position = self.source[trimmed..]
            .find('\n')
            .map_or(self.source.len(), |end| trimmed + end + 1);
        Ok(())
    }

    fn prose_until(&mut self, end: usize) {
        let text = &self.source[self.position..end.max(self.position)];
        if !text.trim().is_empty() {
            let blank = text.len() - text.trim_start_matches('\n').len();
            let line = self.line_of(self.position + blank);
            self.blocks.push(Block::Prose {
                line,
                text: text.trim_matches('\n').to_owned(),
            });
        }
        self.position = end;
    }
}

/// The letters and digits of a heading in lower case, joined by `-`, at most 48 characters.
pub(crate) fn slug(heading: &str) -> String {
    let mut slug = String::new();
    for character in heading.chars() {
        match character.to_ascii_lowercase() {
            letter if letter.is_ascii_alphanumeric() => slug.push(letter),
            _ if !slug.ends_with('-') && !slug.is_empty() => slug.push('-'),
            _ => {}
        }
    }
    slug.truncate(48);
    let slug = slug.trim_matches('-');
    if slug.is_empty() {
        "cell".to_owned()
    } else {
        slug.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "---\nminutes: 5\nstatus: complete\n---\n# A page\n\nWords.\n\n```rust\nlet a = 1;\n```\n\n## More\n\n```rust,no_run\n# let b = 2;\nb\n```\nEnd.\n";

    fn parse(source: &str) -> Result<Page, PageError> {
        Page::parse(Path::new("a/b.md"), source)
    }

    #[test]
    fn cells_know_their_lines() {
        let page = parse(PAGE).unwrap();
        assert_eq!(page.title, "A page");
        let cells: Vec<_> = page.cells().collect();
        assert_eq!(
            (cells[0].id.as_str(), cells[0].line, cells[0].end_line),
            ("a-page-1", 10, 11)
        );
        assert_eq!(
            (
                cells[1].id.as_str(),
                cells[1].line,
                cells[1].source.as_str()
            ),
            ("more-1", 16, "let b = 2;\nb\n")
        );
        assert_eq!(page.blocks.len(), 5);
        assert!(
            matches!(&page.blocks[0], Block::Prose { line: 5, text } if text == "# A page\n\nWords.")
        );
    }

    #[test]
    fn an_id_survives_a_cell_in_another_section() {
        let before = parse(PAGE).unwrap();
        let after = parse(&PAGE.replace("Words.", "```rust\nlet z = 0;\n```")).unwrap();
        assert_eq!(
            before.cells().last().unwrap().id,
            after.cells().last().unwrap().id
        );
    }

    #[test]
    fn an_unclosed_fence_is_named() {
        let error = parse("# T\n\nText.\n\n```rust\nlet a = 1;\n").unwrap_err();
        assert_eq!(error.line, 5);
        assert!(
            error
                .to_string()
                .starts_with("book/src/a/b.md:5: this fence is never closed")
        );
    }

    #[test]
    fn an_unknown_fence_is_named() {
        let error = parse("# T\n\n```rst\nx\n```\n").unwrap_err();
        assert_eq!(error.line, 3);
        assert!(error.message.contains("unknown fence `rst`"));
    }

    #[test]
    fn a_fence_that_is_no_cell_is_prose_with_its_place() {
        let page = parse("# T\n\n- A:\n\n  ```console\n  $ ls\n    a\n  ```\n\nEnd.\n").unwrap();
        let expected = Fence {
            language: "console".to_owned(),
            line: 5,
            end_line: 8,
            code: "$ ls\n  a\n".to_owned(),
        };
        assert_eq!(page.fences, [expected]);
        assert!(matches!(&page.blocks[..], [Block::Prose { text, .. }] if text.contains("$ ls")));
    }

    #[test]
    fn a_fence_that_html_swallows_is_named() {
        let error = parse("# T\n\n<details>\n```rust\nlet a = 1;\n```\n</details>\n").unwrap_err();
        assert_eq!(error.line, 4);
        assert!(error.message.contains("empty line"));
    }

    #[test]
    fn a_cell_that_runs_includes_nothing() {
        let error = parse("# T\n\n```rust\n{{#include a.rs}}\n```\n").unwrap_err();
        assert_eq!(error.line, 3);
    }

    #[test]
    fn an_outline_has_no_cells() {
        let error = parse("# T\n\n```rust\nlet a = 1;\n```\n").unwrap_err();
        assert!(error.message.contains("status: complete"));
    }

    #[test]
    fn solutions_inside_details_are_cells() {
        let source = "---\nstatus: complete\n---\n# T\n\n<details><summary>Solution</summary>\n\n```rust,solution\nlet a = 1;\n```\n\n</details>\n";
        let page = parse(source).unwrap();
        assert!(page.cells().next().unwrap().tags.solution);
    }
}
