//! One progress line that updates in place, in a terminal and in a notebook.
//!
//! [`Progress`] finds out by itself where it is shown:
//!
//! | where | how it is known | what is written |
//! |---|---|---|
//! | terminal | standard error is one | an `indicatif` bar (feature `terminal`) |
//! | Kindling's kernel | `KINDLING_KERNEL=1` | lines on standard output that begin with `\r` |
//! | anywhere else | | one line on standard error, at the end |
//!
//! The kernel reads output line by line, so a bare carriage return would never reach the notebook. Hence the rule
//! between this crate and the kernel's front: **a line that begins with `\r` replaces the current progress line, and a
//! blank one erases it** (a space follows its `\r`, or the kernel would take it for the end of a line). The closing text is an ordinary line, so the next progress line cannot overwrite it.

mod line;
mod stop;

use std::{
    io::{Write, stderr, stdout},
    sync::Mutex,
    time::{Duration, Instant},
};

#[cfg(feature = "terminal")]
use std::io::IsTerminal;

pub use stop::stop_requested;

/// The shortest time between two updates: faster than this nobody reads, and in a notebook each one is a message.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// How far some long work has come.
///
/// ```
/// use kindling_progress::Progress;
/// let progress = Progress::new(469, "training", "steps");
/// for step in 1..=469 {
///     progress.set(step);
/// }
/// progress.finish("trained 469 steps");
/// ```
#[derive(Debug)]
pub struct Progress {
    total: u64,
    what: String,
    unit: String,
    place: Place,
    state: Mutex<State>,
}

/// Where the line is shown.
#[derive(Debug)]
enum Place {
    #[cfg(feature = "terminal")]
    Terminal(indicatif::ProgressBar),
    Notebook,
    Elsewhere,
}

/// What there is to show.
#[derive(Debug)]
struct State {
    done: u64,
    message: String,
    started: Instant,
    shown: Option<Instant>,
}

impl Progress {
    /// Starts at 0 of `total`; `what` is being done, counted in `unit` (`"bytes"` are shown as kB and MB).
    #[must_use]
    pub fn new(total: u64, what: &str, unit: &str) -> Self {
        let state = State {
            done: 0,
            message: String::new(),
            started: Instant::now(),
            shown: None,
        };
        Self {
            total,
            what: what.to_owned(),
            unit: unit.to_owned(),
            place: Place::find(),
            state: Mutex::new(state),
        }
    }

    /// Says that `done` of the total is done.
    pub fn set(&self, done: u64) {
        self.update(|state| state.done = done);
    }

    /// Shows a few words after the numbers, such as `loss 0.231`.
    pub fn message(&self, words: &str) {
        self.update(|state| words.clone_into(&mut state.message));
    }

    /// Ends the line: `words` take its place. A progress that is dropped instead, by an error, just disappears.
    pub fn finish(self, words: &str) {
        self.erase();
        match &self.place {
            Place::Notebook => write_line(stdout(), words),
            _ => write_line(stderr(), words),
        }
    }

    /// Writes a line to standard output, above the progress where that is a terminal's last line.
    pub fn line(&self, words: &str) {
        match &self.place {
            #[cfg(feature = "terminal")]
            Place::Terminal(bar) => bar.suspend(|| write_line(stdout(), words)),
            _ => write_line(stdout(), words),
        }
    }

    fn erase(&self) {
        let shown = self
            .state
            .lock()
            .ok()
            .and_then(|mut state| state.shown.take());
        match &self.place {
            #[cfg(feature = "terminal")]
            Place::Terminal(bar) => bar.finish_and_clear(),
            Place::Notebook if shown.is_some() => write_raw(stdout(), "\r \n"),
            Place::Notebook | Place::Elsewhere => {}
        }
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        // A poisoned lock means that another thread died while it wrote progress: not worth a second failure.
        let Ok(mut state) = self.state.lock() else {
            return;
        };
        change(&mut state);
        if state
            .shown
            .is_some_and(|shown| shown.elapsed() < SHORTEST_PAUSE)
        {
            return;
        }
        state.shown = Some(Instant::now());
        let text = line::text(
            &self.what,
            &self.unit,
            state.done,
            self.total,
            state.started.elapsed(),
            &state.message,
        );
        match &self.place {
            #[cfg(feature = "terminal")]
            Place::Terminal(bar) => bar.set_message(text),
            Place::Notebook => write_line(stdout(), &format!("\r{text}")),
            Place::Elsewhere => {}
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.erase();
    }
}

impl Place {
    fn find() -> Self {
        if std::env::var_os("KINDLING_KERNEL").is_some_and(|value| value == "1") {
            return Self::Notebook;
        }
        #[cfg(feature = "terminal")]
        if stderr().is_terminal() {
            // The text is ours, the same as in a notebook; indicatif fits it to the width and redraws it.
            let style = indicatif::ProgressStyle::with_template("{wide_msg}");
            let style = style.unwrap_or_else(|_| indicatif::ProgressStyle::default_spinner());
            return Self::Terminal(indicatif::ProgressBar::new_spinner().with_style(style));
        }
        Self::Elsewhere
    }
}

fn write_line(out: impl Write, words: &str) {
    if !words.is_empty() {
        write_raw(out, &format!("{words}\n"));
    }
}

fn write_raw(mut out: impl Write, text: &str) {
    // Progress is a comfort: a closed pipe must not stop the work.
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}
