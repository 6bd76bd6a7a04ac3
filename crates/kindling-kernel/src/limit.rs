//! Bounds what one cell shows, however much it prints.
//!
//! evcxr sends one message for each printed line, tens of thousands a second. Here they become a few pieces a second; the
//! first lines and the latest ones are kept, and what is between them is counted. A progress line replaces the one before it
//! and counts once.

use crate::progress_lines::ProgressLines;
use bytes::Bytes;
use kindling_pages::LeftOut;
use serde::Deserialize;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How often what was printed is passed on.
pub(crate) const SLICE: Duration = Duration::from_millis(80);
/// How often a reader is told how much is left out so far.
const SAY: Duration = Duration::from_secs(1);
/// The lines at the start that are shown, and their bytes.
const FIRST_LINES: usize = 4_000;
const FIRST_BYTES: usize = 800_000;
/// The lines at the end that are shown, and their bytes.
const LATEST_LINES: usize = 1_000;
const LATEST_BYTES: usize = 200_000;
/// The part of a progress line that is shown, in bytes.
const PROGRESS_BYTES: usize = 1_000;
/// The end of a line that is not over. Evcxr shows whole lines, so `print!` would show nothing up to the next `println!`: in a
/// kernel it prints a line with this mark instead.
const UNFINISHED: &str = "\u{1f}\n";
/// Values, pictures and errors of one cell: how many, and their bytes.
const RESULTS: usize = 200;
const RESULT_BYTES: usize = 8_000_000;
/// The part of a longer value that is shown, in bytes.
const PART_BYTES: usize = 20_000;

/// Where a cell printed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// What a kernel says that a cell printed.
#[derive(Debug, Deserialize)]
pub(crate) struct Print {
    pub(crate) name: Stream,
    pub(crate) text: String,
}

/// What is passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(Stream, String),
    /// How much was left out so far; it replaces such a piece before it.
    LeftOut(LeftOut),
}

/// What one cell has shown and may still show.
#[derive(Debug)]
pub(crate) struct Limit {
    fold: ProgressLines,
    /// What is passed on next, line by line.
    pending: Vec<(Stream, String)>,
    /// The stream whose progress line was passed on last, with nothing after it.
    progress: Option<Stream>,
    lines: usize,
    bytes: usize,
    latest: VecDeque<Late>,
    latest_bytes: usize,
    left_out: LeftOut,
    said: Option<(Instant, LeftOut)>,
    results: usize,
    result_bytes: usize,
}

/// A line that is shown only if it is among the latest.
#[derive(Debug)]
enum Late {
    Line(Stream, String),
    /// As it came: to read each of a million messages would take longer than to run the cell.
    Unread(Bytes),
}

impl Late {
    fn len(&self) -> usize {
        match self {
            Self::Line(_, text) => text.len(),
            Self::Unread(content) => content.len(),
        }
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self {
            fold: ProgressLines::default(),
            pending: Vec::new(),
            progress: None,
            lines: FIRST_LINES,
            bytes: FIRST_BYTES,
            latest: VecDeque::new(),
            latest_bytes: 0,
            left_out: LeftOut::default(),
            said: None,
            results: RESULTS,
            result_bytes: RESULT_BYTES,
        }
    }
}

impl Limit {
    /// Whether the first lines are full, so that [`Limit::take_unread`] is quicker and shows the same.
    pub(crate) fn is_full(&self) -> bool {
        self.lines == 0 || self.bytes == 0
    }

    /// Takes the content of a stream message that is not read yet.
    pub(crate) fn take_unread(&mut self, content: &Bytes) {
        if self.is_full() {
            // A copy: the frame shares its memory with all that was read at once.
            let late = if content.len() > LATEST_BYTES {
                self.leave_out(1, content.len());
                return;
            } else {
                Late::Unread(Bytes::copy_from_slice(content))
            };
            self.keep(late);
        } else if let Ok(print) = serde_json::from_slice::<Print>(content) {
            self.take(print.name, &print.text);
        }
    }

