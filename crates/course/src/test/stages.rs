//! The stages: what each checks, of which units it is made, and the command that runs them.

use super::inputs::Unit;
use super::workspace::{Package, Workspace};
use super::wrapper::{COMMAND, PROVEN, RUSTDOC};
use crate::cargo::{self, Kind};
use anyhow::{Context, Result};
use kindling_pages::Page;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One thing to check: a name and what it says.
#[derive(Debug)]
pub struct Stage {
    pub name: &'static str,
    pub what: &'static str,
    /// Only with `--full`.
    pub full: bool,
    pub work: Work,
}

/// What a stage does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    Format,
    /// A command of `course`.
    Course(&'static [&'static str]),
    Lints,
    Tools,
    /// The tools that are compiled on their own.
    Alone,
    KernelKind,
    /// The pages are compiled as programs: the stage of notebooks runs their cells.
    Pages,
    /// The pages run as programs.
    Programs,
    Notebooks,
    EndToEnd,
    Ignored,
}

/// All stages, in the order that fails fastest.
pub const STAGES: &[Stage] = &[
    stage("format", "rustfmt finds nothing to change", Work::Format),
    stage(
        "check",
        "pages, notebooks and translations are in step",
        Work::Course(&["check"]),
    ),
    stage(
        "book",
        "the book builds, and no link is broken",
        Work::Course(&["book"]),
    ),
    stage("lints", "clippy finds nothing", Work::Lints),
    stage(
        "kernel",
        "the notebook kernel is prepared",
        Work::Course(&["kernel", "prepare", "--all"]),
    ),
    stage(
        "tools",
        "the tools' own tests, on the real kernel",
        Work::Tools,
    ),
    stage(
        "alone",
        "the tests of the tools that are compiled on their own",
        Work::Alone,
    ),
    stage(
        "crates",
        "the tests of the crates that compute",
        Work::KernelKind,
    ),
    stage(
        "pages",
        "every page compiles as one program, and the examples of the crates run",
        Work::Pages,
    ),
    stage(
        "notebooks",
        "every cell runs on the kernel and shows what is stored",
        Work::Notebooks,
    ),
    stage(
        "end-to-end",
        "the book in a browser, notebooks in Jupyter, the command line",
        Work::EndToEnd,
    ),
    // Each page trains for as long again as on the kernel, where its cells run for each change.
    Stage {
        full: true,
        ..stage("programs", "every page runs as one program", Work::Programs)
    },
    Stage {
        full: true,
        ..stage(
            "fresh-clone",
            "both commands in a fresh clone",
            Work::Ignored,
        )
    },
    Stage {
        full: true,
        ..stage(
            "speed",
            "the kernel beside stock evcxr",
            Work::Course(&["bench", "kernel"]),
        )
    },
];

const fn stage(name: &'static str, what: &'static str, work: Work) -> Stage {
    Stage {
        name,
        what,
        full: false,
        work,
    }
}

/// The package whose doctests are the pages.
const LESSONS: &str = "kindling-lessons";

/// The variable that makes the pages' doctests be compiled and not run.
pub const COMPILED_ONLY: &str = "KINDLING_LESSONS_COMPILED_ONLY";

