//! The translation catalogue: which texts there are, which are translated, and whether a translation keeps
//! the code, the maths and the links of its original.

use crate::language::Language;
use crate::maths::{Line, join};
use crate::pattern::patterns;
use crate::source::{CAPTION, Prepared, is_marker, prepare};
use anyhow::{Context, Result, anyhow, bail};
use kindling_pages::{Book, Page, write_whole};
use mdbook_i18n_helpers::{
    extract_events, extract_messages, reconstruct_markdown, translate_events,
};
use polib::catalog::Catalog;
use polib::message::{Message, MessageFlags, MessageView};
use polib::metadata::CatalogMetadata;
use pulldown_cmark::{Event, Parser, Tag, TagEnd};
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};

/// Where the catalogues lie, one for each language that the pages are translated into.
const CATALOGUES: &str = "book/po";

const SUMMARY: &str = "book/src/SUMMARY.md";

/// A text to translate and where it stands first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    pub id: String,
    pub line: usize,
}

/// How much of one page is translated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageCoverage {
    /// Relative to the repository.
    pub path: PathBuf,
    /// Whether the page must be translated in full.
    pub complete: bool,
    /// Texts with a translation that is not fuzzy.
    pub translated: usize,
    /// All texts.
    pub total: usize,
    /// The line of the first text without a translation.
    pub first_missing: Option<usize>,
}

/// How much of the book is translated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// Into this language.
    pub language: Language,
    /// The table of contents, then the pages in its order.
    pub pages: Vec<PageCoverage>,
}

impl Coverage {
    /// What must be translated and is not: one message a page.
    pub fn missing(&self) -> Vec<String> {
        let unfinished = self
            .pages
            .iter()
            .filter(|page| page.complete && page.translated < page.total);
        unfinished
            .map(|page| {
                format!(
                    "{}:{}: {} of {} texts have no {} translation; fill them in {}",
                    page.path.display(),
                    page.first_missing.unwrap_or(1),
                    page.total - page.translated,
                    page.total,
                    self.language.english_name(),
                    shown(self.language)
                )
            })
            .collect()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sums = [(0, 0), (0, 0)];
        for page in &self.pages {
            let sum = &mut sums[usize::from(page.complete)];
            sum.0 += page.translated;
            sum.1 += page.total;
            if page.complete && page.translated < page.total {
                writeln!(
                    formatter,
                    "  {:>4}/{:<4} {}",
                    page.translated,
                    page.total,
                    page.path.display()
                )?;
            }
        }
        let percent =
            |(translated, total): (usize, usize)| translated as f64 / total.max(1) as f64 * 100.0;
        write!(
            formatter,
            "{}: {:.1} % of the complete pages ({} of {} texts), {:.1} % of the outline pages",
            self.language.english_name(),
            percent(sums[1]),
            sums[1].0,
            sums[1].1,
            percent(sums[0])
        )
    }
}

/// What an update of the catalogue did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Update {
    /// Texts in the catalogue.
    pub total: usize,
    /// Texts that were not in it before.
    pub added: usize,
    /// Texts that no page has any more.
    pub dropped: usize,
    /// Added texts that resemble a dropped one and got its translation, to be looked at.
    pub fuzzy: usize,
    /// Whether the file changed.
    pub changed: bool,
}

/// The texts of `lines`, without those that have nothing to translate (only code or maths).
pub(crate) fn texts(lines: &[Line]) -> Result<Vec<Text>> {
    let markdown = join(lines);
    let messages = extract_messages(&markdown)
        .map_err(|error| anyhow!("cannot read the Markdown: {error}"))?;
    let origin = |line: usize| {
        lines
            .get(line.saturating_sub(1))
            .map_or(1, |line| line.origin)
    };
    let texts = messages.into_iter().map(|(line, message)| Text {
        id: message.message,
        line: origin(line),
    });
    Ok(texts.filter(|text| has_words(&text.id)).collect())
}

/// Whether Markdown contains a Latin letter outside code, HTML and link targets.
fn has_words(markdown: &str) -> bool {
    Parser::new(markdown).any(|event| match event {
        Event::Text(text) => text
            .chars()
            .any(|letter| letter.is_ascii_alphabetic() && !is_marker(letter)),
        _ => false,
    })
}

