//! The last step of a page: slots filled with their HTML, and the frame that mdBook does not have.

use crate::language::Language;
use crate::maths::escape;
use crate::outputs::{self, Outputs};
use crate::pattern::patterns;
use crate::source::{CAPTION, CellSlot, NOTES, Slot, find_marker};
use crate::svg::Svg;
use kindling_pages::{CellKind, FrontMatter, PageError, Shown, Status, code_line, notebook_path};
use std::path::Path;

/// What a page needs besides its HTML.
pub(crate) struct Finish<'a> {
    /// Relative to `book/src`.
    pub path: &'a Path,
    pub front: &'a FrontMatter,
    pub language: Language,
    /// The slots of the page, then its maths.
    pub slots: &'a [Slot],
    pub maths: &'a [Maths],
    pub outputs: &'a Outputs,
    /// Whether the page has a notebook to download.
    pub notebook: bool,
    /// The folder `book/src`, for pictures.
    pub source: &'a Path,
}

/// A rendered formula.
pub(crate) struct Maths {
    pub tex: String,
    pub html: String,
}

patterns! {
    /// mdBook's zoomable image of an SVG file, with the paragraph around it when it stands alone.
    IMAGE = r#"(?s)(<p>)?<label class="checkbox-label"><input[^>]*><img src="([^":]+\.svg)" alt="([^"]*)"[^>]*>.*?</label>(</p>)?"#;
    TAGS = r"<[^>]*>";
}

