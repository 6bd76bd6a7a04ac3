//! Runs the cells of a notebook on the real kernel and keeps what they show.

use anyhow::{Result, bail};
use kindling_kernel::{Home, Outcome, Session};
use kindling_pages::{Cell, Page, forms, push, settle, strip_ansi};
use kindling_progress::Progress;
use nbformat::v4::{self, MultilineString, Output};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// How many cells of how many have run, over all notebooks of a call.
pub struct Cells {
    pub progress: Progress,
    done: AtomicU64,
}

impl Cells {
    pub fn of(pages: &[&Page]) -> Self {
        let all = pages.iter().flat_map(|page| page.cells());
        let total = all.filter(|cell| cell.in_notebook()).count();
        Self {
            progress: Progress::new(total as u64, "notebooks", "cells"),
            done: AtomicU64::new(0),
        }
    }

    fn one_more(&self) {
        let before = self.done.fetch_add(1, Ordering::Relaxed);
        self.progress.set(before + 1);
    }
}

/// Runs every code cell of `notebook`, which is `page`'s, in order; returns the seconds it took.
pub async fn run_cells(
    page: &Page,
    notebook: &mut v4::Notebook,
    home: &Home,
    counted: &Cells,
) -> Result<f64> {
    let started = Instant::now();
    let cells: Vec<&Cell> = page.cells().filter(|cell| cell.in_notebook()).collect();
    let crates = crate::kernel::crates_of(page)?;
    let mut session = Session::start_with(home, crates).await?;
    for cell in &mut notebook.cells {
        let v4::Cell::Code {
            id,
            source,
            outputs,
            ..
        } = cell
        else {
            continue;
        };
        let Some(known) = cells.iter().find(|known| known.id == id.as_str()) else {
            continue;
        };
        let mut fresh = Vec::new();
        let outcome = session
            .execute(&source.concat(), &mut |output| push(&mut fresh, output))
            .await?;
        let fresh: Vec<Output> = fresh
            .into_iter()
            .map(tidy)
            .filter(|output| !is_unit(output))
            .collect();
        let failed = outcome != Outcome::Ok || fresh.iter().any(is_complaint);
        if fresh.iter().any(is_undrawn) {
            session.shutdown().await;
            bail!(
                "{}:{}: the figure of cell `{id}` is described and not drawn: evcxr cannot draw an expression that moves a variable; pass a reference (`&points`)",
                page.shown_path().display(),
                known.line
            );
        }
        if failed != known.must_fail() {
            session.shutdown().await;
            let what = if failed {
                "failed (what it wrote to standard error counts as an error)"
            } else {
                "must fail, and did not"
            };
            bail!(
                "{}:{}: cell `{id}` {what}\n{}",
                page.shown_path().display(),
                known.line,
                as_text(&fresh)
            );
        }
        *outputs = fresh;
        counted.one_more();
    }
    session.shutdown().await;
    Ok(started.elapsed().as_secs_f64())
}

/// The only text that a result is shown as; `None` where there is another form, such as a picture.
fn plain_result(output: &Output) -> Option<String> {
    match &forms(output)[..] {
        [(kind, text)] if kind == "text/plain" => Some(text.clone()),
        _ => None,
    }
}

/// A loop at the end of a cell has the value `()`, which tells a reader nothing.
fn is_unit(output: &Output) -> bool {
    plain_result(output).is_some_and(|text| text.trim() == "()")
}

/// A figure that is shown as words: evcxr found no way to call what draws it.
fn is_undrawn(output: &Output) -> bool {
    plain_result(output).is_some_and(|text| text.starts_with("Figure("))
}

/// What is kept: settled progress lines, no colours, no counters.
fn tidy(output: Output) -> Output {
    match output {
        Output::Stream { name, text } => {
            let text = without_backtrace(&strip_ansi(&settle(&text.0)));
            Output::Stream {
                name,
                text: MultilineString(text),
            }
        }
        Output::Error(mut error) => {
            error.evalue = strip_ansi(&error.evalue);
            error.traceback = error
                .traceback
                .iter()
                .map(|line| strip_ansi(line).trim_end().to_owned())
                .collect();
            // The kernel counts the cells that it ran: the number would change with each cell added above.
            error
                .traceback
                .iter_mut()
                .for_each(|line| *line = uncounted(line));
            Output::Error(error)
        }
        // The running number of a result changes with each cell added above it.
        Output::ExecuteResult(result) => Output::DisplayData(v4::DisplayData {
            data: result.data,
            metadata: result.metadata,
        }),
        other => other,
    }
}

