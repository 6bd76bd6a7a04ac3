//! `course kernel`: prepares the notebook kernel, and is the process that Jupyter starts.

use anyhow::{Context, Result, bail};
use kindling_kernel::{
    Crates, EVCXR_VERSION, Home, front, is_prepared_for, prepare_for, standard_library,
};
use kindling_pages::{Book, Page};
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
    Prepare,
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
        Command::Prepare => {
            let home = home()?;
            prepare_kernel(&home, &[Crates::Course])?;
            // A learner runs cells by now: what few pages need lets them go first.
            #[cfg(unix)]
            let _ = rustix::process::nice(10);
            prepare_kernel(&home, &needed(&home))
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

/// Prepares these kernels with this program as their front.
pub fn prepare_kernel(home: &Home, kernels: &[Crates]) -> Result<()> {
    let course = std::env::current_exe().context("cannot find this program's own file")?;
    kernels
        .iter()
        .try_for_each(|crates| prepare_for(home, &course, *crates))
}

/// The kernels that the pages of the book need, the one for most of them first.
pub fn needed(home: &Home) -> Vec<Crates> {
    let mut needed = vec![Crates::Course];
    // A page that cannot be read is for whoever reads pages to name; it stops no kernel.
    if let Ok(book) = Book::open(home.repository()) {
        needed.extend(book.lessons().filter_map(|page| crates_of(page).ok()));
    }
    needed.sort();
    needed.dedup();
    needed
}

/// What the kernel of `page` starts with.
pub fn crates_of(page: &Page) -> Result<Crates> {
    known(page.front.crates.as_deref())
}

/// The kernel that has the crate `extra`.
pub fn known(extra: Option<&str>) -> Result<Crates> {
    Crates::with(extra).with_context(|| {
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
    let mut all = true;
    for crates in needed(home) {
        let what = match crates.extra() {
            None => "Candle and the course's crate, compiled for the kernel".to_owned(),
            Some(extra) => format!("{extra}, compiled for the kernel of pages that use it"),
        };
        let ready = is_prepared_for(home, crates);
        say(ready, &what);
        all &= ready;
    }
    if !all {
        bail!("the kernel is not prepared; run `cargo course kernel prepare`");
    }
    Ok(())
}

fn serve_front(connection_file: &Path, crates: Crates) -> Result<()> {
    // Jupyter starts the front anywhere; the kernelspec says which repository it serves.
    let home = match std::env::var_os("KINDLING_REPOSITORY") {
        Some(repository) => Home::locate(Path::new(&repository)),
        None => home()?,
    };
    tokio::runtime::Runtime::new()?.block_on(front(&home, connection_file, crates))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crate_that_a_page_may_ask_for_has_a_kernel() {
        for name in kindling_pages::EXTRA_CRATES {
            assert_eq!(known(Some(name)).unwrap().extra(), Some(name));
        }
        let kernels = kindling_pages::EXTRA_CRATES.len() + 1;
        assert_eq!(Crates::ALL.len(), kernels);
        let error = known(Some("serde")).unwrap_err().to_string();
        assert_eq!(error, "there is no kernel with the crate `serde`");
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
        assert_eq!(needed(&home), [Crates::Course]);
        std::fs::write(source.join("b.md"), page("crates: kindling-tables\n")).unwrap();
        assert_eq!(needed(&home), [Crates::Course, Crates::Tables]);
    }
}