/// The texts of the table of contents.
pub(crate) fn summary_texts(summary: &str) -> Vec<Text> {
    let mut texts = Vec::new();
    let mut current: Option<Text> = None;
    for (event, range) in Parser::new(summary).into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { .. } | Tag::Link { .. }) => {
                let line = summary[..range.start].matches('\n').count() + 1;
                current = Some(Text {
                    id: String::new(),
                    line,
                });
            }
            Event::Text(text) | Event::Code(text) => {
                if let Some(current) = &mut current {
                    current.id.push_str(&text);
                }
            }
            Event::End(TagEnd::Heading(_) | TagEnd::Link) => {
                texts.extend(
                    current
                        .take()
                        .filter(|text| !text.id.is_empty() && text.line > 1),
                );
            }
            _ => {}
        }
    }
    texts
}

/// Every text of the book with the file that it stands in, in reading order.
fn book_texts(root: &Path, book: &Book) -> Result<Vec<(PathBuf, bool, Vec<Text>)>> {
    let summary = std::fs::read_to_string(root.join(SUMMARY))
        .with_context(|| format!("cannot read {SUMMARY}"))?;
    let mut all = vec![(PathBuf::from(SUMMARY), true, summary_texts(&summary))];
    for page in &book.pages {
        all.push((
            page.shown_path(),
            page.is_complete(),
            page_texts(root, page)?,
        ));
    }
    Ok(all)
}

fn page_texts(root: &Path, page: &Page) -> Result<Vec<Text>> {
    texts(&prepare(root, page)?.lines).with_context(|| page.shown_path().display().to_string())
}

/// The catalogue of `language` as errors name it.
fn shown(language: Language) -> String {
    language.catalogue().unwrap_or_default()
}

fn metadata(language: Language) -> CatalogMetadata {
    let mut metadata = CatalogMetadata::new();
    metadata.project_id_version = "Kindling".to_owned();
    metadata.mime_version = "1.0".to_owned();
    metadata.content_type = "text/plain; charset=UTF-8".to_owned();
    metadata.content_transfer_encoding = "8bit".to_owned();
    metadata.language = language.code().to_owned();
    metadata
}

/// Reads a catalogue; an absent file is an empty one.
pub(crate) fn read(language: Language, file: &Path) -> Result<Catalog> {
    if !file.exists() {
        return Ok(Catalog::new(metadata(language)));
    }
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    if let Some((line, message)) = wrong_line(&text) {
        bail!("{}:{line}: {message}", file.display());
    }
    // The parser fails hard on a header that lacks a field; ours has them all, and the file's own tells nothing.
    let temporary = tempfile::NamedTempFile::new()?;
    polib::po_file::write(&Catalog::new(metadata(language)), temporary.path())?;
    let header = std::fs::read_to_string(temporary.path())?;
    std::fs::write(
        temporary.path(),
        format!("{}\n\n{}", header.trim(), without_header(&text)),
    )?;
    polib::po_file::parse(temporary.path())
        .map_err(|error| anyhow!("{}: {error}; mend the file", file.display()))
}

/// The first line that is not one of a catalogue's: the parser does not survive it, and a reader wants its number.
fn wrong_line(text: &str) -> Option<(usize, String)> {
    let mut previous = "";
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            previous = if previous == "msgid" { previous } else { "" };
            continue;
        }
        let (keyword, quoted) = match line.find('"') {
            Some(0) if !previous.is_empty() => (previous, line),
            Some(quote) => (line[..quote].trim(), &line[quote..]),
            None => (line, ""),
        };
        let message = match keyword {
            "msgid" | "msgstr" if !is_quoted(quoted) => {
                "expected one text in quotation marks, `\"` inside it as `\\\"`"
            }
            "msgid" if previous == "msgid" && quoted != line => {
                "expected the `msgstr` of the `msgid` before"
            }
            "msgstr" if previous != "msgid" && quoted != line => {
                "expected a `msgid` before this `msgstr`"
            }
            "msgid" | "msgstr" => {
                previous = if keyword == "msgid" {
                    "msgid"
                } else {
                    "msgstr"
                };
                continue;
            }
            _ => {
                "expected `msgid \"…\"`, `msgstr \"…\"`, a text in quotation marks, a comment or an empty line"
            }
        };
        return Some((index + 1, format!("{message}, found `{line}`")));
    }
    (previous == "msgid").then(|| {
        (
            text.lines().count(),
            "the last `msgid` has no `msgstr`".to_owned(),
        )
    })
}

