//! `course kernel`: prepares the notebook kernel, and is the process that Jupyter starts.

use anyhow::{Context, Result, bail};
use kindling_cargo::Line;
use kindling_kernel::{
    Doing, EVCXR_VERSION, Home, KernelKind, Report, front, is_prepared_for, prepare_all,
    standard_library,
};
use kindling_pages::{Book, Page};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Arguments of `course kernel`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Install the pinned kernel into the project's own folder and compile Candle for it (once)
    Prepare {
        /// And this crate, which few pages use: otherwise it is compiled when such a page is opened
        #[arg(long, value_name = "CRATE", conflicts_with = "all")]
        crates: Option<String>,

        /// And every crate that some page uses
        #[arg(long)]
        all: bool,

        /// Write how far it is to standard output, one JSON object a line (`course up` reads them)
        #[arg(long, hide = true)]
        report: bool,
    },
    /// Say what is ready
    Status,
    /// Serve one notebook (Jupyter starts this)
    Front {
        /// The file in which Jupyter describes the connection
        #[arg(long)]
        connection_file: PathBuf,

        /// The crate that the notebook uses besides those of every page
        #[arg(long, value_name = "CRATE")]
        crates: Option<String>,
    },
}

/// Runs `course kernel`.
pub fn run(args: Args) -> Result<()> {
    match args.command {
        Command::Prepare {
            crates,
            all,
            report,
        } => {
            let asked = known(crates.as_deref())?;
            let home = home()?;
            let kernels = if all { needed(&home) } else { vec![asked] };
            if report {
                prepare_and_report(&home, &kernels)
            } else {
                prepare_kernel(&home, &kernels)
            }
        }
        Command::Status => status(&home()?),
        Command::Front {
            connection_file,
            crates,
        } => serve_front(&connection_file, known(crates.as_deref())?),
    }
}

/// The home of the repository that this command stands in.
pub fn home() -> Result<Home> {
    Ok(Home::locate(&crate::repository()?))
}

/// Prepares these kernels, with a line that says how far it is.
pub fn prepare_kernel(home: &Home, kernels: &[KernelKind]) -> Result<()> {
    let mut line = Line::new();
    let mut told = false;
    let mut tell = |report: &Report| {
        told = true;
        line.show(&shown(report), report.share());
    };
    prepare_all(home, crate::own::file()?, kernels, &mut tell)?;
    drop(line);
    if told {
        eprintln!("The kernel is prepared");
    }
    Ok(())
}

/// The line that says how far the preparation is.
pub fn shown(report: &Report) -> String {
    match report.doing {
        Doing::Search => format!("Behind the book, {}", report.text()),
        _ => format!("Preparing the kernel, {}", report.text()),
    }
}

/// What a process that prepares kernels tells the one that started it, one object a line.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Told {
    /// How far it is.
    Progress(Report),
    /// Why it gave up.
    Failed(String),
}

fn prepare_and_report(home: &Home, kernels: &[KernelKind]) -> Result<()> {
    // A learner runs cells meanwhile: what few pages need lets them go first.
    #[cfg(unix)]
    if kernels.iter().any(|crates| *crates != KernelKind::COURSE) {
        let _ = rustix::process::nice(10);
    }
    let course = crate::own::file()?;
    report(|tell| prepare_all(home, course, kernels, tell))
}

/// Does some work, and tells on standard output how far it is and why it failed.
pub fn report(work: impl FnOnce(&mut dyn FnMut(&Report)) -> Result<()>) -> Result<()> {
    let tell = |told: &Told| {
        // Without a reader, the work goes on all the same.
        if let Ok(text) = serde_json::to_string(told) {
            let mut out = std::io::stdout().lock();
            let _ = writeln!(out, "{text}");
            let _ = out.flush();
        }
    };
    if let Err(error) = work(&mut |report| tell(&Told::Progress(report.clone()))) {
        // Who reads this shows it where the learner looks.
        tell(&Told::Failed(format!("{error:#}")));
        std::process::exit(1);
    }
    Ok(())
}

/// The kernels that the pages of the book need, the one for most of them first.
pub fn needed(home: &Home) -> Vec<KernelKind> {
    let mut needed = vec![KernelKind::COURSE];
    // A page that cannot be read is for whoever reads pages to name; it stops no kernel.
    if let Ok(book) = Book::open(home.repository()) {
        needed.extend(book.lessons().filter_map(|page| crates_of(page).ok()));
    }
    needed.sort();
    needed.dedup();
    needed
}

