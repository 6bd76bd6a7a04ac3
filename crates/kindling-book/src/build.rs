//! The build: pages in, two finished books and their search index out, in one step.

use crate::catalogue;
use crate::finish::{Finish, Maths, translate_frame};
use crate::language::Language;
use crate::links;
use crate::maths::{Renderer, replace};
use crate::outputs::Outputs;
use crate::source::{Prepared, marker, prepare};
use anyhow::{Context, Result, anyhow, bail};
use kindling_pages::{Book, PageError, notebook_path};
use mdbook_driver::MDBook;
use mdbook_driver::book::BookItem;
use mdbook_driver::config::Config;
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What to build.
#[derive(Debug, Clone)]
pub struct Options {
    /// The languages; the one of the pages must be among them.
    pub languages: Vec<Language>,
    /// The folder of the finished book; absent: `book/build` in the repository.
    pub dest: Option<PathBuf>,
    /// What writes the search index into the folder of the finished book and returns the number of pages in it; absent: there
    /// is none.
    pub search: Option<Index>,
}

/// Indexes the book in a folder.
pub type Index = fn(&Path) -> Result<usize>;

impl Default for Options {
    fn default() -> Self {
        Self {
            languages: Language::ALL.to_vec(),
            dest: None,
            search: None,
        }
    }
}

/// What was built.
#[derive(Debug, Clone)]
pub struct Report {
    /// The folder of the finished book.
    pub dest: PathBuf,
    /// Pages of the book in one language.
    pub pages: usize,
    /// Cells on them.
    pub cells: usize,
    /// Pages in the search index, all languages together.
    pub searchable: usize,
    /// How long it took.
    pub time: Duration,
}

/// Everything that is wrong with the book's pages.
#[derive(Debug, Clone)]
pub struct BookErrors(pub Vec<PageError>);

impl fmt::Display for BookErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for error in &self.0 {
            writeln!(formatter, "{error}")?;
        }
        let count = self.0.len();
        write!(
            formatter,
            "{count} problem{} on the pages of the book",
            if count == 1 { "" } else { "s" }
        )
    }
}

impl std::error::Error for BookErrors {}

struct Content {
    book: Book,
    prepared: Vec<Prepared>,
    outputs: Vec<Outputs>,
}

/// Reads the pages and checks all that can be checked before they are rendered.
fn read(root: &Path) -> Result<Content> {
    let book = Book::open(root)?;
    let mut errors = Vec::new();
    let mut prepared = Vec::new();
    let mut outputs = Vec::new();
    for page in &book.pages {
        match prepare(root, page) {
            Ok(page) => prepared.push(page),
            Err(error) => errors.push(error),
        }
        outputs.push(Outputs::read(&root.join(notebook_path(&page.path)))?);
    }
    if errors.is_empty() {
        errors.extend(links::check(&root.join("book/src"), &prepared));
        errors.extend(check_maths(&prepared));
        for (page, (prepared, outputs)) in book.pages.iter().zip(prepared.iter().zip(&outputs)) {
            errors.extend(uncaptioned(page, prepared, outputs));
        }
    }
    if errors.is_empty() {
        Ok(Content {
            book,
            prepared,
            outputs,
        })
    } else {
        Err(BookErrors(errors).into())
    }
}

/// Every drawing needs words for those who cannot see it.
fn uncaptioned(
    page: &kindling_pages::Page,
    prepared: &Prepared,
    outputs: &Outputs,
) -> Vec<PageError> {
    let cells = prepared.slots.iter().filter_map(|slot| match slot {
        crate::source::Slot::Cell(cell) if !cell.captioned => Some(cell),
        _ => None,
    });
    cells
        .filter(|cell| crate::outputs::draws(outputs.of(&cell.id, &cell.source)))
        .map(|cell| {
            let message = "this cell draws a picture; say what it shows in a paragraph `Figure: …` right after it";
            PageError::new(page.shown_path(), cell.line, message)
        })
        .collect()
}

fn check_maths(pages: &[Prepared]) -> Vec<PageError> {
    let renderer = Renderer::new();
    let mut errors = Vec::new();
    for page in pages {
        for line in &page.lines {
            replace(&line.text, |tex, display| {
                if let Err(message) = renderer.render(tex, display) {
                    let path = Path::new("book/src").join(&page.path);
                    errors.push(PageError::new(
                        path,
                        line.origin,
                        format!("KaTeX cannot read `{tex}`: {message}"),
                    ));
                }
                String::new()
            });
        }
    }
    errors
}