/// A panic's stack trace names addresses and files of this machine; its message is what a reader needs.
fn without_backtrace(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut inside = false;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim_start();
        inside |= line.starts_with("stack backtrace:");
        let numbered = trimmed
            .split_once(": ")
            .is_some_and(|(number, _)| number.parse::<u32>().is_ok());
        let continues = numbered
            || trimmed.starts_with("at ")
            || line.starts_with("note:")
            || trimmed.is_empty();
        if inside && (line.starts_with("stack backtrace:") || continues) {
            continue;
        }
        inside = false;
        kept.push_str(&unthreaded(line));
    }
    kept
}

/// `thread '<unnamed>' (1234) panicked at src/lib.rs:12:5:` without the numbers that change from run to run.
fn unthreaded(line: &str) -> String {
    if line.starts_with("thread '") && line.contains("panicked at") {
        return "the cell panicked:\n".to_owned();
    }
    line.to_owned()
}

fn uncounted(line: &str) -> String {
    match line.split_once("command_") {
        Some((before, after)) => format!(
            "{before}cell{}",
            after.trim_start_matches(|c: char| c.is_ascii_digit())
        ),
        None => line.to_owned(),
    }
}

/// A panic, or an error that `?` returned: evcxr reports both as success, and writes the message to standard error, where
/// no lesson writes.
fn is_complaint(output: &Output) -> bool {
    matches!(output, Output::Stream { name, text } if name == "stderr" && !text.0.trim().is_empty())
}

/// The outputs as a terminal shows them.
pub fn as_text(outputs: &[Output]) -> String {
    let mut text = String::new();
    for output in outputs {
        match output {
            Output::Stream { text: stream, .. } => text.push_str(&stream.0),
            Output::Error(error) => text.push_str(&format!(
                "{}\n{}\n",
                error.evalue,
                error.traceback.join("\n")
            )),
            Output::DisplayData(_) | Output::ExecuteResult(_) => text.push_str("(a result)\n"),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_without_a_picture_are_told_apart() {
        let result = |data: serde_json::Value| -> Output {
            let output =
                serde_json::json!({"output_type": "display_data", "metadata": {}, "data": data});
            serde_json::from_value(output).unwrap()
        };
        assert!(is_unit(&result(serde_json::json!({"text/plain": "()"}))));
        assert!(!is_unit(&result(
            serde_json::json!({"text/plain": "(1, 2)"})
        )));
        assert!(is_undrawn(&result(
            serde_json::json!({"text/plain": "Figure(\"a\", 5 kB of SVG)"})
        )));
        let both = serde_json::json!({"text/plain": "Figure(\"a\", 5 kB of SVG)", "image/svg+xml": "<svg/>"});
        assert!(!is_undrawn(&result(both)));
    }

    #[test]
    fn an_error_that_evcxr_takes_for_success_is_noticed() {
        let stream = |name: &str, text: &str| Output::Stream {
            name: name.to_owned(),
            text: MultilineString(text.to_owned()),
        };
        assert!(is_complaint(&stream("stderr", "Msg(\"shape mismatch\")\n")));
        assert!(!is_complaint(&stream(
            "stdout",
            "Msg(\"shape mismatch\")\n"
        )));
        assert!(!is_complaint(&stream("stderr", "\n")));
    }

    #[test]
    fn what_changes_from_run_to_run_is_not_kept() {
        assert_eq!(uncounted("   ╭─[ command_12:1:5 ]"), "   ╭─[ cell:1:5 ]");
        let panic = "thread '<unnamed>' (77) panicked at src/lib.rs:9:1:\nshape mismatch\nstack backtrace:\n   0: f\n             at /x/y.rs:1:2\n   1: g\nnote: run with more\n";
        assert_eq!(
            without_backtrace(panic),
            "the cell panicked:\nshape mismatch\n"
        );
    }
}