impl Stage {
    /// What it is made of, where that can be proven: what a stage prepares, or measures, it does each time.
    pub fn units(&self, workspace: &Workspace, pages: &[Page]) -> Vec<Unit> {
        let packages = |packages: &mut dyn Iterator<Item = &Package>| {
            packages
                .map(|package| Unit::Package(package.name.clone()))
                .collect()
        };
        let lessons = |has: &dyn Fn(&Page) -> bool| {
            let pages = pages.iter().filter(|page| page.is_complete() && has(page));
            pages.map(|page| Unit::Page(page.path.clone())).collect()
        };
        match self.work {
            Work::Course(["check"]) | Work::Lints => vec![Unit::Repository],
            Work::Format | Work::Course(_) | Work::Ignored => Vec::new(),
            Work::Tools => packages(&mut workspace.tools()),
            Work::Alone => packages(&mut workspace.alone()),
            Work::KernelKind => packages(&mut workspace.computing()),
            Work::Pages => {
                let documented = workspace.packages.iter().filter(|package| {
                    package.documented && package.name != LESSONS && !package.is_end_to_end()
                });
                let mut units: Vec<Unit> =
                    packages(&mut documented.filter(|package| package.computes));
                units.extend::<Vec<Unit>>(lessons(&|page| page.cells().next().is_some()));
                units
            }
            Work::Programs => lessons(&|page| page.cells().next().is_some()),
            Work::Notebooks => lessons(&crate::notebooks::has_notebook),
            Work::EndToEnd => {
                let programs = workspace.end_to_end().flat_map(|package| {
                    package.tests.iter().map(|program| Unit::Program {
                        package: package.name.clone(),
                        program: program.clone(),
                    })
                });
                programs.collect()
            }
        }
    }

    /// Whether what it does before its tests start is compiling: all of it is, where there are none.
    pub fn only_compiles(&self) -> bool {
        matches!(self.work, Work::Lints | Work::Course(["kernel", ..]))
    }

    /// Whether it counts as one check where no test program counts for it.
    pub fn is_one_check(&self) -> bool {
        matches!(self.work, Work::Format | Work::Course(_) | Work::Lints)
    }

    /// Whether its tests must reach no network.
    fn is_offline(&self) -> bool {
        matches!(self.work, Work::Tools | Work::Alone | Work::KernelKind)
    }

    /// The command; `proven` need not run again.
    pub fn command(
        &self,
        root: &Path,
        workspace: &Workspace,
        units: &[Unit],
        proven: &BTreeSet<String>,
    ) -> Result<Command> {
        let own = crate::own::file()?;
        let course = |arguments: &[&str]| {
            let mut command = Command::new(own);
            command.args(arguments).current_dir(root);
            command
        };
        let mut command = match self.work {
            Work::Format => {
                let mut command = Command::new(cargo::program());
                command.args(["fmt", "--all", "--check"]).current_dir(root);
                command
            }
            Work::Course(arguments) => course(arguments),
            Work::Lints => {
                let mut command = cargo::command(Kind::Lint, root, "clippy")?;
                command.args(["--workspace", "--all-targets", "--", "-D", "warnings"]);
                command
            }
            Work::Tools => {
                // A tool is tested with all that it can do, its doctests included: it is quick to compile.
                let mut command = tests(Kind::Tool, root, own, proven, workspace.tools())?;
                command.arg("--all-features");
                command
            }
            // As the stage `book` compiles them.
            Work::Alone => tests(Kind::Tool, root, own, proven, workspace.alone())?,
            Work::KernelKind => {
                let mut command = tests(Kind::Computing, root, own, proven, workspace.computing())?;
                command.args(["--lib", "--bins", "--tests"]);
                command
            }
            Work::Pages => {
                let mut command = doctests(root, own, workspace, units, proven)?;
                command.env(COMPILED_ONLY, "1");
                command
            }
            Work::Programs => {
                let others = workspace.computing().map(|package| package.name.clone());
                let others = others.filter(|name| name != LESSONS);
                let proven: BTreeSet<String> = proven.iter().cloned().chain(others).collect();
                doctests(root, own, workspace, units, &proven)?
            }
            Work::Notebooks => {
                let mut command = course(&["notebooks", "--check", "--execute"]);
                if !proven.is_empty() {
                    command.args(pages_of(units, proven));
                }
                command
            }
            Work::EndToEnd => {
                let mut command = tests(Kind::Tool, root, own, proven, workspace.end_to_end())?;
                command.args(["--", "--test-threads=1"]);
                command
            }
            Work::Ignored => {
                let mut command = tests(Kind::Tool, root, own, proven, workspace.end_to_end())?;
                command.args(["--", "--ignored", "--test-threads=1"]);
                command
            }
        };
        if self.is_offline() {
            offline(&mut command);
        }
        Ok(command)
    }
}

