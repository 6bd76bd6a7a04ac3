//! `cargo course test`: all that CI runs, in the order that fails fastest.

mod inputs;
mod output;
mod proofs;
mod reading;
mod say;
mod skips;
mod stages;
mod summary;
mod workspace;
pub mod wrapper;

use anyhow::{Context, Result, bail};
use inputs::{Inputs, Reach, Unit};
use kindling_pages::{Book, Page, strip_ansi};
use kindling_skip::Need;
use proofs::{Proof, Proofs};
use reading::Reading;
use say::Say;
use skips::{Notes, Skip};
use stages::{STAGES, Stage, Work};
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use summary::{Outcome, summary};
use workspace::Workspace;

/// The file in which `course` itself notes what it compiles, where its caller does not see cargo's lines.
const COMPILED: &str = "KINDLING_COMPILED";

/// Run everything that CI runs.
///
/// A package, page or notebook that passed without a skipped test is not run again until something that it depends on has
/// changed: its sources and those that it needs, the data that ships, the lock file, the toolchain, the variables that
/// name what is on this machine. What is reused is named, and is not counted as passed. `--all`, or `--only`, runs it again.
#[derive(Debug, Default, clap::Args)]
pub struct Args {
    /// Only these stages, and all of each
    #[arg(long, value_name = "STAGE")]
    only: Vec<String>,

    /// All but these stages
    #[arg(long, value_name = "STAGE", conflicts_with = "only")]
    skip: Vec<String>,

    /// Run again what passed before, too
    #[arg(long)]
    all: bool,

    /// A test that would be skipped fails: all such tests, or those that need one of mirror, browser, weights, kernel, python, root
    #[arg(
        long,
        value_name = "NEEDS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "all"
    )]
    strict: Option<String>,

    /// Also what takes too long for each change: the pages as programs, both commands in a fresh clone, the kernel beside stock evcxr
    #[arg(long)]
    full: bool,

    /// Go on after a stage that failed
    #[arg(long)]
    keep_going: bool,

    /// List the stages
    #[arg(long)]
    list: bool,
}

/// What all stages share.
struct Runner {
    root: PathBuf,
    workspace: Workspace,
    pages: Vec<Page>,
    proofs: Proofs,
    notes: Notes,
    /// Where `course` notes what it compiles.
    compiled: PathBuf,
    strict: Option<String>,
    reach: OnceCell<Rc<Reach>>,
    /// Whether what passed before need not run.
    reuses: bool,
}

/// Runs the stages; fails when one of them does.
pub fn run(args: Args) -> Result<()> {
    let stages = chosen(&args)?;
    if args.list {
        for stage in STAGES {
            let full = if stage.full {
                " (only with --full)"
            } else {
                ""
            };
            println!("{:<12} {}{full}", stage.name, stage.what);
        }
        return Ok(());
    }
    if let Some(strict) = &args.strict {
        kindling_skip::is_strict(strict, Need::Mirror)
            .map_err(|problem| anyhow::anyhow!(problem.replace("KINDLING_STRICT", "--strict")))?;
    }
    let mut runner = Runner::new(&args)?;
    let mut outcomes = Vec::new();
    for stage in stages {
        println!("\n── {}: {}", stage.name, stage.what);
        let outcome = runner.stage(stage);
        let failed = outcome.error.is_some();
        if let Some(error) = &outcome.error {
            eprintln!("error: {error}");
        }
        outcomes.push(outcome);
        if failed && !args.keep_going {
            break;
        }
    }
    runner.proofs.tidy();
    println!("\n── summary\n{}", summary(&outcomes));
    match outcomes.iter().find(|outcome| outcome.error.is_some()) {
        None => Ok(()),
        Some(outcome) => bail!(
            "the stage `{0}` failed; run it alone with `cargo course test --only {0}`",
            outcome.name
        ),
    }
}

fn chosen(args: &Args) -> Result<Vec<&'static Stage>> {
    for name in args.only.iter().chain(&args.skip) {
        if !STAGES.iter().any(|stage| stage.name == name) {
            let known: Vec<&str> = STAGES.iter().map(|stage| stage.name).collect();
            bail!(
                "there is no stage `{name}`; the stages are: {}",
                known.join(", ")
            );
        }
    }
    let wanted = |stage: &&Stage| {
        let named = args.only.iter().any(|name| name == stage.name);
        let skipped = args.skip.iter().any(|name| name == stage.name);
        if args.only.is_empty() {
            !skipped && (args.full || !stage.full)
        } else {
            named
        }
    };
    Ok(STAGES.iter().filter(wanted).collect())
}

