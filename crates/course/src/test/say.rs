//! Says what a stage is doing: a line that moves in a terminal, a plain line now and then elsewhere.

use std::io::{IsTerminal, Write, stdout};
use std::time::{Duration, Instant};

/// How often the moving line is drawn.
const REDRAW: Duration = Duration::from_millis(100);

/// How often a plain line is written.
const NOW_AND_THEN: Duration = Duration::from_secs(30);

/// Writes lines, with the state of the work below them.
pub struct Say<W: Write = std::io::Stdout> {
    out: W,
    terminal: bool,
    drawn: bool,
    last: Instant,
}

impl Say {
    /// To standard output.
    pub fn new() -> Self {
        Self::to(stdout(), stdout().is_terminal())
    }
}

impl<W: Write> Say<W> {
    fn to(out: W, terminal: bool) -> Self {
        Self {
            out,
            terminal,
            drawn: false,
            last: Instant::now(),
        }
    }

    /// A line that stays.
    pub fn line(&mut self, text: &str) {
        self.clear();
        // Whoever closed the pipe wants no more of it; the tests go on.
        let _ = writeln!(self.out, "{text}");
        let _ = self.out.flush();
    }

    /// What is being done now; shown when it is time.
    pub fn state(&mut self, text: impl FnOnce() -> String) {
        self.state_at(Instant::now(), text);
    }

    fn state_at(&mut self, now: Instant, text: impl FnOnce() -> String) {
        let pause = if self.terminal { REDRAW } else { NOW_AND_THEN };
        if now.saturating_duration_since(self.last) < pause {
            return;
        }
        self.last = now;
        if self.terminal {
            let text: String = text().chars().take(78).collect();
            let _ = write!(self.out, "\r\u{1b}[2K{text}");
            self.drawn = true;
        } else {
            let _ = writeln!(self.out, "{}", text());
        }
        let _ = self.out.flush();
    }

    /// Takes the moving line away.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.drawn) {
            let _ = write!(self.out, "\r\u{1b}[2K");
            let _ = self.out.flush();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_gets_a_line_now_and_then() {
        let mut say = Say::to(Vec::new(), false);
        let start = say.last;
        for second in 0..100 {
            say.state_at(start + Duration::from_secs(second), || {
                format!("crates: testing kindling, {second} passed")
            });
        }
        let text = String::from_utf8(say.out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert_eq!(lines[0], "crates: testing kindling, 30 passed");
    }

    #[test]
    fn a_terminal_gets_one_line_that_moves_below_those_that_stay() {
        let mut say = Say::to(Vec::new(), true);
        let start = say.last;
        say.state_at(start + REDRAW, || "one".to_owned());
        say.state_at(start + REDRAW, || "too soon".to_owned());
        say.line("stays");
        say.line("stays, too");
        let text = String::from_utf8(say.out).unwrap();
        assert_eq!(text, "\r\u{1b}[2Kone\r\u{1b}[2Kstays\nstays, too\n");
    }
}