/// Every unit of every stage.
#[cfg(test)]
pub fn units(workspace: &Workspace, pages: &[Page]) -> Vec<(&'static str, Unit)> {
    let of = |stage: &'static Stage| {
        let units = stage.units(workspace, pages).into_iter();
        units.map(|unit| (stage.name, unit))
    };
    STAGES.iter().flat_map(of).collect()
}

/// `cargo test` of these packages, all of them at each call; this program runs what is not proven.
fn tests<'a>(
    kind: Kind,
    root: &Path,
    own: &Path,
    proven: &BTreeSet<String>,
    packages: impl Iterator<Item = &'a Package>,
) -> Result<Command> {
    let mut command = cargo::command(kind, root, "test")?;
    command.arg("--no-fail-fast").arg("--config");
    command.arg(format!("target.{}.runner=[{own:?}, {COMMAND:?}]", host()?));
    for package in packages {
        command.args(["--package", &package.name]);
    }
    let proven: Vec<&str> = proven.iter().map(String::as_str).collect();
    through_wrapper(&mut command, own, &proven.join(","));
    Ok(command)
}

/// The doctests of all libraries that compute, with those packages chosen that the tests are compiled with.
fn doctests(
    root: &Path,
    own: &Path,
    workspace: &Workspace,
    units: &[Unit],
    proven: &BTreeSet<String>,
) -> Result<Command> {
    let mut command = cargo::command(Kind::Computing, root, "test")?;
    command.args(["--doc", "--no-fail-fast"]);
    for package in workspace.computing() {
        command.args(["--package", &package.name]);
    }
    let known = workspace.computing().map(|package| &package.name);
    let mut packages: Vec<String> = known
        .filter(|name| proven.contains(*name))
        .cloned()
        .collect();
    let pages = pages_of(units, proven);
    let all = units
        .iter()
        .filter(|unit| matches!(unit, Unit::Page(_)))
        .count();
    if pages.is_empty() {
        packages.push(LESSONS.to_owned());
    } else if pages.len() < all {
        let pages: Vec<String> = pages
            .iter()
            .map(|page| page.display().to_string())
            .collect();
        // Its build script writes only these: rustdoc compiles all that there is, whatever it is asked to run.
        command.env("KINDLING_LESSONS", pages.join(","));
    }
    through_wrapper(&mut command, own, &packages.join(","));
    Ok(command)
}

/// Lets this program stand for rustdoc, and tells it what is proven.
fn through_wrapper(command: &mut Command, own: &Path, proven: &str) {
    let real = std::env::var_os("RUSTDOC").unwrap_or_else(|| "rustdoc".into());
    command.env(PROVEN, proven);
    command.env(RUSTDOC, real).env("RUSTDOC", own);
}

/// The pages that are not proven, without their ends.
fn pages_of(units: &[Unit], proven: &BTreeSet<String>) -> Vec<PathBuf> {
    let pages = units.iter().filter_map(|unit| match unit {
        Unit::Page(path) if !proven.contains(&unit.name()) => Some(path.with_extension("")),
        _ => None,
    });
    pages.collect()
}

/// A test of a unit that asks a server other than its own fails at once.
fn offline(command: &mut Command) {
    const NOBODY: &str = "http://127.0.0.1:9";
    command.env("KINDLING_OFFLINE", "1");
    command.envs([("HTTPS_PROXY", NOBODY), ("https_proxy", NOBODY)]);
    command.env("HF_ENDPOINT", NOBODY);
    command.env("NO_PROXY", "127.0.0.1,localhost,::1");
}