impl Runner {
    fn new(args: &Args) -> Result<Self> {
        let root = crate::repository()?;
        let target = std::env::var_os("CARGO_TARGET_DIR");
        let folder = target
            .map_or(root.join("target"), |target| root.join(target))
            .join("kindling-passed");
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        // Two runs at once must not read each other's notes.
        let notes = folder.join(format!("{}.skips", std::process::id()));
        let failed = format!("cannot write {}", notes.display());
        Ok(Self {
            workspace: Workspace::read(&root)?,
            // A book that cannot be read is for the stage `check` to explain.
            pages: Book::open(&root).map(|book| book.pages).unwrap_or_default(),
            compiled: folder.join(format!("{}.compiled", std::process::id())),
            proofs: Proofs::at(folder),
            notes: Notes::new(notes).context(failed)?,
            strict: args.strict.clone(),
            reach: OnceCell::new(),
            reuses: !args.all && args.only.is_empty(),
            root,
        })
    }

    /// Runs one stage, less what is proven.
    fn stage(&mut self, stage: &'static Stage) -> Outcome {
        let mut outcome = Outcome {
            name: stage.name,
            ..Outcome::default()
        };
        let units = stage.units(&self.workspace, &self.pages);
        // Before anything runs: a file that is saved meanwhile must not count as tested.
        let keys = self.keys(stage, &units);
        if let Err(problem) = &keys {
            println!("nothing is reused: {problem:#}");
        }
        let keys = keys.unwrap_or_default();
        let mut proven = BTreeSet::new();
        for (unit, key) in units.iter().zip(&keys).filter(|_| self.reuses) {
            let name = format!("{} {}", stage.name, unit.name());
            if let Some(proof) = self.proofs.find(&name, key) {
                proven.insert(unit.name());
                outcome.reused.push(unit.name());
                outcome.skips.extend(proof.ignored);
            }
        }
        outcome.counts.reused = outcome.reused.len();
        if !units.is_empty() && proven.len() == units.len() {
            outcome.counts.skipped = outcome.skips.len();
            println!("nothing that it depends on has changed since it passed");
            return outcome;
        }
        let _ = std::fs::write(&self.compiled, "");
        let mut reading = Reading::new();
        let command = stage.command(&self.root, &self.workspace, &units, &proven);
        let result = command.and_then(|command| self.follow(stage, command, &mut reading));
        self.count(stage, &mut outcome, &mut reading, &result);
        self.keep(stage, &units, &keys, &proven, &reading, &outcome);
        outcome
    }

    fn keys(&self, stage: &Stage, units: &[Unit]) -> Result<Vec<String>> {
        if units.is_empty() {
            return Ok(Vec::new());
        }
        let inputs = Inputs::read(&self.root, &self.pages, &self.reach()?)?;
        let key = |unit| inputs.key(stage.name, unit);
        Ok(units.iter().map(key).collect())
    }

    fn reach(&self) -> Result<Rc<Reach>> {
        if let Some(reach) = self.reach.get() {
            return Ok(Rc::clone(reach));
        }
        let reach = Rc::new(Reach::find(&self.root, &self.workspace)?);
        Ok(Rc::clone(self.reach.get_or_init(|| reach)))
    }

    /// Fills in what the command printed and what its tests noted.
    fn count(
        &mut self,
        stage: &Stage,
        outcome: &mut Outcome,
        reading: &mut Reading,
        result: &Result<()>,
    ) {
        let noted = std::fs::read_to_string(&self.compiled).unwrap_or_default();
        for line in noted.lines() {
            let (word, name) = line.split_once(' ').unwrap_or_default();
            reading.compiles(name, word == "checked");
        }
        let fresh = self.notes.fresh();
        outcome.counts.passed += reading.counts.passed;
        outcome.counts.failed += reading.counts.failed;
        if outcome.counts.passed + outcome.counts.failed == 0 && stage.is_one_check() {
            outcome.counts.passed = usize::from(result.is_ok());
        }
        // To the harness a test that was skipped is one that passed.
        outcome.counts.passed = outcome.counts.passed.saturating_sub(fresh.len());
        outcome.skips.extend(fresh.iter().cloned());
        outcome.noted = fresh;
        outcome.skips.extend(reading.ignored.iter().cloned());
        outcome.counts.skipped = outcome.skips.len();
        if let Err(problem) = result {
            outcome.error = Some(format!("{problem:#}"));
            outcome.counts.failed = outcome.counts.failed.max(1);
        }
        (outcome.compiling, outcome.running) = reading.times(stage.only_compiles());
        outcome.crates = reading.crates.clone();
    }