impl Finish<'_> {
    fn error(&self, line: usize, message: impl Into<String>) -> PageError {
        PageError::new(Path::new("book/src").join(self.path), line, message)
    }

    /// The caption at the start of `html`, in the page's language or in the source's, and what follows it.
    fn take_caption<'h>(&self, html: &'h str) -> (&'h str, &'h str) {
        let own = self.language.words().caption.iter().copied();
        let starts: Vec<&str> = own.chain([CAPTION]).collect();
        take_caption(html, &starts)
    }

    /// Fills the slots of `html`.
    pub(crate) fn fill(&self, html: &str) -> Result<String, PageError> {
        let html = self.inline_pictures(html)?;
        let mut result = String::with_capacity(html.len() * 2);
        let mut rest = html.as_str();
        while let Some((start, end, number)) = find_marker(rest) {
            let before = &rest[..start];
            let mut after = &rest[end..];
            if number >= self.slots.len() {
                let display = self
                    .maths
                    .get(number - self.slots.len())
                    .is_some_and(|maths| maths.html.contains("katex-display"));
                // A display formula that is a paragraph of its own needs none around it.
                if display && before.ends_with("<p>") && after.starts_with("</p>") {
                    result.push_str(&before[..before.len() - 3]);
                    after = &after[4..];
                    result.push_str(&format!(
                        "<div class=\"formula\">{}</div>",
                        self.formula(number)
                    ));
                } else {
                    result.push_str(before);
                    result.push_str(&self.formula(number));
                }
                rest = after;
                continue;
            }
            let before = before.trim_end();
            let before = before.strip_suffix("<p>").unwrap_or(before);
            let inside = matches!(self.slots[number], Slot::FoldTitleEnd);
            result.push_str(if inside { before.trim() } else { before });
            after = after.trim_start().strip_prefix("</p>").unwrap_or(after);
            rest = self.slot(number, after, &mut result)?;
        }
        result.push_str(rest);
        Ok(result)
    }

    fn formula(&self, number: usize) -> String {
        self.maths
            .get(number - self.slots.len())
            .map(|maths| maths.html.clone())
            .unwrap_or_default()
    }

    /// Writes slot `number`; returns what follows, without what the slot took.
    fn slot<'h>(
        &self,
        number: usize,
        after: &'h str,
        result: &mut String,
    ) -> Result<&'h str, PageError> {
        let words = self.language.words();
        match &self.slots[number] {
            Slot::Info => result.push_str(&self.info()),
            Slot::Cell(cell) => return self.cell(number, cell, after, result),
            Slot::Fence { language, code } => {
                let code = escape(code.trim_end_matches('\n'));
                result.push_str(&format!(
                    "<pre><code class=\"language-{language}\">{code}</code></pre>"
                ));
            }
            Slot::Svg {
                line,
                svg,
                captioned,
            } => {
                let (caption, after) = if *captioned {
                    self.take_caption(after)
                } else {
                    ("", after)
                };
                let caption = self.fill(caption)?;
                let svg = Svg::new(svg).map_err(|message| self.error(*line, message))?;
                outputs::push_figure(
                    result,
                    &svg.inline(&self.prefix(number), &self.plain(&caption)),
                    &caption,
                );
                return Ok(after);
            }
            Slot::FoldStart(attributes) => {
                let space = if attributes.is_empty() { "" } else { " " };
                result.push_str(&format!("<details{space}{attributes}><summary>"));
                let after = after.trim_start();
                let (title, after) = after
                    .strip_prefix("<p>")
                    .and_then(|text| text.split_once("</p>"))
                    .unwrap_or(("", after));
                result.push_str(&self.fill(title)?);
                return Ok(after);
            }
            Slot::FoldTitleEnd => result.push_str("</summary>"),
            Slot::FoldEnd => result.push_str("</details>"),
            Slot::Note(kind) => {
                let class = NOTES[*kind].to_lowercase();
                let note = format!(
                    "<p class=\"note-title note-{class}\">{}</p>",
                    words.notes[*kind]
                );
                result.push_str(&note);
            }
        }
        Ok(after)
    }

    fn prefix(&self, number: usize) -> String {
        format!("f{number}")
    }

    /// The plain text of HTML; formulas come as TeX.
    fn plain(&self, html: &str) -> String {
        let mut text = html.to_owned();
        for maths in self.maths {
            text = text.replace(&maths.html, &escape(&maths.tex));
        }
        let text = TAGS.replace_all(&text, "");
        text.replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&amp;", "&")
    }

    fn cell<'h>(
        &self,
        number: usize,
        cell: &CellSlot,
        after: &'h str,
        result: &mut String,
    ) -> Result<&'h str, PageError> {
        let words = self.language.words();
        let stored: &[Shown] = if cell.kind == CellKind::Ignore {
            &[]
        } else {
            self.outputs.of(&cell.id, &cell.source)
        };
        let (caption, after) = if outputs::draws(stored) {
            self.take_caption(after)
        } else {
            ("", after)
        };
        let caption = self.fill(caption)?;
        let mut class = String::from("cell");
        if cell.tags.solution {
            class.push_str(" cell-solution");
        }
        let (name, label) = match cell.kind {
            CellKind::Run => ("run", String::new()),
            CellKind::NoRun => ("no_run", words.no_run.to_owned()),
            CellKind::Ignore => (
                "ignore",
                cell.from
                    .clone()
                    .unwrap_or_else(|| words.shown_only.to_owned()),
            ),
            CellKind::CompileFail => ("compile_fail", words.compile_fail.to_owned()),
            CellKind::ShouldPanic => ("should_panic", words.should_panic.to_owned()),
        };
        let data = match cell.kind {
            CellKind::Ignore => String::new(),
            _ => format!(" data-cell=\"{}\"{}", escape(&cell.id), self.crates()),
        };
        let id = escape(&cell.id);
        result.push_str(&format!(
            "<div class=\"{class}\" id=\"cell-{id}\" data-kind=\"{name}\"{data}>"
        ));
        if !label.is_empty() {
            result.push_str(&format!(
                "<p class=\"cell-label\" data-pagefind-ignore>{}</p>",
                escape(&label)
            ));
        }
        let code = code_html(&cell.shown, cell.kind == CellKind::Ignore);
        result.push_str(&format!(
            "<pre><code class=\"language-rust\">{code}</code></pre>"
        ));
        let html = self.outputs_html(number, cell, stored, &caption)?;
        result.push_str(&format!(
            "<div class=\"outputs\" data-pagefind-ignore>{html}</div></div>"
        ));
        Ok(after)
    }

    /// Which crate the kernel behind the Run buttons needs, for a page that asks for one.
    fn crates(&self) -> String {
        match &self.front.crates {
            None => String::new(),
            Some(extra) => format!(" data-crates=\"{}\"", escape(extra)),
        }
    }

    fn outputs_html(
        &self,
        number: usize,
        cell: &CellSlot,
        stored: &[Shown],
        caption: &str,
    ) -> Result<String, PageError> {
        let alt = self.plain(caption);
        outputs::html(
            stored,
            self.language.words(),
            &self.prefix(number),
            caption,
            &alt,
        )
        .map_err(|message| self.error(cell.line, message))
    }

    fn info(&self) -> String {
        let words = self.language.words();
        let mut facts: Vec<String> = Vec::new();
        let front = self.front;
        facts.extend(
            front
                .minutes
                .map(|minutes| words.minutes.replace("{}", &minutes.to_string())),
        );
        facts.extend(front.device.clone());
        facts.extend(front.crates.clone());
        facts.extend(needed(&front.memory).map(|memory| words.memory.replace("{}", memory)));
        facts
            .extend(needed(&front.download).map(|download| words.download.replace("{}", download)));
        let mut items: Vec<String> = facts
            .iter()
            .map(|fact| format!("<span>{}</span>", escape(fact)))
            .collect();
        if front.status == Status::Outline {
            items.push(format!(
                "<span class=\"page-outline\">{}</span>",
                words.outline
            ));
        }
        if self.notebook {
            let file = notebook_path(self.path).display().to_string();
            let root = to_root(self.path, self.language);
            let name = self
                .path
                .file_stem()
                .map(|stem| stem.to_string_lossy().into_owned())
                .unwrap_or_default();
            items.push(format!(
                "<a class=\"notebook-link\" href=\"{root}{file}\" download=\"{name}.ipynb\">{} (.ipynb)</a>",
                words.notebook
            ));
        }
        if items.is_empty() {
            return String::new();
        }
        format!(
            "<p class=\"page-info\" data-pagefind-ignore>{}</p>",
            items.join("")
        )
    }

    /// SVG files named by a page become part of it, so that they follow the theme's colours.
    fn inline_pictures(&self, html: &str) -> Result<String, PageError> {
        let mut result = String::with_capacity(html.len());
        let mut rest = html;
        let mut count = 0;
        while let Some(found) = IMAGE.captures(rest) {
            let Some(all) = found.get(0) else { break };
            let error = |message: String| self.error(1, format!("{}: {message}", &found[2]));
            let file = self
                .source
                .join(self.path.parent().unwrap_or(Path::new("")))
                .join(&found[2]);
            let svg =
                std::fs::read_to_string(&file).map_err(|problem| error(problem.to_string()))?;
            count += 1;
            let svg = Svg::new(&svg)
                .map_err(error)?
                .inline(&format!("i{count}"), &self.plain(&found[3]));
            result.push_str(&rest[..all.start()]);
            rest = &rest[all.end()..];
            if found.get(1).is_some() && found.get(4).is_some() {
                let (caption, after) = self.take_caption(rest);
                outputs::push_figure(&mut result, &svg, caption);
                rest = after;
            } else {
                result.push_str(&svg);
            }
        }
        result.push_str(rest);
        Ok(result)
    }

    /// Adds to a finished page what mdBook's frame lacks: search, the other languages, words in this one.
    pub(crate) fn frame(&self, html: &str, home: bool) -> Result<String, PageError> {
        let words = self.language.words();
        let page = if home {
            Path::new("index.md")
        } else {
            self.path
        };
        let html_path = page.with_extension("html").display().to_string();
        let root = to_root(page, self.language);
        let mut links = String::new();
        for other in Language::ALL
            .into_iter()
            .filter(|other| *other != self.language)
        {
            let folder = if other.folder().is_empty() {
                String::new()
            } else {
                format!("{}/", other.folder())
            };
            links.push_str(&format!(
                "<a class=\"language-link\" lang=\"{code}\" hreflang=\"{code}\" href=\"{root}{folder}{html_path}\">{}</a>",
                other.name(),
                code = other.code()
            ));
        }
        let search = format!(
            "<button id=\"book-search-toggle\" class=\"icon-button\" type=\"button\" title=\"{0} (S)\" aria-label=\"{0}\" \
             aria-keyshortcuts=\"/ s\" aria-haspopup=\"dialog\">{MAGNIFIER}</button>",
            words.search
        );
        let body = if home {
            "<main>"
        } else {
            "<main data-pagefind-body>"
        };
        // For the scripts of the theme; a `</` would end the element that they stand in.
        let page_words = words.page.trim_end().replace("</", "<\\/");
        let root_script = format!(
            "const book_root = \"{root}\";\n            const book_words = {page_words};\n            const path_to_root"
        );
        let changes = [
            (
                "<div class=\"right-buttons\">",
                format!("<div class=\"right-buttons\">{links}"),
            ),
            (
                "<h1 class=\"menu-title\">",
                format!("{search}</div><h1 class=\"menu-title\">"),
            ),
            (
                "<p>Press <kbd>?</kbd>",
                format!("<p>{}</p><p>Press <kbd>?</kbd>", words.search_help),
            ),
            ("const path_to_root", root_script),
            ("<main>", body.to_owned()),
            ("<h1 id=", "<h1 data-pagefind-meta=\"title\" id=".to_owned()),
        ];
        let mut html = close_buttons_later(html);
        for (found, replacement) in changes {
            if !html.contains(found) {
                let message = format!(
                    "mdBook's page has no `{found}` any more; adapt kindling-book/src/finish.rs"
                );
                return Err(self.error(1, message));
            }
            html = html.replacen(found, &replacement, 1);
        }
        Ok(translate_frame(html, self.language))
    }
}