/// Runs the checks of [`build`] without rendering. Returns the number of pages.
pub fn check(root: &Path) -> Result<usize> {
    Ok(read(root)?.book.pages.len())
}

/// Builds the book of the repository `root`. The destination is replaced only when all went well.
pub fn build(root: &Path, options: &Options) -> Result<Report> {
    let start = Instant::now();
    let root = root
        .canonicalize()
        .with_context(|| format!("cannot find {}", root.display()))?;
    let content = read(&root)?;
    let dest = options
        .dest
        .clone()
        .unwrap_or_else(|| root.join("book/build"));
    let parent = dest
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent)
        .with_context(|| format!("cannot create {}", parent.display()))?;
    let working = tempfile::Builder::new()
        .prefix(".book-")
        .tempdir_in(parent)?;
    let folder = working.path().join("book").to_path_buf();
    for language in &options.languages {
        build_language(&root, &content, *language, &folder)?;
    }
    copy_folder(
        &root.join("book/theme/katex/fonts"),
        &folder,
        &options.languages,
    )?;
    copy_notebooks(&root, &content.book, &folder)?;
    let searchable = options.search.map_or(Ok(0), |index| index(&folder))?;
    swap(&folder, &dest, &working.path().join("old"))?;
    let cells = content
        .book
        .pages
        .iter()
        .map(|page| page.cells().count())
        .sum();
    Ok(Report {
        dest,
        pages: content.book.pages.len(),
        cells,
        searchable,
        time: start.elapsed(),
    })
}

/// Puts `new` in the place of `dest`; a reader meets one or the other, never half of it.
fn swap(new: &Path, dest: &Path, old: &Path) -> Result<()> {
    if dest.exists() {
        std::fs::rename(dest, old)
            .with_context(|| format!("cannot move the old book {} away", dest.display()))?;
    }
    std::fs::rename(new, dest)
        .with_context(|| format!("cannot move the finished book to {}", dest.display()))
}

fn configuration(root: &Path, language: Language, folder: &Path) -> Result<Config> {
    let file = root.join("book/book.toml");
    let mut config =
        Config::from_disk(&file).with_context(|| format!("cannot read {}", file.display()))?;
    config.book.language = Some(language.code().to_owned());
    config.build.build_dir = folder.to_owned();
    config.build.create_missing = false;
    config.build.use_default_preprocessors = false;
    config.set("output.html.search.enable", false)?;
    config.set("output.html.playground.runnable", false)?;
    config.set("output.html.hash-files", false)?;
    let site = if language.folder().is_empty() {
        "/".to_owned()
    } else {
        format!("/{}/", language.folder())
    };
    config.set("output.html.site-url", site)?;
    // The Run button belongs to the page server; its files are used where they are.
    for (key, name) in [
        ("additional-css", "theme/run.css"),
        ("additional-js", "theme/run.js"),
    ] {
        let key = format!("output.html.{key}");
        let mut files: Vec<String> = config.get(&key)?.unwrap_or_default();
        if root.join("book").join(name).is_file() && !files.iter().any(|file| file == name) {
            files.push(name.to_owned());
        }
        config.set(&key, files)?;
    }
    Ok(config)
}

fn build_language(root: &Path, content: &Content, language: Language, folder: &Path) -> Result<()> {
    let folder = folder.join(language.folder());
    let config = configuration(root, language, &folder)?;
    let book_root = root.join("book");
    let mut book =
        MDBook::load_with_config(&book_root, config).context("mdBook cannot load the book")?;
    let catalog = match language.catalogue() {
        None => None,
        Some(file) => Some(catalogue::read_for_build(language, &root.join(file))?),
    };
    let renderer = Renderer::new();
    let mut texts: HashMap<PathBuf, (String, Vec<Maths>)> = HashMap::new();
    for page in &content.prepared {
        let markdown = match &catalog {
            None => crate::maths::join(&page.lines),
            Some(catalog) => catalogue::translate(page, language, catalog)?,
        };
        texts.insert(page.path.clone(), formulas(page, &markdown, &renderer)?);
    }
    book.book.for_each_mut(|item| match item {
        BookItem::Chapter(chapter) => {
            if let Some((text, _)) = chapter.path.as_ref().and_then(|path| texts.get(path)) {
                chapter.content.clone_from(text);
            }
            if let Some(catalog) = &catalog {
                chapter.name = catalogue::translate_title(&chapter.name, catalog);
            }
        }
        BookItem::PartTitle(title) => {
            if let Some(catalog) = &catalog {
                *title = catalogue::translate_title(title, catalog);
            }
        }
        BookItem::Separator => {}
    });
    book.build()
        .map_err(|error| anyhow!("mdBook cannot build the book: {error:#}"))?;
    finish(root, content, language, &folder, &texts)
}

