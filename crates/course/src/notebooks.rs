//! `course notebooks`: writes the notebooks of the lessons, runs them, and compares.

mod compare;
mod execute;

use anyhow::{Context, Result, bail};
use execute::Cells;
use futures_util::{StreamExt, stream};
use kindling_pages::{
    Book, Page, fingerprint, mark_run, notebook, notebook_path, outputs_of, read_notebook, to_json,
    write_whole,
};
use nbformat::v4::Notebook;
use std::num::NonZero;
use std::path::{Path, PathBuf};

/// Write, run or compare the notebooks of the lessons.
#[derive(Debug, Default, clap::Args)]
pub struct Args {
    /// Compare instead of write: with the pages, and with --execute also the outputs
    #[arg(long)]
    pub check: bool,

    /// Run the cells on the real kernel: those of changed pages, or of all with --force or --check
    #[arg(long)]
    pub execute: bool,

    /// Run unchanged pages, too
    #[arg(long, requires = "execute")]
    pub force: bool,

    /// How many to run at once [default with --check: one for each core, at most 4; otherwise 1, because others running slow
    /// down what a cell measures]
    #[arg(long, requires = "execute", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub jobs: Option<u8>,

    /// Only these pages (such as algorithms/backpropagation)
    pub pages: Vec<PathBuf>,
}

/// Runs the command.
pub fn run(args: Args) -> Result<()> {
    let book = Book::open(&crate::repository()?)?;
    let lessons = chosen(&book, &args.pages)?;
    // Other pages' notebooks are not the business of a call that names its pages.
    if args.pages.is_empty() && !args.check {
        remove_orphans(&book)?;
    }
    let mut problems = Vec::new();
    if args.check && args.pages.is_empty() {
        problems.extend(check_orphans(&book).err());
    }
    if args.execute {
        let (run, rest): (Vec<&Page>, Vec<&Page>) = lessons.iter().partition(|page| {
            args.check
                || args.force
                || read_notebook(&book.root.join(notebook_path(&page.path)))
                    .map_or(true, |stored| needs_run(page, stored.as_ref()))
        });
        for page in rest {
            problems.extend(write_source(&book, page).err());
            println!(
                "{}: unchanged, not run again",
                notebook_path(&page.path).display()
            );
        }
        problems.extend(execute_pages(&book, &run, &args)?);
    } else {
        for page in &lessons {
            let result = if args.check {
                check_source(&book, page)
            } else {
                write_source(&book, page)
            };
            problems.extend(result.err());
        }
        println!(
            "{} notebooks {}",
            lessons.len(),
            if args.check { "compared" } else { "written" }
        );
    }
    if problems.is_empty() {
        return Ok(());
    }
    let problems: Vec<String> = problems
        .iter()
        .map(|problem| format!("{problem:#}"))
        .collect();
    bail!("{}", problems.join("\n"))
}

/// The lessons that the arguments name, or all.
fn chosen<'a>(book: &'a Book, names: &[PathBuf]) -> Result<Vec<&'a Page>> {
    if names.is_empty() {
        return Ok(book.lessons().filter(|page| has_notebook(page)).collect());
    }
    let find = |name: &PathBuf| {
        let page = book
            .page(name)
            .filter(|page| page.is_complete() && has_notebook(page));
        let known: Vec<String> = book
            .lessons()
            .filter(|page| has_notebook(page))
            .map(|page| page.path.with_extension("").display().to_string())
            .collect();
        page.with_context(|| {
            format!(
                "there is no lesson `{}`; the lessons are: {}",
                name.display(),
                known.join(", ")
            )
        })
    };
    names.iter().map(find).collect()
}

/// Whether a notebook is made from the page: it has cells that run.
pub fn has_notebook(page: &Page) -> bool {
    page.cells().any(kindling_pages::Cell::in_notebook)
}

impl Args {
    /// How many kernels run at once; each takes about a gigabyte.
    fn jobs(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, NonZero::get);
        match self.jobs {
            Some(jobs) => jobs.into(),
            None if self.check => cores().min(4),
            None => 1,
        }
    }
}

