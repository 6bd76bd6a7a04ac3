//! What cargo, the test harness and `course` print, line by line.

use super::wrapper::{REUSED, UNIT};

/// The crates whose compilations are counted: each costs minutes.
pub const COUNTED: [&str; 2] = ["candle-core", "polars-core"];

/// What one line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line<'a> {
    /// `Compiling candle-core v0.11.1`, `Checking …`: the crate, and whether it is only checked.
    Crate { name: &'a str, checked: bool },
    /// `Building [==>  ] 12/290: polars-core, …`
    Building {
        done: usize,
        total: usize,
        names: &'a str,
    },
    /// All is compiled.
    Finished,
    /// A test program or the doctests of a library start.
    Running,
    /// The runner's own line: package and program.
    Unit { package: &'a str, program: &'a str },
    /// The runner's own line: this need not run again.
    Reused { package: &'a str, program: &'a str },
    /// A test passed.
    Passed(&'a str),
    /// A test failed.
    Failed(&'a str),
    /// A test was ignored, and why.
    Ignored { test: &'a str, reason: &'a str },
    /// `test result: …`
    Result {
        passed: usize,
        failed: usize,
        ignored: usize,
    },
    /// `all doctests ran in 0.60s; merged doctests compilation took 0.58s`: the hundredths of the second number.
    Merged { hundredths: u64 },
    /// `notebooks/a/b.ipynb: the outputs are the same (3 s)`
    Notebook(&'a str),
    /// What nobody wants to read when all is well.
    Noise,
    /// Everything else: a person reads it.
    Other,
}

/// Reads a line without its end and without terminal codes.
pub fn read(line: &str) -> Line<'_> {
    let text = line.trim();
    let two = |rest: &'_ str| -> Option<(usize, usize)> {
        let mut words = rest.splitn(2, ' ');
        Some((words.next()?.len(), words.next()?.len()))
    };
    for (mark, reused) in [(UNIT, false), (REUSED, true)] {
        if let Some(rest) = text.strip_prefix(mark)
            && let Some((first, _)) = two(rest)
        {
            let (package, program) = (&rest[..first], &rest[first + 1..]);
            return if reused {
                Line::Reused { package, program }
            } else {
                Line::Unit { package, program }
            };
        }
    }
    let status = line.starts_with("  ") || line.starts_with(' ');
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    match word {
        "Compiling" | "Checking" if status => {
            return Line::Crate {
                name: rest.split(' ').next().unwrap_or(rest),
                checked: word == "Checking",
            };
        }
        "Building" if status => return building(rest).unwrap_or(Line::Noise),
        "Finished" if status => return Line::Finished,
        "Running" | "Doc-tests" if status => return Line::Running,
        "Blocking" | "Updating" | "Locking" | "Downloading" | "Downloaded" | "Fresh" | "Dirty"
        | "Adding"
            if status =>
        {
            return Line::Noise;
        }
        "running" if rest.ends_with(" test") || rest.ends_with(" tests") => return Line::Noise,
        "test" => {
            if let Some(line) = test(rest) {
                return line;
            }
        }
        _ => {}
    }
    if let Some((_, seconds)) = text.split_once("; merged doctests compilation took ")
        && text.starts_with("all doctests ran in ")
    {
        let seconds: f64 = seconds.trim_end_matches('s').parse().unwrap_or_default();
        return Line::Merged {
            hundredths: (seconds * 100.0).round() as u64,
        };
    }
    if let Some((notebook, _)) = text.split_once(": the outputs are the same (") {
        return Line::Notebook(notebook);
    }
    // Of a test that runs alone the harness prints the name first, and this when it ends.
    if text.is_empty() || text == "ok" {
        return Line::Noise;
    }
    Line::Other
}

fn building(rest: &str) -> Option<Line<'_>> {
    let (_, rest) = rest.split_once("] ")?;
    let (numbers, names) = rest.split_once(':').unwrap_or((rest, ""));
    let (done, total) = numbers.trim().split_once('/')?;
    Some(Line::Building {
        done: done.parse().ok()?,
        total: total.parse().ok()?,
        names: names.trim(),
    })
}

/// What follows `test `.
fn test(rest: &str) -> Option<Line<'_>> {
    if let Some(numbers) = rest.strip_prefix("result: ") {
        let count = |what: &str| {
            numbers.split([';', '.']).find_map(|part| {
                let (number, name) = part.trim().split_once(' ')?;
                (name.trim() == what).then(|| number.parse().ok())?
            })
        };
        return Some(Line::Result {
            passed: count("passed")?,
            failed: count("failed")?,
            ignored: count("ignored")?,
        });
    }
    let (name, outcome) = rest.split_once(" ... ")?;
    let name = name.strip_suffix(" - should panic").unwrap_or(name);
    match outcome {
        "ok" => Some(Line::Passed(name)),
        "FAILED" => Some(Line::Failed(name)),
        _ => {
            let reason = outcome.strip_prefix("ignored")?;
            Some(Line::Ignored {
                test: name,
                reason: reason.trim_start_matches([',', ' ']),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_cargo_are_told_apart() {
        let compiled = |name, checked| Line::Crate { name, checked };
        assert_eq!(
            read("   Compiling candle-core v0.11.1"),
            compiled("candle-core", false)
        );
        assert_eq!(
            read("    Checking polars-core v0.55.2"),
            compiled("polars-core", true)
        );
        let bar = "    Building [=====>                  ] 12/290: polars-core, candle(test)    ";
        let expected = Line::Building {
            done: 12,
            total: 290,
            names: "polars-core, candle(test)",
        };
        assert_eq!(read(bar), expected);
        assert_eq!(
            read("    Finished `tool` profile [unoptimized] target(s) in 2.31s"),
            Line::Finished
        );
        assert_eq!(
            read("     Running unittests src/lib.rs (target/debug/deps/a-31)"),
            Line::Running
        );
        assert_eq!(read("   Doc-tests kindling"), Line::Running);
        assert_eq!(
            read("Compiling by hand"),
            Line::Other,
            "cargo indents its words"
        );
        assert_eq!(read("error[E0308]: mismatched types"), Line::Other);
    }

    #[test]
    fn lines_of_the_harness_are_told_apart() {
        assert_eq!(
            read("test a::b ... ignored, a measurement"),
            Line::Ignored {
                test: "a::b",
                reason: "a measurement"
            }
        );
        assert_eq!(read("test a - should panic ... ok"), Line::Passed("a"));
        assert_eq!(
            read("test book/src/a/b.md - a_b (line 1) ... FAILED"),
            Line::Failed("book/src/a/b.md - a_b (line 1)")
        );
        assert_eq!(
            read(
                "test result: FAILED. 2 passed; 1 failed; 3 ignored; 0 measured; 0 filtered out; finished in 0.14s"
            ),
            Line::Result {
                passed: 2,
                failed: 1,
                ignored: 3
            }
        );
        assert_eq!(
            read("all doctests ran in 0.60s; merged doctests compilation took 0.58s"),
            Line::Merged { hundredths: 58 }
        );
        assert_eq!(read("running 3 tests"), Line::Noise);
        assert_eq!(read("test of courage"), Line::Other);
        assert_eq!(
            read("notebooks/a/b.ipynb: the outputs are the same (3 s)"),
            Line::Notebook("notebooks/a/b.ipynb")
        );
        assert_eq!(
            read(&format!("{REUSED}kindling fit")),
            Line::Reused {
                package: "kindling",
                program: "fit"
            }
        );
    }
}