    /// Keeps proofs of what passed, unless something has changed since it started.
    fn keep(
        &self,
        stage: &Stage,
        units: &[Unit],
        keys: &[String],
        proven: &BTreeSet<String>,
        reading: &Reading,
        outcome: &Outcome,
    ) {
        let Ok(after) = self.keys(stage, units) else {
            return;
        };
        for ((unit, key), after) in units.iter().zip(keys).zip(&after) {
            let name = unit.name();
            let package = match unit {
                Unit::Package(package) | Unit::Program { package, .. } => package.as_str(),
                Unit::Repository | Unit::Page(_) => "kindling-lessons",
            };
            let programs = match unit {
                Unit::Page(path) if matches!(stage.work, Work::Pages | Work::Programs) => {
                    let page = self.pages.iter().find(|page| page.path == *path);
                    page.map_or(1, |page| kindling_pages::doctests(page).len())
                }
                _ => 1,
            };
            let succeeded = outcome.error.is_none();
            let ignored: Vec<Skip> = match reading.passed(unit, succeeded, programs) {
                Some(found) if key == after && !proven.contains(&name) => found.ignored,
                _ => continue,
            };
            // A program that skips a test leaves the others of its package proven.
            let noted = |skip: &Skip| match unit {
                Unit::Program { program, .. } => {
                    skip.package == package && skip.program == *program
                }
                _ => skip.package == package,
            };
            if outcome.noted.iter().any(noted) {
                continue;
            }
            let proof = Proof {
                unit: format!("{} {name}", stage.name),
                passed: reading.units.get(&name).map_or(1, |found| found.passed),
                ignored,
            };
            if let Err(problem) = self.proofs.keep(key, &proof) {
                println!("{problem:#}");
                return;
            }
        }
    }

    /// Runs the command, shows what a person should see of it, and counts.
    fn follow(&self, stage: &Stage, mut command: Command, reading: &mut Reading) -> Result<()> {
        let shown = words(&command);
        command
            .env(kindling_skip::FILE, self.notes.file())
            .env(COMPILED, &self.compiled)
            .env("CARGO_TERM_PROGRESS_WHEN", "always")
            .env("CARGO_TERM_PROGRESS_WIDTH", "100");
        if let Some(strict) = &self.strict {
            command.env(kindling_skip::STRICT, strict);
        }
        follow(command, &shown, stage.name, reading, &mut Say::new())
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.notes.file());
        let _ = std::fs::remove_file(&self.compiled);
    }
}

fn words(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name();
    let words = program.into_iter().chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

/// Runs a command to its end; a line ends where a line does, or where the bar of cargo starts anew.
fn follow<W: std::io::Write>(
    mut command: Command,
    shown: &str,
    stage: &str,
    reading: &mut Reading,
    say: &mut Say<W>,
) -> Result<()> {
    let (reader, writer) = std::io::pipe()?;
    command.stdin(Stdio::null());
    command.stdout(writer.try_clone()?).stderr(writer);
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot run `{shown}`"))?;
    drop(command);
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        let mut line = Vec::new();
        for byte in BufReader::new(reader).bytes().map_while(Result::ok) {
            if byte != b'\n' && byte != b'\r' {
                line.push(byte);
                continue;
            }
            let text = strip_ansi(&String::from_utf8_lossy(&std::mem::take(&mut line)));
            if sender.send(text).is_err() {
                return;
            }
        }
        let _ = sender.send(strip_ansi(&String::from_utf8_lossy(&line)));
    });
    loop {
        match lines.recv_timeout(Duration::from_secs(1)) {
            Ok(line) => {
                if let Some(line) = reading.line(&line) {
                    say.line(&line);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        say.state(|| reading.state(stage));
    }
    say.clear();
    let status = child.wait()?;
    if !status.success() {
        bail!("`{shown}` failed ({status})");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
