//! `course kernel`: prepares the notebook kernel, and is the process that Jupyter starts.

use anyhow::{Context, Result, bail};
use kindling_kernel::{EVCXR_VERSION, Home, front, is_prepared, prepare, standard_library};
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
    },
}

/// Runs `course kernel`.
pub fn run(args: Args) -> Result<()> {
    match args.command {
        Command::Prepare => prepare_kernel(&home()?),
        Command::Status => status(&home()?),
        Command::Front { connection_file } => serve_front(&connection_file),
    }
}

/// The home of the repository that this command stands in.
pub fn home() -> Result<Home> {
    Ok(Home::locate(&crate::repository()?))
}

/// Prepares the kernel with this program as its front.
pub fn prepare_kernel(home: &Home) -> Result<()> {
    let course = std::env::current_exe().context("cannot find this program's own file")?;
    prepare(home, &course)
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
    say(
        is_prepared(home),
        "Candle and the course's crate, compiled for the kernel",
    );
    if !is_prepared(home) {
        bail!("the kernel is not prepared; run `cargo course kernel prepare`");
    }
    Ok(())
}

fn serve_front(connection_file: &Path) -> Result<()> {
    // Jupyter starts the front anywhere; the kernelspec says which repository it serves.
    let home = match std::env::var_os("KINDLING_REPOSITORY") {
        Some(repository) => Home::locate(Path::new(&repository)),
        None => home()?,
    };
    tokio::runtime::Runtime::new()?.block_on(front(&home, connection_file))
}