/// Runs the pages, each on a kernel of its own; returns what went wrong.
fn execute_pages(book: &Book, pages: &[&Page], args: &Args) -> Result<Vec<anyhow::Error>> {
    if pages.is_empty() {
        return Ok(Vec::new());
    }
    let home = crate::kernel::home()?;
    let mut kernels = Vec::new();
    for page in pages {
        kernels.push(crate::kernel::crates_of(page)?);
    }
    kernels.sort();
    kernels.dedup();
    crate::kernel::prepare_kernel(&home, &kernels)?;
    let cells = Cells::of(pages);
    let mut pages = pages.to_vec();
    if args.jobs() > 1 {
        // Else a long one that begins last runs alone at the end.
        pages.sort_by_key(|page| std::cmp::Reverse(page.front.minutes));
    }
    let run = |page| execute_page(book, page, &home, args.check, &cells);
    let all = stream::iter(pages).map(run).buffer_unordered(args.jobs());
    let results: Vec<Result<()>> = tokio::runtime::Runtime::new()?.block_on(all.collect());
    Ok(results.into_iter().filter_map(Result::err).collect())
}

async fn execute_page(
    book: &Book,
    page: &Page,
    home: &kindling_kernel::Home,
    check: bool,
    cells: &Cells,
) -> Result<()> {
    let path = book.root.join(notebook_path(&page.path));
    let shown = path_shown(&path, book);
    let stored = read_notebook(&path)?;
    if check {
        check_source(book, page)?;
    }
    let mut fresh = notebook(&book.root, page, stored.as_ref())?;
    let seconds = execute::run_cells(page, &mut fresh, home, cells).await?;
    let outcome = match stored.filter(|_| check) {
        Some(stored) => {
            compare::compare(page, &stored, &fresh)?;
            format!("the outputs are the same ({seconds:.0} s)")
        }
        None => {
            mark_run(&mut fresh, page);
            write(&path, &to_json(&fresh)?)?;
            format!("run in {seconds:.0} s")
        }
    };
    cells.progress.line(&format!("{shown}: {outcome}"));
    Ok(())
}

/// Whether the outputs are of another text of the page, or of none.
fn needs_run(page: &Page, stored: Option<&Notebook>) -> bool {
    stored.and_then(outputs_of) != Some(fingerprint(page).as_str())
}

fn write_source(book: &Book, page: &Page) -> Result<()> {
    let path = book.root.join(notebook_path(&page.path));
    let stored = read_notebook(&path)?;
    let fresh = notebook(&book.root, page, stored.as_ref())?;
    write(&path, &to_json(&fresh)?)
}

fn write(path: &Path, text: &str) -> Result<()> {
    write_whole(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}

/// Fails, naming page and cell, when the notebook is not the one that the page gives.
pub fn check_source(book: &Book, page: &Page) -> Result<()> {
    let path = book.root.join(notebook_path(&page.path));
    let shown = path_shown(&path, book);
    let advice = "run `cargo course sync`";
    let Some(stored) = read_notebook(&path)? else {
        bail!(
            "{}: {shown} is missing; {advice}",
            page.shown_path().display()
        );
    };
    let expected = notebook(&book.root, page, Some(&stored))?;
    if to_json(&expected)? == to_json(&stored)? {
        if needs_run(page, Some(&stored)) {
            bail!(
                "{}:1: the outputs in {shown} are not those of the page's cells; {advice}",
                page.shown_path().display()
            );
        }
        return Ok(());
    }
    let stale = |cell: &str, line: usize| {
        format!(
            "{}:{line}: cell `{cell}` of {shown} is stale; {advice}",
            page.shown_path().display()
        )
    };
    for cell in page.cells().filter(|cell| cell.in_notebook()) {
        let find = |notebook: &Notebook| {
            notebook
                .cells
                .iter()
                .find(|found| found.id().as_str() == cell.id)
                .map(|found| found.source().concat())
        };
        if find(&stored) != find(&expected) {
            bail!(stale(&cell.id, cell.line));
        }
    }
    let differs = expected
        .cells
        .iter()
        .zip(&stored.cells)
        .find(|(new, old)| new.id() != old.id() || new.source() != old.source());
    let name = differs.map_or("prose or metadata".to_owned(), |(new, _)| {
        new.id().to_string()
    });
    bail!(stale(&name, 1))
}

/// The notebooks that no page gives.
fn orphans(book: &Book) -> Result<Vec<PathBuf>> {
    let expected: Vec<PathBuf> = book
        .lessons()
        .filter(|page| has_notebook(page))
        .map(|page| notebook_path(&page.path))
        .collect();
    let mut found = Vec::new();
    collect(&book.root.join("notebooks"), &mut found)?;
    found.retain(|path| {
        path.strip_prefix(&book.root)
            .is_ok_and(|path| !expected.iter().any(|known| known == path))
    });
    Ok(found)
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Ok(());
    };
    for entry in entries {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() && !name.starts_with('.') {
            collect(&path, found)?;
        } else if path.extension().is_some_and(|end| end == "ipynb") {
            found.push(path);
        }
    }
    Ok(())
}