/// Renders the protected maths of `markdown` and leaves a marker for each formula.
fn formulas(page: &Prepared, markdown: &str, renderer: &Renderer) -> Result<(String, Vec<Maths>)> {
    let mut maths = Vec::new();
    let mut problem = None;
    let text = replace(markdown, |tex, display| {
        match renderer.render(tex, display) {
            Ok(html) => {
                // A search finds words, not the many spans of a formula.
                let html = html.replacen("<span ", "<span data-pagefind-ignore ", 1);
                maths.push(Maths {
                    tex: tex.to_owned(),
                    html,
                });
            }
            Err(message) => {
                problem = Some(anyhow!(
                    "book/src/{}: `{tex}`: {message}",
                    page.path.display()
                ))
            }
        }
        marker(page.slots.len() + maths.len().saturating_sub(1))
    });
    match problem {
        Some(problem) => Err(problem),
        None => Ok((text, maths)),
    }
}

fn finish(
    root: &Path,
    content: &Content,
    language: Language,
    folder: &Path,
    texts: &HashMap<PathBuf, (String, Vec<Maths>)>,
) -> Result<()> {
    let source = root.join("book/src");
    for (index, page) in content.book.pages.iter().enumerate() {
        let Some((_, maths)) = texts.get(&page.path) else {
            continue;
        };
        let finish = Finish {
            path: &page.path,
            front: &page.front,
            language,
            slots: &content.prepared[index].slots,
            maths,
            outputs: &content.outputs[index],
            notebook: root.join(notebook_path(&page.path)).is_file(),
            source: &source,
        };
        let mut files = vec![(folder.join(page.path.with_extension("html")), false)];
        if index == 0 {
            files.push((folder.join("index.html"), true));
        }
        for (file, home) in files {
            let html = std::fs::read_to_string(&file)
                .with_context(|| format!("cannot read {}", file.display()))?;
            let html = finish.frame(&finish.fill(&html)?, home)?;
            std::fs::write(&file, html)
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
    }
    finish_not_found(language, folder)?;
    finish_script(language, folder)
}

/// The page for addresses that lead nowhere has mdBook's words only.
fn finish_not_found(language: Language, folder: &Path) -> Result<()> {
    let file = folder.join("404.html");
    if let Ok(html) = std::fs::read_to_string(&file) {
        std::fs::write(&file, translate_frame(html, language))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// mdBook's script writes titles of its own: in another language it must do so in that language.
fn finish_script(language: Language, folder: &Path) -> Result<()> {
    let file = folder.join("book.js");
    let mut script = std::fs::read_to_string(&file)
        .with_context(|| format!("cannot read {}", file.display()))?;
    for (english, own) in language.words().script {
        if !script.contains(english) {
            bail!("mdBook's book.js has no `{english}` any more; adapt kindling-book/src/language");
        }
        script = script.replace(english, own);
    }
    std::fs::write(&file, script).with_context(|| format!("cannot write {}", file.display()))
}

/// Copies the fonts of KaTeX next to its stylesheet in every language.
fn copy_folder(fonts: &Path, folder: &Path, languages: &[Language]) -> Result<()> {
    if !fonts.is_dir() {
        return Ok(());
    }
    for language in languages {
        let target = folder.join(language.folder()).join("theme/katex/fonts");
        std::fs::create_dir_all(&target)?;
        for file in std::fs::read_dir(fonts)? {
            let file = file?;
            std::fs::copy(file.path(), target.join(file.file_name()))?;
        }
    }
    Ok(())
}

fn copy_notebooks(root: &Path, book: &Book, folder: &Path) -> Result<()> {
    for page in &book.pages {
        let path = notebook_path(&page.path);
        if !root.join(&path).is_file() {
            continue;
        }
        let target = folder.join(&path);
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::copy(root.join(&path), &target)
            .with_context(|| format!("cannot copy {}", path.display()))?;
    }
    Ok(())
}