/// mdBook's own words, in the page's language.
pub(crate) fn translate_frame(html: String, language: Language) -> String {
    let frame = language.words().frame.iter();
    frame.fold(html, |html, (english, own)| html.replace(english, own))
}

/// What a page needs, unless it says `none`.
fn needed(value: &Option<String>) -> Option<&str> {
    value
        .as_deref()
        .filter(|value| !value.is_empty() && *value != "none")
}

/// Removes the `</div>` that ends the left buttons, so that one more button fits in.
fn close_buttons_later(html: &str) -> String {
    let Some(title) = html.find("<h1 class=\"menu-title\">") else {
        return html.to_owned();
    };
    let Some(end) = html[..title].rfind("</div>") else {
        return html.to_owned();
    };
    format!("{}{}", &html[..end], &html[end + "</div>".len()..])
}

const MAGNIFIER: &str = "<span class=\"fa-svg\"><svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 16 16\" \
    aria-hidden=\"true\"><path fill=\"none\" stroke=\"currentColor\" stroke-width=\"2\" stroke-linecap=\"round\" \
    d=\"M10.5 10.5 15 15M12 6.75a5.25 5.25 0 1 1-10.5 0 5.25 5.25 0 0 1 10.5 0Z\"/></svg></span>";

/// The way from a page up to the built book's own folder.
fn to_root(page: &Path, language: Language) -> String {
    let depth = page.components().count() - 1 + usize::from(!language.folder().is_empty());
    "../".repeat(depth)
}

