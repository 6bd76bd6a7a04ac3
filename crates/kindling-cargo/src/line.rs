//! A text that moves: in place on a terminal, now and then as a plain line elsewhere.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

/// The shortest time between two updates on a terminal: faster than this nobody reads.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
/// The longest time without a line where there is no terminal.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A guess about the time that is left needs this much to go by.
const BEGINNING: Duration = Duration::from_secs(4);

/// A line on standard error that is replaced by the next one.
#[derive(Debug)]
pub struct Line<W: Write = std::io::Stderr> {
    out: W,
    terminal: bool,
    /// When something was shown, and how many tenths were done.
    last: Option<(Instant, u64)>,
}

impl Line {
    /// A line on standard error.
    #[must_use]
    pub fn new() -> Self {
        Self::on(stderr(), stderr().is_terminal())
    }
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

impl<W: Write> Line<W> {
    /// A line on `out`, which is a terminal or not.
    pub fn on(out: W, terminal: bool) -> Self {
        Self {
            out,
            terminal,
            last: None,
        }
    }

    /// Shows `text`, with `share` (0 to 1) of everything done; elsewhere than on a terminal once for each tenth or minute.
    pub fn show(&mut self, text: &str, share: f64) {
        let tenth = (share.clamp(0.0, 1.0) * 10.0) as u64;
        let due = match self.last {
            None => true,
            Some((when, _)) if self.terminal => when.elapsed() >= SHORTEST_PAUSE,
            Some((when, before)) => tenth > before || when.elapsed() >= LONGEST_PAUSE,
        };
        if !due {
            return;
        }
        self.last = Some((Instant::now(), tenth));
        // Progress is a comfort: a closed pipe must not stop the work.
        let _ = if self.terminal {
            // Longer than the window, it would go on below: the terminal cuts it instead.
            write!(self.out, "\r\u{1b}[2K\u{1b}[?7l{text}\u{1b}[?7h")
        } else {
            writeln!(self.out, "{text}")
        };
        let _ = self.out.flush();
    }

    /// Takes the line away, for others to write; the next one is shown at once.
    pub fn clear(&mut self) {
        if self.terminal && self.last.take().is_some() {
            let _ = write!(self.out, "\r\u{1b}[2K");
            let _ = self.out.flush();
        }
    }
}

impl<W: Write> Drop for Line<W> {
    fn drop(&mut self) {
        self.clear();
    }
}

/// How long the rest takes when `share` (0 to 1) took `elapsed`; nothing at the beginning, when it would only be a guess.
#[must_use]
pub fn time_left(elapsed: Duration, share: f64) -> Option<Duration> {
    (elapsed >= BEGINNING && (0.03..=1.0).contains(&share))
        .then(|| elapsed.mul_f64((1.0 - share) / share))
}

/// The words for a time that is left, such as `about 6 minutes left`.
#[must_use]
pub fn minutes_left(left: Duration) -> String {
    match (left.as_secs_f64() / 60.0).ceil() as u64 {
        0 | 1 => "less than a minute left".to_owned(),
        minutes => format!("about {minutes} minutes left"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_one_line() {
        let mut out = Vec::new();
        let mut line = Line::on(&mut out, true);
        line.show("one", 0.0);
        line.show("too soon", 0.5);
        line.clear();
        line.show("two", 0.9);
        drop(line);
        let out = String::from_utf8(out).unwrap();
        assert!(out.contains("one") && out.contains("two") && !out.contains("soon"));
        assert!(!out.contains('\n') && out.ends_with("\r\u{1b}[2K"));
    }

    #[test]
    fn elsewhere_each_tenth_is_a_line() {
        let mut out = Vec::new();
        let mut line = Line::on(&mut out, false);
        for step in 0..=100 {
            line.show(&format!("{step} of 100"), f64::from(step) / 100.0);
        }
        drop(line);
        let out = String::from_utf8(out).unwrap();
        let lines: Vec<_> = out.lines().collect();
        assert_eq!(lines.len(), 11);
        assert_eq!((lines[0], lines[10]), ("0 of 100", "100 of 100"));
        assert!(!out.contains('\u{1b}') && !out.contains('\r'));
    }

    #[test]
    fn the_rest_takes_as_long_as_what_is_done() {
        let left = |seconds, share| time_left(Duration::from_secs(seconds), share);
        assert_eq!(left(60, 0.25), Some(Duration::from_secs(180)));
        assert_eq!((left(1, 0.5), left(60, 0.0)), (None, None));
        assert_eq!(
            minutes_left(Duration::from_secs(301)),
            "about 6 minutes left"
        );
        assert_eq!(
            minutes_left(Duration::from_secs(30)),
            "less than a minute left"
        );
    }
}