fn host() -> Result<String> {
    let output = Command::new("rustc")
        .arg("-vV")
        .output()
        .context("cannot run rustc; install Rust with rustup")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` names no host")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::workspace::tests::sample;

    fn named(name: &str) -> &'static Stage {
        STAGES.iter().find(|stage| stage.name == name).unwrap()
    }

    fn words(command: &Command) -> Vec<String> {
        let words = command.get_args();
        words
            .map(|word| word.to_string_lossy().into_owned())
            .collect()
    }

    fn variable(command: &Command, name: &str) -> Option<String> {
        let mut all = command.get_envs();
        let (_, value) = all.find(|(known, _)| *known == name)?;
        Some(value?.to_string_lossy().into_owned())
    }

    fn pages() -> Vec<Page> {
        let page = |name: &str| {
            let source = "---\nstatus: complete\n---\n# T\n\n```rust\n1\n```\n";
            Page::parse(Path::new(name), source).unwrap()
        };
        vec![page("a/one.md"), page("a/two.md")]
    }

    #[test]
    fn a_stage_chooses_its_packages_from_the_workspace() {
        let workspace = sample();
        let command = |name: &str| {
            let stage = named(name);
            let units = stage.units(&workspace, &pages());
            stage
                .command(Path::new("/top"), &workspace, &units, &BTreeSet::new())
                .unwrap()
        };
        let packages = |name: &str| -> Vec<String> {
            let words = words(&command(name));
            let pairs = words.windows(2).filter(|pair| pair[0] == "--package");
            pairs.map(|pair| pair[1].clone()).collect()
        };
        assert_eq!(packages("tools"), ["base", "tool"]);
        assert_eq!(packages("alone"), ["index"]);
        assert_eq!(packages("crates"), ["net"]);
        assert_eq!(packages("pages"), ["net"]);
        assert_eq!(packages("end-to-end"), ["end"]);
        assert!(words(&command("kernel")).ends_with(&["prepare".to_owned(), "--all".to_owned()]));
        for (stage, offline) in [
            ("tools", true),
            ("crates", true),
            ("end-to-end", false),
            ("pages", false),
        ] {
            let found = variable(&command(stage), "KINDLING_OFFLINE").is_some();
            assert_eq!(found, offline, "{stage}");
        }
    }

    #[test]
    fn what_is_proven_is_left_to_the_wrapper_and_the_pages_to_the_build_script() {
        let workspace = sample();
        let stage = named("pages");
        let units = stage.units(&workspace, &pages());
        assert_eq!(units.len(), 3);
        let command = |proven: &[&str]| {
            let proven = proven.iter().map(|name| (*name).to_owned()).collect();
            stage
                .command(Path::new("/top"), &workspace, &units, &proven)
                .unwrap()
        };
        let one = command(&["net", "a/one"]);
        assert_eq!(variable(&one, "KINDLING_LESSONS").unwrap(), "a/two");
        assert_eq!(variable(&one, PROVEN).unwrap(), "net");
        let none = command(&["a/one", "a/two"]);
        assert_eq!(variable(&none, "KINDLING_LESSONS"), None);
        assert_eq!(variable(&none, PROVEN).unwrap(), LESSONS);
        assert_eq!(variable(&none, COMPILED_ONLY).as_deref(), Some("1"));

        let programs = named("programs");
        let units = programs.units(&workspace, &pages());
        let command = programs.command(Path::new("/top"), &workspace, &units, &BTreeSet::new());
        let command = command.unwrap();
        assert_eq!(variable(&command, PROVEN).unwrap(), "net");
        assert_eq!(variable(&command, COMPILED_ONLY), None);

        let notebooks = named("notebooks");
        let units = notebooks.units(&workspace, &pages());
        let proven = BTreeSet::from(["a/one".to_owned()]);
        let command = notebooks
            .command(Path::new("/top"), &workspace, &units, &proven)
            .unwrap();
        assert_eq!(
            words(&command),
            ["notebooks", "--check", "--execute", "a/two"]
        );
    }
}