    /// Takes what was printed.
    pub(crate) fn take(&mut self, stream: Stream, text: &str) {
        for line in text.split_inclusive('\n') {
            let line = unmarked(line);
            if line.is_empty() {
                continue;
            }
            if is_progress(line) {
                self.take_progress(stream, line);
            } else {
                self.progress = None;
                self.take_line(stream, line);
            }
        }
    }

    fn take_progress(&mut self, stream: Stream, line: &str) {
        let line = match cut(line.trim_end(), PROGRESS_BYTES) {
            short if short.len() < line.trim_end().len() => format!("{short}…\n"),
            // A blank line erases: what it consists of matters.
            _ => line.to_owned(),
        };
        let last = self.pending.last_mut();
        match last {
            Some((before, text)) if *before == stream && is_progress(text) => *text = line,
            None if self.progress == Some(stream) => self.pending.push((stream, line)),
            _ => self.take_line(stream, &line),
        }
        self.progress = Some(stream);
    }

    fn take_line(&mut self, stream: Stream, line: &str) {
        if self.is_full() {
            let shown = cut(line, LATEST_BYTES / 10);
            if shown.len() < line.len() {
                self.left_out.bytes += (line.len() - shown.len()) as u64;
                self.keep(Late::Line(stream, format!("{shown}…\n")));
            } else {
                self.keep(Late::Line(stream, line.to_owned()));
            }
            return;
        }
        let shown = cut(line, self.bytes);
        self.lines -= 1;
        self.bytes -= shown.len();
        if shown.len() < line.len() {
            self.bytes = 0;
            self.left_out.bytes += (line.len() - shown.len()) as u64;
            self.pending.push((stream, format!("{shown}…\n")));
        } else {
            self.pending.push((stream, line.to_owned()));
        }
    }

    fn keep(&mut self, late: Late) {
        self.latest_bytes += late.len();
        self.latest.push_back(late);
        while self.latest.len() > LATEST_LINES || self.latest_bytes > LATEST_BYTES {
            let Some(oldest) = self.latest.pop_front() else {
                break;
            };
            self.latest_bytes -= oldest.len();
            self.leave_out(1, oldest.len());
        }
    }

    fn leave_out(&mut self, lines: u64, bytes: usize) {
        self.left_out.lines += lines;
        self.left_out.bytes += bytes as u64;
    }

    /// Whether a value, a picture or an error of this size is shown.
    pub(crate) fn admits(&mut self, bytes: usize) -> bool {
        if self.results == 0 || bytes > self.result_bytes {
            return false;
        }
        self.results -= 1;
        self.result_bytes -= bytes;
        true
    }

    /// What was printed since the last call; to be asked for once in each [`SLICE`].
    pub(crate) fn slice(&mut self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for (stream, line) in std::mem::take(&mut self.pending) {
            let text = self.fold.pass(&line);
            add(&mut pieces, stream, &text);
        }
        let due = match self.said {
            None => self.left_out != LeftOut::default(),
            Some((when, what)) => what != self.left_out && when.elapsed() >= SAY,
        };
        if due {
            self.said = Some((Instant::now(), self.left_out));
            pieces.push(Piece::LeftOut(self.left_out));
        }
        pieces
    }