/// Whether `text` is one string in quotation marks with its inner ones escaped.
fn is_quoted(text: &str) -> bool {
    let Some(inner) = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
    else {
        return false;
    };
    let mut escaped = false;
    for letter in inner.chars() {
        match letter {
            '"' if !escaped => return false,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    !escaped
}

/// Reads a catalogue for a build: its emphasis is written as HTML. Markdown sees `**` and `_` only next to spaces
/// or punctuation, and Chinese has no spaces.
pub(crate) fn read_for_build(language: Language, file: &Path) -> Result<Catalog> {
    let source = read(language, file)?;
    let mut catalog = Catalog::new(metadata(language));
    for message in source.messages() {
        let mut builder = Message::build_singular();
        builder
            .with_msgid(message.msgid().to_owned())
            .with_flags(message.flags().clone());
        catalog.append_or_update(
            builder
                .with_msgstr(emphasise(message.msgstr().unwrap_or_default()))
                .done(),
        );
    }
    Ok(catalog)
}

patterns! {
    FIXED = r"`[^`]*`|\]\([^)]*\)|<[^>]*>|\\.";
    STRONG = r"\*\*([^*]+)\*\*";
    STAR = r"\*([^*\s][^*]*)\*";
    UNDERSCORE = r"(^|[^A-Za-z0-9_])_([^_\s][^_]*)_";
}

/// Writes `**a**` as `<strong>a</strong>`, `*a*` and `_a_` as `<em>a</em>`, outside code, links and HTML.
fn emphasise(text: &str) -> String {
    let parts: Vec<&str> = FIXED.find_iter(text).collect();
    let masked = FIXED.replace_all(text, "\u{E000}");
    let marked = STRONG.replace_all(&masked, "<strong>$1</strong>");
    let marked = STAR.replace_all(&marked, "<em>$1</em>");
    let marked = UNDERSCORE.replace_all(&marked, "$1<em>$2</em>");
    let mut parts = parts.into_iter();
    marked
        .split('\u{E000}')
        .fold(String::new(), |mut result, piece| {
            result.push_str(piece);
            result.push_str(parts.next().unwrap_or(""));
            result
        })
}

/// The text of a catalogue without its header, the entry of the empty text.
fn without_header(text: &str) -> String {
    let entries = text.split("\n\n").filter(|entry| {
        let mut lines = entry
            .lines()
            .filter(|line| !line.starts_with('#') && !line.trim().is_empty());
        !(lines.next() == Some("msgid \"\"")
            && lines.next().is_none_or(|line| line.starts_with("msgstr")))
    });
    entries.collect::<Vec<_>>().join("\n\n")
}

/// A catalogue as the text of its file.
fn text_of(catalog: &Catalog) -> Result<String> {
    let temporary = tempfile::NamedTempFile::new()?;
    polib::po_file::write(catalog, temporary.path()).context("cannot write a temporary file")?;
    Ok(format!(
        "{}\n",
        std::fs::read_to_string(temporary.path())?.trim()
    ))
}

/// Writes a catalogue, and only when it differs.
fn write(catalog: &Catalog, file: &Path) -> Result<bool> {
    write_whole(file, &text_of(catalog)?)
        .with_context(|| format!("cannot write {}", file.display()))
}

/// Whether [`update_catalogue`] would change the catalogue. Nothing is written.
pub fn catalogue_is_stale(root: &Path, language: Language) -> Result<bool> {
    let (catalog, _) = updated(root, language)?;
    let file = root.join(shown(language));
    Ok(std::fs::read_to_string(&file).ok() != Some(text_of(&catalog)?))
}

/// Brings the catalogue of `language` in step with the pages: new texts get an empty translation, or the fuzzy one of a
/// similar text that has gone; texts that no page has are dropped. The same pages give the same file.
pub fn update_catalogue(root: &Path, language: Language) -> Result<Update> {
    let _lock = lock(root);
    let (catalog, mut update) = updated(root, language)?;
    update.changed = write(&catalog, &root.join(shown(language)))?;
    Ok(update)
}

/// Keeps others from writing the catalogue at the same time, for as long as the result lives; where folders cannot
/// be locked, the last one wins.
fn lock(root: &Path) -> Option<std::fs::File> {
    let folder = std::fs::File::open(root.join(CATALOGUES)).ok()?;
    folder.lock().ok()?;
    Some(folder)
}

/// The catalogue in step with the pages, and what that changes.
fn updated(root: &Path, language: Language) -> Result<(Catalog, Update)> {
    let book = Book::open(root)?;
    let old = read(language, &root.join(shown(language)))?;
    let mut sources: Vec<(String, Vec<String>)> = Vec::new();
    let mut index: HashMap<String, usize> = HashMap::new();
    for (path, _, texts) in book_texts(root, &book)? {
        let path = path.display().to_string();
        for text in texts {
            let at = *index.entry(text.id.clone()).or_insert_with(|| {
                sources.push((text.id, Vec::new()));
                sources.len() - 1
            });
            if !sources[at].1.contains(&path) {
                sources[at].1.push(path.clone());
            }
        }
    }
    let gone: Vec<&dyn MessageView> = old
        .messages()
        .filter(|message| message.is_translated() && !index.contains_key(message.msgid()))
        .collect();
    let mut update = Update {
        total: sources.len(),
        ..Update::default()
    };
    update.dropped = old
        .messages()
        .filter(|message| !index.contains_key(message.msgid()))
        .count();
    let mut catalog = Catalog::new(metadata(language));
    for (id, paths) in sources {
        let mut builder = Message::build_singular();
        let source = paths.join("\n");
        match old.find_message(None, &id, None) {
            Some(known) => {
                builder
                    .with_comments(known.comments().to_owned())
                    .with_flags(known.flags().clone());
                builder.with_msgstr(known.msgstr().unwrap_or_default().to_owned());
            }
            None => {
                update.added += 1;
                if let Some(similar) = most_similar(&id, &gone) {
                    update.fuzzy += 1;
                    let mut flags = MessageFlags::new();
                    flags.add_flag("fuzzy");
                    let was = similar.msgid().replace('\n', " ");
                    builder
                        .with_comments(format!("was: {was}"))
                        .with_flags(flags);
                    builder.with_msgstr(similar.msgstr().unwrap_or_default().to_owned());
                }
            }
        }
        catalog.append_or_update(builder.with_msgid(id).with_source(source).done());
    }
    Ok((catalog, update))
}

/// The text that has most words in common with `id`, if it has most of them.
fn most_similar<'a>(id: &str, gone: &[&'a dyn MessageView]) -> Option<&'a dyn MessageView> {
    let words = |text: &str| -> BTreeSet<String> {
        text.split_whitespace().map(str::to_lowercase).collect()
    };
    let wanted = words(id);
    let score = |other: &str| {
        let other = words(other);
        2.0 * wanted.intersection(&other).count() as f64
            / (wanted.len() + other.len()).max(1) as f64
    };
    let scored = gone
        .iter()
        .map(|message| (score(message.msgid()), *message));
    let best = scored.max_by(|left, right| left.0.total_cmp(&right.0))?;
    (best.0 >= 0.6).then_some(best.1)
}

