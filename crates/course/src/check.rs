//! `course check`: everything that must be in step with the pages, and the pages themselves.
//!
//! Nothing is built or changed. Each step reports all it finds, with page and line, before the next one starts.

pub mod format;
mod lint;

use anyhow::{Result, bail};
use kindling_pages::{Book, CellKind, PageError};
use std::fmt::Write as _;
use std::path::Path;

/// Check pages, notebooks, translations, formatting and lints; change nothing.
#[derive(Debug, Default, clap::Args)]
pub struct Args {
    /// Leave out clippy, the one step that waits for the compiler
    #[arg(long)]
    pub no_clippy: bool,
}

/// Runs the command.
pub fn run(args: Args) -> Result<()> {
    let root = crate::repository::root()?;
    let book = Book::open(&root)?;
    let mut steps: Vec<(&str, Step)> = vec![
        ("cells", Box::new(cells)),
        ("pages", Box::new(|book| pages(&book.root))),
        ("notebooks", Box::new(notebooks)),
        ("translations", Box::new(|book| translations(&book.root))),
        ("rustfmt", Box::new(format::check)),
    ];
    if !args.no_clippy {
        steps.push(("clippy", Box::new(|book| lint::check(&book.root))));
    }
    let mut failed = Vec::new();
    for (name, step) in steps {
        match step(&book) {
            Ok(summary) => println!("ok      {name}: {summary}"),
            Err(problem) => {
                println!("FAILED  {name}:\n{}", indented(&format!("{problem:#}")));
                failed.push(name);
            }
        }
    }
    if !failed.is_empty() {
        bail!(
            "{} of the checks failed: {}",
            failed.len(),
            failed.join(", ")
        );
    }
    Ok(())
}

type Step = Box<dyn Fn(&Book) -> Result<String>>;

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

/// Counts the cells; a cell that is only shown must say why.
fn cells(book: &Book) -> Result<String> {
    let count = |kinds: &[CellKind]| {
        let cells = book.lessons().flat_map(|page| page.cells());
        cells.filter(|cell| kinds.contains(&cell.kind)).count()
    };
    let lessons = book.lessons().filter(|page| page.cells().next().is_some());
    let mut summary = format!(
        "{} doctested on {} pages ({} run, {} compiled only, {} must fail), {} only shown",
        count(&[
            CellKind::Run,
            CellKind::NoRun,
            CellKind::CompileFail,
            CellKind::ShouldPanic
        ]),
        lessons.count(),
        count(&[CellKind::Run]),
        count(&[CellKind::NoRun]),
        count(&[CellKind::CompileFail, CellKind::ShouldPanic]),
        count(&[CellKind::Ignore]),
    );
    for page in book.lessons() {
        for cell in page.cells().filter(|cell| cell.kind == CellKind::Ignore) {
            let reason = cell.tags.reason.as_deref().unwrap_or_default();
            write!(
                summary,
                "\n        {}:{}: {reason}",
                page.shown_path().display(),
                cell.fence_line
            )?;
        }
    }
    Ok(summary)
}

fn pages(root: &Path) -> Result<String> {
    let pages = kindling_book::check(root)?;
    Ok(format!(
        "{pages} with sound links, pictures, formulas and fences"
    ))
}

fn notebooks(book: &Book) -> Result<String> {
    let mut problems = Vec::new();
    let mut count = 0;
    for page in book
        .lessons()
        .filter(|page| crate::notebooks::has_notebook(page))
    {
        count += 1;
        if let Err(problem) = crate::notebooks::check_source(book, page) {
            problems.push(format!("{problem:#}"));
        }
    }
    if let Err(problem) = crate::notebooks::check_orphans(book) {
        problems.push(format!("{problem:#}"));
    }
    all_well(problems, &format!("{count} in step with their pages"))
}

fn translations(root: &Path) -> Result<String> {
    let (mut problems, mut summary) = (Vec::new(), Vec::new());
    for language in kindling_book::Language::translated() {
        let coverage = kindling_book::coverage(root, language)?;
        problems.extend(coverage.missing());
        problems.extend(kindling_book::check_translations(root, language)?);
        if kindling_book::catalogue_is_stale(root, language)? {
            let file = language.catalogue().unwrap_or_default();
            let advice = "is not in step with the pages; run `cargo course sync`";
            problems.push(format!("{file} {advice}"));
        }
        summary.push(coverage.to_string());
    }
    all_well(problems, &summary.join("\n"))
}

/// The summary, or an error with every problem on lines of its own.
fn all_well(problems: Vec<String>, summary: &str) -> Result<String> {
    if problems.is_empty() {
        return Ok(summary.to_owned());
    }
    bail!("{}", problems.join("\n"))
}

/// The same for problems that know their page and line.
fn all_placed(problems: Vec<PageError>, summary: &str) -> Result<String> {
    all_well(problems.iter().map(PageError::to_string).collect(), summary)
}