    /// All that is still to be shown, before a result and when the cell has ended: how much was left out, the latest lines, and
    /// the newline that a progress line owes.
    pub(crate) fn finish(&mut self) -> Vec<Piece> {
        self.said = self.said.map(|(_, what)| (Instant::now(), what));
        let mut pieces = self.slice();
        if self.said.is_some_and(|(_, what)| what != self.left_out) {
            pieces.push(Piece::LeftOut(self.left_out));
        }
        let mut late: Vec<(Stream, String)> = Vec::new();
        for line in std::mem::take(&mut self.latest) {
            let (stream, text) = match line {
                Late::Line(stream, text) => (stream, text),
                Late::Unread(content) => match serde_json::from_slice::<Print>(&content) {
                    Ok(print) => (print.name, unmarked(&print.text).to_owned()),
                    Err(_) => continue,
                },
            };
            // Of progress lines in a row only the last.
            if is_progress(&text)
                && let Some((before, last)) = late.last_mut()
                && *before == stream
                && is_progress(last)
            {
                *last = text;
            } else {
                late.push((stream, text));
            }
        }
        for (stream, text) in late {
            let text = self.fold.pass(&text);
            add(&mut pieces, stream, &text);
        }
        add(&mut pieces, Stream::Stdout, self.fold.finish());
        (self.latest_bytes, self.progress) = (0, None);
        (self.left_out, self.said) = (LeftOut::default(), None);
        pieces
    }
}

/// The forms of a value that is too large to be shown: the start of its text.
pub(crate) fn part_of(text: &str) -> String {
    format!("{}…", cut(text, PART_BYTES))
}

/// A line as the cell printed it: without an end where it has none yet.
fn unmarked(line: &str) -> &str {
    line.strip_suffix(UNFINISHED).unwrap_or(line)
}

fn is_progress(line: &str) -> bool {
    line.starts_with('\r') && line.ends_with('\n')
}

/// Adds text to what is passed on; the same stream goes on in one piece.
fn add(pieces: &mut Vec<Piece>, stream: Stream, text: &str) {
    match pieces.last_mut() {
        _ if text.is_empty() => {}
        Some(Piece::Text(before, whole)) if *before == stream => whole.push_str(text),
        _ => pieces.push(Piece::Text(stream, text.to_owned())),
    }
}

