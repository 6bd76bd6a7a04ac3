//! `cargo course test`: all that CI runs, in the order that fails fastest.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Run everything that CI runs.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only these stages
    #[arg(long, value_name = "STAGE")]
    only: Vec<String>,

    /// All but these stages
    #[arg(long, value_name = "STAGE", conflicts_with = "only")]
    skip: Vec<String>,

    /// Also what takes too long for each change: both commands in a fresh clone, the kernel beside stock evcxr
    #[arg(long)]
    full: bool,

    /// Go on after a stage that failed
    #[arg(long)]
    keep_going: bool,

    /// List the stages
    #[arg(long)]
    list: bool,
}

/// One thing to check: a name, what it says, and the commands that must succeed.
struct Stage {
    name: &'static str,
    what: &'static str,
    commands: &'static [&'static [&'static str]],
    full: bool,
}

const TOOLS: &[&str] = &[
    "cargo",
    "test",
    "--quiet",
    "--profile",
    "tool",
    "-p",
    "kindling-pages",
    "-p",
    "kindling-book",
    "-p",
    "kindling-kernel",
    "-p",
    "course",
    "--lib",
    "--bins",
    "--tests",
];
const CRATES: &[&str] = &[
    "cargo",
    "test",
    "--quiet",
    "-p",
    "kindling",
    "-p",
    "kindling-fetch",
    "-p",
    "kindling-progress",
    "-p",
    "kindling-lessons",
    "-p",
    "kindling-tables",
    "-p",
    "kindling-pretrained",
    "-p",
    "course-program",
    "-p",
    "kindling-detection",
    "-p",
    "course-models",
    "-p",
    "course-language",
    "--features",
    "kindling-fetch/download",
    "--lib",
    "--bins",
    "--tests",
];
const PAGES: &[&str] = &[
    "cargo",
    "test",
    "--doc",
    "-p",
    "kindling",
    "-p",
    "kindling-fetch",
    "-p",
    "kindling-progress",
    "-p",
    "kindling-lessons",
    "-p",
    "kindling-tables",
    "-p",
    "kindling-pretrained",
    "-p",
    "kindling-detection",
];

const STAGES: &[Stage] = &[
    stage(
        "format",
        "rustfmt finds nothing to change",
        &[&["cargo", "fmt", "--all", "--check"]],
    ),
    stage(
        "check",
        "pages, notebooks and translations are in step",
        &[&["course", "check"]],
    ),
    stage(
        "book",
        "the book builds, and no link is broken",
        &[&["course", "book"]],
    ),
    stage(
        "lints",
        "clippy finds nothing",
        &[&[
            "cargo",
            "clippy",
            "--quiet",
            "--profile",
            "tool",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]],
    ),
    stage(
        "kernel",
        "the notebook kernel is prepared",
        &[&["course", "kernel", "prepare"]],
    ),
    stage(
        "tools",
        "the tools' own tests, on the real kernel",
        &[TOOLS],
    ),
    stage("crates", "the support crate's own tests", &[CRATES]),
    stage(
        "pages",
        "every page compiles and runs as one program",
        &[PAGES],
    ),
    stage(
        "notebooks",
        "every cell runs on the kernel and shows what is stored",
        &[&["course", "notebooks", "--check", "--execute"]],
    ),
    stage(
        "end-to-end",
        "the book in a browser, notebooks in Jupyter, the command line",
        &[&[
            "cargo",
            "test",
            "--quiet",
            "--profile",
            "tool",
            "-p",
            "kindling-tests",
            "--",
            "--test-threads=1",
        ]],
    ),
    Stage {
        name: "fresh-clone",
        what: "both commands in a fresh clone",
        commands: &[&[
            "cargo",
            "test",
            "--quiet",
            "--profile",
            "tool",
            "-p",
            "kindling-tests",
            "--",
            "--ignored",
            "--test-threads=1",
        ]],
        full: true,
    },
    Stage {
        name: "speed",
        what: "the kernel beside stock evcxr",
        commands: &[&["course", "bench", "kernel"]],
        full: true,
    },
];

const fn stage(
    name: &'static str,
    what: &'static str,
    commands: &'static [&'static [&'static str]],
) -> Stage {
    Stage {
        name,
        what,
        commands,
        full: false,
    }
}

/// What the runners counted.
#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    passed: usize,
    failed: usize,
    skipped: usize,
}

/// How a stage ended.
struct Outcome {
    name: &'static str,
    time: Duration,
    result: Result<()>,
    counts: Counts,
}

/// Runs the stages; fails when one of them does.
pub fn run(args: Args) -> Result<()> {
    let stages = chosen(&args)?;
    if args.list {
        for stage in STAGES {
            println!(
                "{:<12} {}{}",
                stage.name,
                stage.what,
                if stage.full {
                    " (only with --full)"
                } else {
                    ""
                }
            );
        }
        return Ok(());
    }
    let root = crate::repository()?;
    let mut outcomes = Vec::new();
    for stage in stages {
        println!("\n── {}: {}", stage.name, stage.what);
        let outcome = run_stage(stage, &root);
        let failed = outcome.result.is_err();
        if let Err(error) = &outcome.result {
            eprintln!("error: {error:#}");
        }
        outcomes.push(outcome);
        if failed && !args.keep_going {
            break;
        }
    }
    summary(&outcomes)
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

fn run_stage(stage: &Stage, root: &Path) -> Outcome {
    let started = Instant::now();
    let mut counts = Counts::default();
    let result = stage
        .commands
        .iter()
        .try_for_each(|command| run_command(command, root, &mut counts));
    if counts.passed + counts.failed == 0 {
        // A stage that is one check counts as one.
        match &result {
            Ok(()) => counts.passed = 1,
            Err(_) => counts.failed = 1,
        }
    } else if result.is_err() && counts.failed == 0 {
        counts.failed = 1;
    }
    Outcome {
        name: stage.name,
        time: started.elapsed(),
        result,
        counts,
    }
}

/// Runs one command, passes its output on and adds up what its tests counted.
fn run_command(words: &[&str], root: &Path, counts: &mut Counts) -> Result<()> {
    let program = match words[0] {
        "course" => std::env::current_exe()?,
        other => other.into(),
    };
    let (reader, writer) = std::io::pipe()?;
    let mut command = Command::new(program);
    command
        .args(&words[1..])
        .current_dir(root)
        .stdin(Stdio::null());
    command.stdout(writer.try_clone()?).stderr(writer);
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot run `{}`", words.join(" ")))?;
    drop(command);
    for line in BufReader::new(reader).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        counts.read(&line);
        println!("{line}");
    }
    std::io::stdout().flush()?;
    let status = child.wait()?;
    if !status.success() {
        bail!("`{}` failed ({status})", words.join(" "));
    }
    Ok(())
}

impl Counts {
    /// Reads a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; …`, or one that says a test was skipped.
    fn read(&mut self, line: &str) {
        if line.trim_start().starts_with("skipped: ") {
            self.skipped += 1;
        }
        let Some((_, numbers)) = line.trim_start().split_once("test result: ") else {
            return;
        };
        for part in numbers.split([';', '.']) {
            let mut words = part.split_whitespace();
            let (Some(number), Some(what)) = (
                words.next().and_then(|word| word.parse::<usize>().ok()),
                words.next(),
            ) else {
                continue;
            };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.skipped += number,
                _ => {}
            }
        }
    }
}

