//! The terminal of `up`: lines that stay, and below them one that moves.

use kindling_cargo::Line;
use std::sync::{LazyLock, Mutex};

static LINE: LazyLock<Mutex<Line>> = LazyLock::new(Mutex::default);

/// Moves the last line: `text`, with `share` (0 to 1) of everything done.
pub fn progress(text: &str, share: f64) {
    if let Ok(mut line) = LINE.lock() {
        line.show(text, share);
    }
}

/// Begins another work: where there is no terminal, its first line is due.
pub fn begin() {
    if let Ok(mut line) = LINE.lock() {
        line.clear();
        *line = Line::new();
    }
}

/// Takes the moving line away, for one that stays.
pub fn clear() {
    if let Ok(mut line) = LINE.lock() {
        line.clear();
    }
}

/// Prints a line; whoever read it may be gone, and the book is served all the same.
macro_rules! say {
    ($($words:tt)*) => {{
        $crate::up::screen::clear();
        drop(std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{}\n", format_args!($($words)*))))
    }};
}

/// The same on standard error.
macro_rules! complain {
    ($($words:tt)*) => {{
        $crate::up::screen::clear();
        drop(std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{}\n", format_args!($($words)*))))
    }};
}

pub(crate) use {complain, say};
