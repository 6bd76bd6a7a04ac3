//! Adds up what a stage's command prints, and says which lines a person wants to see.

use super::inputs::Unit;
use super::output::{COUNTED, Line, read};
use super::skips::Skip;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// What was counted.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
    pub reused: usize,
}

/// What is known of one package, program or page.
#[derive(Debug, Default, Clone)]
pub struct Found {
    pub passed: usize,
    pub failed: usize,
    /// It ended, as each of its programs that started.
    open: usize,
    /// It has doctests: rustdoc writes more than one result, so only the command tells that they ended.
    documented: bool,
    pub ignored: Vec<Skip>,
}

/// Everything that one stage's command has printed so far.
#[derive(Debug)]
pub struct Reading {
    started: Instant,
    compiled_at: Option<Instant>,
    merged: Duration,
    pub counts: Counts,
    pub ignored: BTreeSet<Skip>,
    /// How often a crate was compiled and how often checked.
    pub crates: BTreeMap<&'static str, [usize; 2]>,
    pub units: BTreeMap<String, Found>,
    building: Option<(usize, usize, String)>,
    running: (String, String),
    /// Tests that passed since the last result line.
    passing: usize,
}

impl Reading {
    /// Nothing yet.
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            compiled_at: None,
            merged: Duration::ZERO,
            counts: Counts::default(),
            ignored: BTreeSet::new(),
            crates: BTreeMap::new(),
            units: BTreeMap::new(),
            building: None,
            running: Default::default(),
            passing: 0,
        }
    }

    /// Takes a line in; returns what of it a person should see.
    pub fn line(&mut self, line: &str) -> Option<String> {
        let (package, program) = self.running.clone();
        let own = format!("{package}/{program}");
        match read(line) {
            Line::Crate { name, checked } => self.compiles(name, checked),
            Line::Building { done, total, names } => {
                let name = names.split(',').next().unwrap_or(names).trim();
                self.building = Some((done, total, name.to_owned()));
            }
            Line::Finished | Line::Running => {
                self.compiled_at.get_or_insert_with(Instant::now);
                self.building = None;
            }
            Line::Unit { package, program } => {
                self.running = (package.to_owned(), program.to_owned());
                self.passing = 0;
                for unit in [package.to_owned(), format!("{package}/{program}")] {
                    let found = self.units.entry(unit).or_default();
                    found.open += 1;
                    found.documented |= program == "doctests";
                }
            }
            Line::Reused { .. } | Line::Noise => {}
            Line::Passed(test) => {
                self.passing += 1;
                if let Some(page) = page(test) {
                    self.units.entry(page).or_default().passed += 1;
                }
            }
            Line::Failed(test) => {
                if let Some(page) = page(test) {
                    self.units.entry(page).or_default().failed += 1;
                }
                return Some(line.trim_end().to_owned());
            }
            Line::Ignored { test, reason } => {
                let skip = Skip {
                    package,
                    program: String::new(),
                    test: test.to_owned(),
                    reason: if reason.is_empty() {
                        "ignored".to_owned()
                    } else {
                        reason.to_owned()
                    },
                };
                for unit in [skip.package.clone(), own] {
                    self.units
                        .entry(unit)
                        .or_default()
                        .ignored
                        .push(skip.clone());
                }
                self.ignored.insert(skip);
            }
            Line::Result {
                passed,
                failed,
                ignored,
            } => {
                self.passing = 0;
                self.counts.passed += passed;
                self.counts.failed += failed;
                for unit in [package.clone(), own] {
                    let found = self.units.entry(unit).or_default();
                    found.passed += passed;
                    found.failed += failed;
                    found.open = found.open.saturating_sub(1);
                }
                if passed + failed + ignored == 0 {
                    return None;
                }
                return Some(format!(
                    "{package} {program}: {passed} passed, {failed} failed, {ignored} ignored"
                ));
            }
            Line::Merged { hundredths } => self.merged += Duration::from_millis(10 * hundredths),
            Line::Notebook(notebook) => {
                let page = notebook.strip_prefix("notebooks/").unwrap_or(notebook);
                let page = page.strip_suffix(".ipynb").unwrap_or(page);
                self.units.entry(page.to_owned()).or_default().passed += 1;
                self.counts.passed += 1;
                return Some(line.trim_end().to_owned());
            }
            Line::Other => return Some(line.trim_end().to_owned()),
        }
        None
    }

    /// Notes that a crate is compiled or checked.
    pub fn compiles(&mut self, name: &str, checked: bool) {
        if let Some(name) = COUNTED.iter().find(|counted| **counted == name) {
            self.crates.entry(name).or_default()[usize::from(checked)] += 1;
        }
    }

    /// What the stage is doing, in a few words.
    pub fn state(&self, stage: &str) -> String {
        if let Some((done, total, name)) = &self.building {
            return format!("{stage}: compiling {done} of {total}: {name}");
        }
        let passed = self.counts.passed + self.passing;
        let (package, program) = &self.running;
        match (package.is_empty(), passed) {
            (true, _) => format!("{stage}: {:.0} s", self.started.elapsed().as_secs_f64()),
            (false, _) => format!("{stage}: testing {package} {program}, {passed} passed"),
        }
    }

    /// The time until all was compiled, and the time after.
    pub fn times(&self, only_compiles: bool) -> (Duration, Duration) {
        let all = self.started.elapsed();
        if only_compiles {
            return (all, Duration::ZERO);
        }
        let compiled = self
            .compiled_at
            .map_or(Duration::ZERO, |at| at - self.started);
        let compiled = (compiled + self.merged).min(all);
        (compiled, all - compiled)
    }

    /// What there is to prove of a unit: it ran to its end, and nothing failed; of a page, as many programs passed as it has.
    pub fn passed(&self, unit: &Unit, succeeded: bool, programs: usize) -> Option<Found> {
        let found = self.units.get(&unit.name()).cloned();
        match unit {
            Unit::Repository => succeeded.then(Found::default),
            Unit::Page(_) => found.filter(|found| found.failed == 0 && found.passed >= programs),
            Unit::Package(_) | Unit::Program { .. } => found.filter(|found| {
                found.failed == 0 && found.open == 0 && (succeeded || !found.documented)
            }),
        }
    }
}