fn summary(outcomes: &[Outcome]) -> Result<()> {
    let mut total = Counts::default();
    println!("\n── summary");
    for outcome in outcomes {
        let word = if outcome.result.is_ok() {
            "ok"
        } else {
            "FAILED"
        };
        let Counts {
            passed,
            failed,
            skipped,
        } = outcome.counts;
        let seconds = outcome.time.as_secs_f64();
        println!(
            "{:<12} {word:<7} {seconds:>7.1} s   {passed} passed, {failed} failed, {skipped} skipped",
            outcome.name
        );
        total.passed += passed;
        total.failed += failed;
        total.skipped += skipped;
    }
    println!(
        "{} passed, {} failed, {} skipped",
        total.passed, total.failed, total.skipped
    );
    match outcomes.iter().find(|outcome| outcome.result.is_err()) {
        None => Ok(()),
        Some(outcome) => bail!(
            "the stage `{0}` failed; run it alone with `cargo course test --only {0}`",
            outcome.name
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runners_lines_are_added_up() {
        let mut counts = Counts::default();
        counts.read("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s");
        counts.read("test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured");
        counts.read("skipped: the kernel is not prepared");
        counts.read("nothing 7 passed");
        assert_eq!((counts.passed, counts.failed, counts.skipped), (5, 1, 2));
    }

    #[test]
    fn an_unknown_stage_is_named() {
        let args = Args {
            only: vec!["x".into()],
            skip: vec![],
            full: false,
            keep_going: false,
            list: false,
        };
        assert!(
            chosen(&args)
                .err()
                .unwrap()
                .to_string()
                .contains("there is no stage `x`; the stages are: format")
        );
    }
}