/// The texts of a page (all pages when `page` is none) that wait for a translation, as a catalogue of their own.
pub fn untranslated(root: &Path, language: Language, page: Option<&Path>) -> Result<String> {
    let book = Book::open(root)?;
    let catalog = read(language, &root.join(shown(language)))?;
    let mut result = Catalog::new(metadata(language));
    for (path, _, texts) in book_texts(root, &book)? {
        let wanted =
            page.is_none_or(|page| path.ends_with(page) || path.with_extension("").ends_with(page));
        for text in texts
            .into_iter()
            .filter(|text| wanted && !is_translated(&catalog, &text.id))
        {
            let known = catalog.find_message(None, &text.id, None);
            let mut builder = Message::build_singular();
            if let Some(known) = known {
                builder
                    .with_comments(known.comments().to_owned())
                    .with_flags(known.flags().clone());
                builder.with_msgstr(known.msgstr().unwrap_or_default().to_owned());
            }
            let source = format!("{}:{}", path.display(), text.line);
            result.append_or_update(builder.with_msgid(text.id).with_source(source).done());
        }
    }
    let file = tempfile::NamedTempFile::new()?;
    polib::po_file::write(&result, file.path())?;
    Ok(std::fs::read_to_string(file.path())?
        .trim_start()
        .to_owned())
}