/// Fails when there is a notebook without a page.
pub fn check_orphans(book: &Book) -> Result<()> {
    if let Some(path) = orphans(book)?.first() {
        bail!(
            "{}: no lesson gives this notebook; run `cargo course sync` to remove it",
            path_shown(path, book)
        );
    }
    Ok(())
}

fn remove_orphans(book: &Book) -> Result<()> {
    for path in orphans(book)? {
        std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        println!("{}: removed, no lesson gives it", path_shown(&path, book));
    }
    Ok(())
}

fn path_shown(path: &Path, book: &Book) -> String {
    path.strip_prefix(&book.root)
        .unwrap_or(path)
        .display()
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "---\nstatus: complete\n---\n# T\n\nWords.\n\n```rust\n1 + 1\n```\n";

    /// A course of one page, with its notebook written as if it had been run.
    fn course(page: &str) -> (tempfile::TempDir, Book) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("book/src/a")).unwrap();
        std::fs::write(folder.path().join("book/src/SUMMARY.md"), "[T](a/b.md)\n").unwrap();
        std::fs::write(folder.path().join("book/src/a/b.md"), page).unwrap();
        let book = Book::open(folder.path()).unwrap();
        let mut ran = notebook(folder.path(), &book.pages[0], None).unwrap();
        mark_run(&mut ran, &book.pages[0]);
        write(
            &folder.path().join("notebooks/a/b.ipynb"),
            &to_json(&ran).unwrap(),
        )
        .unwrap();
        (folder, book)
    }

    fn check_after(edit: impl Fn(&Path)) -> Option<String> {
        let (folder, _) = course(PAGE);
        edit(folder.path());
        let book = Book::open(folder.path()).unwrap();
        check_source(&book, &book.pages[0])
            .err()
            .map(|error| error.to_string())
    }

    fn rewrite(root: &Path, from: &str, to: &str) {
        std::fs::write(root.join("book/src/a/b.md"), PAGE.replace(from, to)).unwrap();
    }

    #[test]
    fn a_notebook_in_step_passes() {
        assert_eq!(check_after(|_| ()), None);
    }

    #[test]
    fn a_stale_cell_is_named_with_page_and_line() {
        let error = check_after(|root| rewrite(root, "1 + 1", "1 + 2")).unwrap();
        assert!(
            error.starts_with("book/src/a/b.md:9: cell `t-1` of notebooks/a/b.ipynb is stale"),
            "{error}"
        );
    }

    #[test]
    fn stale_prose_is_named() {
        let error = check_after(|root| rewrite(root, "Words", "Other words")).unwrap();
        assert!(error.contains("cell `prose_t-1`"), "{error}");
    }

    #[test]
    fn outputs_of_older_code_are_named() {
        let error = check_after(|root| {
            rewrite(root, "1 + 1", "1 + 2");
            let book = Book::open(root).unwrap();
            write_source(&book, &book.pages[0]).unwrap();
        });
        assert!(
            error
                .unwrap()
                .contains("the outputs in notebooks/a/b.ipynb are not those of the page's cells")
        );
    }

    #[test]
    fn what_is_no_notebook_is_named() {
        let error =
            check_after(|root| std::fs::write(root.join("notebooks/a/b.ipynb"), "{oh").unwrap())
                .unwrap();
        assert!(
            error.contains("b.ipynb") && error.contains("this is not a notebook"),
            "{error}"
        );
    }

    #[test]
    fn a_notebook_without_a_page_is_named_and_removed() {
        let (folder, book) = course(PAGE);
        let left = folder.path().join("notebooks/a/gone.ipynb");
        std::fs::write(&left, "{}").unwrap();
        assert!(
            check_orphans(&book)
                .unwrap_err()
                .to_string()
                .starts_with("notebooks/a/gone.ipynb: ")
        );
        remove_orphans(&book).unwrap();
        assert!(!left.exists() && check_orphans(&book).is_ok());
    }
}