/// The caption paragraph at the start of `html`, without the first word, which is one of `starts`, and what follows it.
fn take_caption<'h>(html: &'h str, starts: &[&str]) -> (&'h str, &'h str) {
    let paragraph = html.trim_start().strip_prefix("<p>");
    let found = paragraph.and_then(|text| {
        let text = starts.iter().find_map(|start| text.strip_prefix(start))?;
        text.split_once("</p>")
    });
    found.unwrap_or(("", html))
}

/// The code of a cell: hidden lines in mdBook's own wrapping, so that its toggle finds them.
fn code_html(shown: &str, literal: bool) -> String {
    let mut html = String::with_capacity(shown.len() * 2);
    for text in shown.trim_end_matches('\n').split_inclusive('\n') {
        let line = code_line(text);
        if literal {
            html.push_str(&escape(text));
        } else if line.hidden {
            let code = escape(line.code);
            html.push_str(&format!(
                "<span class=\"boring\">{}{code}</span>",
                line.indent
            ));
        } else {
            html.push_str(line.indent);
            html.push_str(&escape(line.code));
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_lines_are_marked() {
        assert_eq!(
            code_html("# use a;\nlet b = \"<\";\n##[c]\n", false),
            "<span class=\"boring\">use a;\n</span>let b = &quot;&lt;&quot;;\n#[c]"
        );
        assert_eq!(code_html("# not hidden\n", true), "# not hidden");
    }

    #[test]
    fn captions_are_taken() {
        let caption = |html| take_caption(html, &["图：", CAPTION]);
        assert_eq!(
            caption("\n<p>Figure: A line.</p>\n<p>B</p>"),
            ("A line.", "\n<p>B</p>")
        );
        assert_eq!(caption("<p>图：一条线。</p>"), ("一条线。", ""));
        assert_eq!(caption("<p>Text.</p>"), ("", "<p>Text.</p>"));
    }
}