/// Takes the translations of the catalogue `part` into the book's own of `language`. Returns how many it took.
pub fn merge(root: &Path, language: Language, part: &Path) -> Result<usize> {
    if !part.is_file() {
        bail!("{}: there is no such catalogue", part.display());
    }
    let part_catalog = read(language, part)?;
    let _lock = lock(root);
    let (mut catalog, _) = updated(root, language)?;
    let mut taken = 0;
    for message in part_catalog
        .messages()
        .filter(|message| message.is_translated() && !message.is_fuzzy())
    {
        let Some(known) = catalog.find_message(None, message.msgid(), None) else {
            let start: String = message.msgid().chars().take(60).collect();
            bail!(
                "{}: no page has the text `{start}`; run `cargo course sync` and translate again",
                part.display()
            );
        };
        let source = known.source().to_owned();
        let mut builder = Message::build_singular();
        builder
            .with_msgid(message.msgid().to_owned())
            .with_source(source);
        catalog.append_or_update(
            builder
                .with_msgstr(message.msgstr().unwrap_or_default().to_owned())
                .done(),
        );
        taken += 1;
    }
    write(&catalog, &root.join(shown(language)))?;
    Ok(taken)
}

fn is_translated(catalog: &Catalog, id: &str) -> bool {
    catalog
        .find_message(None, id, None)
        .is_some_and(|message| message.is_translated() && !message.is_fuzzy())
}

/// Counts the translated texts of every page.
pub fn coverage(root: &Path, language: Language) -> Result<Coverage> {
    let book = Book::open(root)?;
    let catalog = read(language, &root.join(shown(language)))?;
    let pages = book_texts(root, &book)?
        .into_iter()
        .map(|(path, complete, texts)| {
            let missing: Vec<&Text> = texts
                .iter()
                .filter(|text| !is_translated(&catalog, &text.id))
                .collect();
            let first_missing = missing.first().map(|text| text.line);
            PageCoverage {
                path,
                complete,
                translated: texts.len() - missing.len(),
                total: texts.len(),
                first_missing,
            }
        });
    Ok(Coverage {
        language,
        pages: pages.collect(),
    })
}

/// What a translation lost or added: code spans, maths and link targets must be those of the original.
pub fn check_translations(root: &Path, language: Language) -> Result<Vec<String>> {
    let file = shown(language);
    let catalog = read(language, &root.join(shown(language)))?;
    let mut problems = Vec::new();
    for message in catalog
        .messages()
        .filter(|message| message.is_translated() && !message.is_fuzzy())
    {
        let (source, id) = (message.source().replace('\n', ", "), message.msgid());
        let (wanted, found) = (
            fixed_parts(id),
            fixed_parts(message.msgstr().unwrap_or_default()),
        );
        let start: String = id.chars().take(60).collect();
        for part in wanted.difference(&found) {
            problems.push(format!(
                "{source}: the translation of `{start}…` lacks {part}; add it in {file}"
            ));
        }
        for part in found.difference(&wanted) {
            problems.push(format!(
                "{source}: the translation of `{start}…` has {part}, the original has not; mend it in {file}"
            ));
        }
        let caption = language.words().caption.first();
        if let Some(caption) = caption.filter(|_| id.starts_with(CAPTION))
            && !message.msgstr().unwrap_or_default().starts_with(caption)
        {
            problems.push(format!(
                "{source}: the translation of `{start}…` must start with `{caption}`"
            ));
        }
    }
    Ok(problems)
}