/// The start of a text, at most so many bytes, without half a character.
fn cut(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use Stream::{Stderr, Stdout};
    use kindling_pages::settle;

    fn text(pieces: &[Piece]) -> String {
        let mut text = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(_, more) => text.push_str(more),
                Piece::LeftOut(left_out) => text.push_str(&format!("[{left_out}]\n")),
            }
        }
        text
    }

    #[test]
    fn a_few_lines_come_as_they_are_in_one_piece_for_each_stream() {
        let mut limit = Limit::default();
        limit.take(Stdout, "one\n");
        limit.take(Stdout, "two\n");
        limit.take(Stderr, "three\n");
        let expected = [
            Piece::Text(Stdout, "one\ntwo\n".to_owned()),
            Piece::Text(Stderr, "three\n".to_owned()),
        ];
        assert_eq!(limit.slice(), expected);
        assert_eq!(limit.slice(), []);
        assert_eq!(limit.finish(), []);
    }

    #[test]
    fn a_line_goes_on_where_its_end_is_not_printed_yet() {
        let mut limit = Limit::default();
        for line in [
            "one, \u{1f}\n",
            "two\n",
            "\u{1f}\n",
            "\r3\u{1f}\n",
            "\r4\u{1f}\n",
        ] {
            limit.take(Stdout, line);
        }
        assert_eq!(text(&limit.finish()), "one, two\n\r3\r4");
    }

    #[test]
    fn of_a_million_lines_the_first_and_the_latest_are_shown_and_the_others_counted() {
        let mut limit = Limit::default();
        let mut shown = Vec::new();
        for line in 0..1_000_000 {
            let content = format!("{{\"name\":\"stdout\",\"text\":\"{line}\\n\"}}");
            limit.take_unread(&Bytes::from(content));
            if line % 50_000 == 0 {
                shown.extend(limit.slice());
            }
        }
        shown.extend(limit.finish());
        let shown = text(&shown);
        assert!(
            shown.len() < FIRST_BYTES + LATEST_BYTES,
            "{} bytes",
            shown.len()
        );
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[..2], ["0", "1"]);
        assert_eq!(lines[FIRST_LINES - 1], (FIRST_LINES - 1).to_string());
        let last_of_left_out = lines
            .iter()
            .rposition(|line| line.starts_with('['))
            .unwrap();
        let latest: Vec<usize> = lines[last_of_left_out + 1..]
            .iter()
            .map(|line| line.parse().unwrap())
            .collect();
        assert_eq!(
            (latest.len(), latest[0], latest[latest.len() - 1]),
            (LATEST_LINES, 999_000, 999_999)
        );
        assert_eq!(lines[last_of_left_out], "[… 995,000 lines left out …]");
    }

    #[test]
    fn lines_that_just_fit_are_all_shown() {
        let mut limit = Limit::default();
        let all: String = (0..FIRST_LINES + LATEST_LINES)
            .map(|line| format!("{line}\n"))
            .collect();
        limit.take(Stdout, &all);
        let mut shown = limit.slice();
        shown.extend(limit.finish());
        assert_eq!(text(&shown), all);
    }

    #[test]
    fn one_endless_line_is_bounded_wherever_it_comes() {
        let long = "é".repeat(10_000_000);
        let mut limit = Limit::default();
        limit.take(Stdout, &format!("{long}\n"));
        let shown = text(&limit.finish());
        assert!(
            shown.len() < FIRST_BYTES + 100 && shown.contains("characters left out"),
            "{} bytes",
            shown.len()
        );

        let mut limit = Limit::default();
        limit.take(Stdout, &"a line\n".repeat(FIRST_LINES));
        limit.take(Stderr, &format!("{long}\n"));
        let content = format!("{{\"name\":\"stdout\",\"text\":\"{long}\\n\"}}");
        limit.take_unread(&Bytes::from(content));
        let shown = text(&limit.finish());
        assert!(
            shown.len() < FIRST_BYTES + LATEST_BYTES,
            "{} bytes",
            shown.len()
        );
    }

    #[test]
    fn progress_lines_take_no_room_and_only_the_last_of_a_slice_is_sent() {
        let mut limit = Limit::default();
        let mut shown = Vec::new();
        for step in 0..100_000 {
            limit.take(Stdout, &format!("\rstep {step}\n"));
            if step % 10_000 == 9_999 {
                shown.extend(limit.slice());
            }
        }
        limit.take(Stdout, "done\n");
        shown.extend(limit.finish());
        let raw = text(&shown);
        assert!(raw.len() < 500, "{raw:?}");
        assert_eq!(settle(&raw), "step 99999\ndone\n");
        assert_eq!(
            limit.lines,
            FIRST_LINES - 2,
            "the bar and the line after it"
        );

        // One that never ends its line, and two bars by turns.
        let mut limit = Limit::default();
        limit.take(Stdout, &format!("\r{}\n", "x".repeat(1_000_000)));
        for _ in 0..10_000 {
            limit.take(Stdout, "\ra\n");
            limit.take(Stderr, "\rb\n");
        }
        assert!(limit.pending.len() <= FIRST_LINES);
        assert!(text(&limit.finish()).len() < 100_000);
    }

    #[test]
    fn a_bar_that_is_erased_leaves_nothing() {
        let mut limit = Limit::default();
        limit.take(Stdout, "\r1 of 2\n");
        let mut shown = limit.slice();
        limit.take(Stdout, "\r2 of 2\n\r \n");
        limit.take(Stdout, "table\n");
        shown.extend(limit.finish());
        assert_eq!(settle(&text(&shown)), "table\n");
    }

    #[test]
    fn values_and_errors_are_counted() {
        let mut limit = Limit::default();
        assert!(limit.admits(1_000) && !limit.admits(100_000_000));
        for _ in 0..RESULTS - 1 {
            assert!(limit.admits(10));
        }
        assert!(!limit.admits(10));
        assert!(part_of(&"é".repeat(1_000_000)).len() <= PART_BYTES + 3);
    }
}