/// The page whose doctest this is: `book/src/a/b.md - a_b (line 1)`, or `book/src/a/b-line-11.md - …`.
fn page(test: &str) -> Option<String> {
    let (file, _) = test.split_once(" - ")?;
    let (_, page) = file.rsplit_once("book/src/").map(|(_, page)| ((), page))?;
    let page = page.strip_suffix(".md")?;
    let is_line =
        |number: &str| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let page = match page.rsplit_once("-line-") {
        Some((page, number)) if is_line(number) => page,
        _ => page,
    };
    Some(page.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::wrapper::UNIT;

    fn reading(lines: &str) -> (Reading, Vec<String>) {
        let mut reading = Reading::new();
        let shown = lines
            .lines()
            .filter_map(|line| reading.line(line))
            .collect();
        (reading, shown)
    }

    fn package(name: &str) -> Unit {
        Unit::Package(name.to_owned())
    }

    #[test]
    fn results_belong_to_the_package_whose_tests_ran() {
        let (reading, shown) = reading(&format!(
            "   Compiling candle-core v0.11.1\n   Compiling candle-core-kernels v0.1.0\n    Checking polars-core v1.0.0\n    Finished x\n\
             {UNIT}a fit\nrunning 3 tests\ntest x ... ok\ntest y ... ignored, slow\n\ntest result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; finished in 1s\n\
             {UNIT}b lib\ntest z ... FAILED\nthread 'z' panicked\ntest result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured\n{UNIT}c lib\nerror: killed\n"
        ));
        assert_eq!((reading.counts.passed, reading.counts.failed), (2, 1));
        assert_eq!(reading.ignored.first().unwrap().shown(), "a y: slow");
        assert_eq!(
            reading
                .passed(&package("a"), false, 1)
                .unwrap()
                .ignored
                .len(),
            1
        );
        assert!(reading.passed(&package("b"), false, 1).is_none());
        assert!(
            reading.passed(&package("c"), false, 1).is_none(),
            "it did not end"
        );
        assert!(
            reading.passed(&package("d"), true, 1).is_none(),
            "it did not run"
        );
        let program = |program: &str| Unit::Program {
            package: "a".to_owned(),
            program: program.to_owned(),
        };
        assert!(reading.passed(&program("fit"), false, 1).is_some());
        assert!(reading.passed(&program("other"), true, 1).is_none());
        assert_eq!(reading.crates["candle-core"], [1, 0]);
        assert_eq!(reading.crates["polars-core"], [0, 1]);
        assert_eq!(
            shown,
            [
                "a fit: 2 passed, 0 failed, 1 ignored",
                "test z ... FAILED",
                "thread 'z' panicked",
                "b lib: 0 passed, 1 failed, 0 ignored",
                "error: killed"
            ]
        );
    }

    #[test]
    fn a_page_passes_with_all_its_programs() {
        let (reading, _) = reading(
            "test crates/x/book/src/a/b.md - a_b (line 1) ... ok\ntest book/src/a/b-line-11.md - a_b (line 5) - compile fail ... ok\n\
             test book/src/a/c.md - a_c (line 1) ... ok\ntest book/src/a/c-line-7.md - a_c (line 7) ... FAILED\nnotebooks/a/d.ipynb: the outputs are the same (3 s)",
        );
        let page = |name: &str| Unit::Page(name.into());
        assert_eq!(reading.passed(&page("a/b.md"), false, 2).unwrap().passed, 2);
        let more = reading.passed(&page("a/b.md"), true, 3);
        assert!(more.is_none(), "one of its programs did not run");
        assert!(reading.passed(&page("a/c.md"), false, 1).is_none());
        assert!(reading.passed(&page("a/d.md"), false, 1).is_some());
        assert!(reading.passed(&page("a/e.md"), true, 1).is_none());
    }

    #[test]
    fn the_state_says_what_is_done_and_how_far_it_is() {
        let mut reading = Reading::new();
        reading.line("    Building [==>   ] 120/300: polars-core, polars-io   ");
        assert_eq!(
            reading.state("crates"),
            "crates: compiling 120 of 300: polars-core"
        );
        reading.line("     Running unittests src/lib.rs (target/debug/deps/a-31)");
        reading.line(&format!("{UNIT}kindling fit"));
        reading.line("test a ... ok");
        assert_eq!(
            reading.state("crates"),
            "crates: testing kindling fit, 1 passed"
        );
    }
}
