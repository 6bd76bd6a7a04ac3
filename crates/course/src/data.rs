//! `cargo course data`: what can be downloaded, and whether it arrived whole.

use anyhow::{Result, bail};
use kindling_fetch::{Dataset, Manifest, Store};

/// List, download and check the data sets.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Say what there is, how large, under which licence, and whether it is on this machine
    List,
    /// Download a data set, unless it is here already
    Fetch {
        /// Its name, as `list` shows it; without one, all of them
        name: Option<String>,
    },
    /// Compare every file on this machine with its SHA-256
    Verify {
        /// Its name; without one, all of them
        name: Option<String>,
    },
    /// Print where the files of a data set are
    Path {
        /// Its name
        name: String,
    },
}

/// Runs `cargo course data`.
pub fn run(args: Args) -> Result<()> {
    let manifest = Manifest::builtin()?;
    let store = Store::from_env();
    match args.command {
        Command::List => {
            for dataset in &manifest.datasets {
                list(&store, dataset);
            }
            Ok(())
        }
        Command::Fetch { name } => {
            for dataset in chosen(&manifest, name.as_deref())? {
                fetch(&store, dataset)?;
            }
            Ok(())
        }
        Command::Verify { name } => verify(&store, &chosen(&manifest, name.as_deref())?),
        Command::Path { name } => path(&store, manifest.dataset(&name)?),
    }
}

fn chosen<'a>(manifest: &'a Manifest, name: Option<&str>) -> Result<Vec<&'a Dataset>> {
    Ok(match name {
        Some(name) => vec![manifest.dataset(name)?],
        None => manifest.datasets.iter().collect(),
    })
}

fn list(store: &Store, dataset: &Dataset) {
    let here = dataset
        .files
        .iter()
        .filter(|file| matches!(store.look(dataset, file), Ok(Some(_))))
        .count();
    let state = match here {
        0 => "not on this machine".to_owned(),
        all if all == dataset.files.len() => "on this machine".to_owned(),
        some => format!("{some} of {} files on this machine", dataset.files.len()),
    };
    println!("{}  {}", dataset.name, dataset.title);
    println!(
        "    {:.1} MB, {}, {state}",
        dataset.bytes() as f64 / 1e6,
        dataset.licence
    );
    println!("    {}", dataset.source);
}

fn fetch(store: &Store, dataset: &Dataset) -> Result<()> {
    for file in &dataset.files {
        let found = store.read(dataset, file)?;
        for note in &found.notes {
            eprintln!("note: {note}");
        }
        println!(
            "{}/{}: from the {}, {}",
            dataset.name,
            file.name,
            found.source,
            found.path.display()
        );
    }
    Ok(())
}

fn verify(store: &Store, datasets: &[&Dataset]) -> Result<()> {
    let mut damaged = 0;
    for dataset in datasets {
        for file in &dataset.files {
            let name = format!("{}/{}", dataset.name, file.name);
            match store.look(dataset, file) {
                Ok(Some(found)) => println!("{name}: right ({})", found.path.display()),
                Ok(None) => println!("{name}: not on this machine"),
                Err(error) => {
                    damaged += 1;
                    println!("{name}: wrong: {error}");
                }
            }
        }
    }
    if damaged == 0 {
        return Ok(());
    }
    bail!("{damaged} damaged files; `cargo course data fetch` replaces them");
}

fn path(store: &Store, dataset: &Dataset) -> Result<()> {
    for file in &dataset.files {
        match store.look(dataset, file)? {
            Some(found) => println!("{}", found.path.display()),
            None => bail!(
                "{}/{} is not on this machine; run `cargo course data fetch {}`",
                dataset.name,
                file.name,
                dataset.name
            ),
        }
    }
    Ok(())
}
