//! `cargo course book`: build the book, check it, and help its translators.

use anyhow::{Result, bail};
use kindling_book::{Language, Options};
use kindling_kernel::Report;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Build the book in both languages, or check it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to put the finished book (default: `book/build`).
    #[arg(long, value_name = "FOLDER")]
    dest: Option<PathBuf>,

    /// Check pages, translations and their coverage; build nothing.
    #[arg(long, conflicts_with = "dest")]
    check: bool,

    /// Build without the search index: a little faster.
    #[arg(long)]
    no_search: bool,

    /// Only index the finished book, and tell how far that is on standard output (`course up` reads it).
    #[arg(long, hide = true, conflicts_with_all = ["dest", "check", "no_search"])]
    index: bool,

    /// Print the texts that wait for a translation, of one page or of `all`, as a catalogue of their own.
    #[arg(long, value_name = "PAGE", conflicts_with_all = ["dest", "check"])]
    untranslated: Option<PathBuf>,

    /// Take the translations of this catalogue into the book's own, such as `book/po/zh-CN.po`.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dest", "check", "untranslated"])]
    merge: Option<PathBuf>,

    /// The language to translate into, by its code.
    #[arg(long, value_name = "CODE", default_value = "zh-CN", value_parser = translated)]
    language: Language,
}

/// Runs the command in the repository that the current folder belongs to.
pub fn run(args: Args) -> Result<()> {
    let root = crate::repository()?;
    if args.index {
        let began = Instant::now();
        return crate::kernel::report(|tell| {
            crate::search::compile(&root, &mut |count| tell(&Report::of_search(count, began)))?;
            crate::search::index(&root.join("book/build")).map(drop)
        });
    }
    if let Some(page) = &args.untranslated {
        let page = (page != Path::new("all")).then_some(page.as_path());
        print!(
            "{}",
            kindling_book::untranslated(&root, args.language, page)?
        );
        return Ok(());
    }
    if let Some(file) = &args.merge {
        let taken = kindling_book::merge(&root, args.language, file)?;
        println!(
            "{taken} translations taken into {}",
            args.language.catalogue().unwrap_or_default()
        );
        return Ok(());
    }
    if args.check {
        return check(&root);
    }
    let options = Options {
        languages: Language::ALL.to_vec(),
        dest: args.dest,
        search: (!args.no_search).then_some(crate::search::compile_and_index as _),
    };
    let report = kindling_book::build(&root, &options)?;
    println!(
        "{} pages with {} cells, {} of them searchable in {} languages: {} ({:.1} s)",
        report.pages,
        report.cells,
        report.searchable,
        Language::ALL.len(),
        report.dest.display(),
        report.time.as_secs_f64()
    );
    Ok(())
}

/// Checks pages and translations; fails below 100 % of the complete pages.
pub fn check(root: &Path) -> Result<()> {
    let pages = kindling_book::check(root)?;
    println!("{pages} pages: links, pictures, formulas and fences are right");
    for language in Language::translated() {
        let coverage = kindling_book::coverage(root, language)?;
        println!("{coverage}");
        let mut problems = coverage.missing();
        problems.extend(kindling_book::check_translations(root, language)?);
        if !problems.is_empty() {
            bail!(
                "{}\n{} problems with the {} edition",
                problems.join("\n"),
                problems.len(),
                language.english_name()
            );
        }
    }
    Ok(())
}

/// The language with this code, if the pages are translated into it.
fn translated(code: &str) -> Result<Language, String> {
    let known: Vec<&str> = Language::translated().map(Language::code).collect();
    let found = Language::with_code(code).filter(|language| known.contains(&language.code()));
    found.ok_or_else(|| format!("the pages are translated into: {}", known.join(", ")))
}