/// The parts of a text that no translation changes.
fn fixed_parts(markdown: &str) -> BTreeSet<String> {
    extract_events(markdown, None)
        .into_iter()
        .filter_map(|(_, event)| match event {
            Event::Code(code) if code.starts_with('$') => Some(format!("the maths `{code}`")),
            Event::Code(code) => Some(format!("the code `{code}`")),
            Event::Start(Tag::Link { dest_url, .. }) => Some(format!("the link to `{dest_url}`")),
            Event::Start(Tag::Image { dest_url, .. }) => Some(format!("the picture `{dest_url}`")),
            Event::InlineHtml(html) if !html.starts_with("<!--") => {
                Some(format!("the tag `{html}`"))
            }
            _ => None,
        })
        .collect()
}

/// The Markdown of `prepared` in `language`, whose translations `catalog` holds.
pub(crate) fn translate(
    prepared: &Prepared,
    language: Language,
    catalog: &Catalog,
) -> Result<String> {
    let markdown = join(&prepared.lines);
    let events = extract_events(&markdown, None);
    let what = || {
        format!(
            "book/src/{}: cannot translate; compare its texts in {}",
            prepared.path.display(),
            shown(language)
        )
    };
    let translated = translate_events(&events, catalog)
        .map_err(|error| anyhow!("{error}"))
        .with_context(what)?;
    let (text, _) = reconstruct_markdown(&translated, None)
        .map_err(|error| anyhow!("{error}"))
        .with_context(what)?;
    Ok(text)
}

/// The translation of a title, or the title.
pub(crate) fn translate_title(title: &str, catalog: &Catalog) -> String {
    match catalog.find_message(None, title, None) {
        Some(message) if message.is_translated() && !message.is_fuzzy() => {
            message.msgstr().unwrap_or(title).to_owned()
        }
        _ => title.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_parts_are_compared() {
        let wanted = fixed_parts("Use `a` and `$x$`, see [b](c.md).");
        assert_eq!(wanted, fixed_parts("参见[乙](c.md)：`$x$` 与 `a`。"));
        assert_ne!(wanted, fixed_parts("参见[乙](d.md)：`$x$` 与 `a`。"));
    }

    #[test]
    fn emphasis_needs_no_spaces() {
        assert_eq!(
            emphasise("叫作*单元格*。`a_b_c`"),
            "叫作<em>单元格</em>。`a_b_c`"
        );
        assert_eq!(
            emphasise("**重点。**然后_看_[链_接_](a_b_.md)"),
            "<strong>重点。</strong>然后<em>看</em>[链<em>接</em>](a_b_.md)"
        );
        assert_eq!(emphasise("`x`"), "`x`");
    }

    #[test]
    fn a_wrong_line_is_found() {
        let good =
            "# a\nmsgid \"\"\n\"a\\\"b\"\nmsgstr \"c\"\n\n#: d\nmsgid \"e\"\nmsgstr \"\"\n\"f\"\n";
        assert_eq!(wrong_line(good), None);
        assert_eq!(
            wrong_line("msgid \"a\nmsgstr \"b\"\n").map(|found| found.0),
            Some(1)
        );
        assert_eq!(
            wrong_line("msgid \"a\"\nmsgstr \"b\"c\"\n").map(|found| found.0),
            Some(2)
        );
        assert_eq!(
            wrong_line("msgid \"a\"\nmsgid \"b\"\n").map(|found| found.0),
            Some(2)
        );
        assert_eq!(
            wrong_line("msgid \"a\"\nmsgstr \"b\"\nnonsense\n").map(|found| found.0),
            Some(3)
        );
        assert_eq!(
            wrong_line("msgid \"a\"\nmsgstr \"b\"\nmsgstr \"b\"\n").map(|found| found.0),
            Some(3)
        );
        assert_eq!(wrong_line("msgid \"a\"\n").map(|found| found.0), Some(1));
    }

    #[test]
    fn code_alone_is_no_text() {
        assert!(!has_words("`let a`"));
        assert!(!has_words("学习率"));
        assert!(has_words("`a` is"));
    }

    #[test]
    fn the_table_of_contents_has_its_titles() {
        let ids: Vec<String> =
            summary_texts("# Summary\n\n[Intro](a.md)\n\n# Part\n\n- [One](b.md)\n")
                .into_iter()
                .map(|t| t.id)
                .collect();
        assert_eq!(ids, ["Intro", "Part", "One"]);
    }
}
