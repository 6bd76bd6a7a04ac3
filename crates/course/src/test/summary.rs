//! The table at the end: where the time went, what passed, and what did not run.

use super::output::COUNTED;
use super::reading::Counts;
use super::skips::Skip;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

/// How a stage ended.
#[derive(Debug, Default)]
pub struct Outcome {
    pub name: &'static str,
    pub error: Option<String>,
    pub compiling: Duration,
    pub running: Duration,
    pub counts: Counts,
    pub skips: BTreeSet<Skip>,
    /// Those of them that noted so themselves in this run, for want of something.
    pub noted: BTreeSet<Skip>,
    pub reused: Vec<String>,
    pub crates: BTreeMap<&'static str, [usize; 2]>,
}

/// The whole summary; its last line is the counts alone.
pub fn summary(outcomes: &[Outcome]) -> String {
    let mut text = format!(
        "{:<12} {:<7} {:>11} {:>9} {:>8} {:>7} {:>8} {:>7}\n",
        "stage", "", "compiling", "running", "passed", "failed", "skipped", "reused"
    );
    let mut total = Outcome {
        name: "all",
        ..Outcome::default()
    };
    for outcome in outcomes {
        row(&mut text, outcome);
        total.compiling += outcome.compiling;
        total.running += outcome.running;
        total.counts.passed += outcome.counts.passed;
        total.counts.failed += outcome.counts.failed;
        total.counts.skipped += outcome.counts.skipped;
        total.counts.reused += outcome.counts.reused;
        for (name, [compiled, checked]) in &outcome.crates {
            let sum = total.crates.entry(name).or_default();
            sum[0] += compiled;
            sum[1] += checked;
        }
    }
    if outcomes.iter().any(|outcome| outcome.error.is_some()) {
        total.error = Some(String::new());
    }
    row(&mut text, &total);
    let compiled = COUNTED.map(|name| {
        let [compiled, checked] = total.crates.get(name).copied().unwrap_or_default();
        format!(
            "{name} was compiled {} and checked {}",
            times(compiled),
            times(checked)
        )
    });
    let _ = writeln!(text, "\n{}", compiled.join(", "));
    for outcome in outcomes.iter().filter(|outcome| !outcome.reused.is_empty()) {
        let _ = writeln!(
            text,
            "not run again in {}, because nothing that it depends on has changed since it passed: {}",
            outcome.name,
            outcome.reused.join(", ")
        );
    }
    let skips: BTreeSet<&Skip> = outcomes.iter().flat_map(|outcome| &outcome.skips).collect();
    if !skips.is_empty() {
        text.push_str("\nskipped:\n");
    }
    for skip in skips {
        let _ = writeln!(text, "  {}", skip.shown());
    }
    let Counts {
        passed,
        failed,
        skipped,
        ..
    } = total.counts;
    let _ = write!(
        text,
        "\n{passed} passed, {failed} failed, {skipped} skipped"
    );
    text
}

fn row(text: &mut String, outcome: &Outcome) {
    let word = if outcome.error.is_none() {
        "ok"
    } else {
        "FAILED"
    };
    let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
    let Counts {
        passed,
        failed,
        skipped,
        reused,
    } = outcome.counts;
    let _ = writeln!(
        text,
        "{:<12} {word:<7} {:>11} {:>9} {passed:>8} {failed:>7} {skipped:>8} {reused:>7}",
        outcome.name,
        seconds(outcome.compiling),
        seconds(outcome.running)
    );
}

fn times(count: usize) -> String {
    match count {
        1 => "once".to_owned(),
        _ => format!("{count} times"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_the_counts_alone_and_every_skip_has_a_name() {
        let skip = Skip {
            package: "kindling".to_owned(),
            program: String::new(),
            test: "data::mnist".to_owned(),
            reason: "set KINDLING_MIRROR (mirror)".to_owned(),
        };
        let outcomes = [
            Outcome {
                name: "format",
                counts: Counts {
                    passed: 1,
                    ..Counts::default()
                },
                ..Outcome::default()
            },
            Outcome {
                name: "crates",
                error: Some("it failed".to_owned()),
                compiling: Duration::from_secs(200),
                counts: Counts {
                    passed: 7,
                    failed: 1,
                    skipped: 1,
                    reused: 1,
                },
                skips: BTreeSet::from([skip]),
                reused: vec!["kindling-tables".to_owned()],
                crates: BTreeMap::from([("candle-core", [1, 2])]),
                ..Outcome::default()
            },
        ];
        let text = summary(&outcomes);
        assert_eq!(text.lines().last(), Some("8 passed, 1 failed, 1 skipped"));
        for line in [
            "candle-core was compiled once and checked 2 times, polars-core was compiled 0 times and checked 0 times",
            "  kindling data::mnist: set KINDLING_MIRROR (mirror)",
            "not run again in crates, because nothing that it depends on has changed since it passed: kindling-tables",
            "crates       FAILED      200.0 s     0.0 s        7       1        1       1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