/// What the kernel of `page` starts with.
pub fn crates_of(page: &Page) -> Result<KernelKind> {
    known(page.front.crates.as_deref())
}

/// The kernel that has the crate `extra`.
pub fn known(extra: Option<&str>) -> Result<KernelKind> {
    KernelKind::with(extra).with_context(|| {
        format!(
            "there is no kernel with the crate `{}`",
            extra.unwrap_or("")
        )
    })
}

fn status(home: &Home) -> Result<()> {
    let say =
        |ready: bool, what: &str| println!("{} {what}", if ready { "ready  " } else { "missing" });
    say(
        home.evcxr().is_file(),
        &format!(
            "evcxr_jupyter {EVCXR_VERSION} at {}",
            home.evcxr().display()
        ),
    );
    say(
        standard_library().is_ok(),
        "the standard library's sources, for type inference",
    );
    home.refuse_unfit()?;
    let course = is_prepared_for(home, KernelKind::COURSE);
    say(
        course,
        "Candle and the course's crate, compiled for the kernel",
    );
    for crates in needed(home) {
        let Some(extra) = crates.extra() else {
            continue;
        };
        if is_prepared_for(home, crates) {
            say(
                true,
                &format!("{extra}, compiled for the kernel of pages that use it"),
            );
        } else {
            println!(
                "later   {extra}, compiled when a page that uses it is opened, or by `cargo course kernel prepare --crates {extra}`"
            );
        }
    }
    if !course {
        bail!("the kernel is not prepared; run `cargo course kernel prepare`");
    }
    Ok(())
}

fn serve_front(connection_file: &Path, crates: KernelKind) -> Result<()> {
    // Jupyter starts the front anywhere; the kernelspec says which repository it serves.
    let home = match std::env::var_os("KINDLING_REPOSITORY") {
        Some(repository) => Home::locate(Path::new(&repository)),
        None => home()?,
    };
    if !is_prepared_for(&home, crates) {
        // The notebook shows that it connects; how far it is stands where Jupyter was started.
        let parent = parent();
        prepare_kernel(&home, &[crates])?;
        if parent != self::parent() {
            return Ok(()); // Jupyter is gone: nobody waits for this kernel.
        }
    }
    tokio::runtime::Runtime::new()?.block_on(front(&home, connection_file, crates))
}

/// The process that started this one; another number once that has ended.
fn parent() -> u32 {
    #[cfg(unix)]
    return std::os::unix::process::parent_id();
    #[cfg(not(unix))]
    return 0;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crate_that_a_page_may_ask_for_has_a_kernel() {
        for row in kindling_pages::EXTRA_CRATES {
            assert_eq!(known(Some(row.name)).unwrap().extra(), Some(row.name));
        }
        let error = known(Some("serde")).unwrap_err().to_string();
        assert_eq!(error, "there is no kernel with the crate `serde`");
    }

    #[test]
    fn who_prepares_kernels_tells_one_object_a_line() {
        let failed = Told::Failed("no network\nat all".to_owned());
        let text = serde_json::to_string(&failed).unwrap();
        assert_eq!(text, r#"{"failed":"no network\nat all"}"#);
        assert_eq!(serde_json::from_str::<Told>(&text).unwrap(), failed);
    }

    #[test]
    fn kernels_are_prepared_for_the_pages_that_there_are() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("book/src");
        std::fs::create_dir_all(&source).unwrap();
        std::fs::write(source.join("SUMMARY.md"), "[A](a.md)\n[B](b.md)\n").unwrap();
        let page =
            |extra: &str| format!("---\n{extra}status: complete\n---\n# T\n\n```rust\n1\n```\n");
        std::fs::write(source.join("a.md"), page("")).unwrap();
        std::fs::write(source.join("b.md"), page("")).unwrap();
        let home = Home::locate(folder.path());
        assert_eq!(needed(&home), [KernelKind::COURSE]);
        std::fs::write(source.join("b.md"), page("crates: kindling-tables\n")).unwrap();
        let tables = known(Some("kindling-tables")).unwrap();
        assert_eq!(needed(&home), [KernelKind::COURSE, tables]);
    }
}
