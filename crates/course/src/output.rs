//! Lines that are written, and a reader that may go away: the standard `println!` would panic.
//!
//! The macros here have the standard names, so that nobody has to remember others. A line that nobody reads is lost, and the command goes on
//! to its end: a server lives on, a notebook is written all the same, and what a check found is still its exit code.

use std::{
    fmt::Arguments,
    io::{self, ErrorKind, Write},
    process::exit,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

/// What shells expect of a program that wrote where nobody reads: 128 and the number of SIGPIPE.
const CLOSED: i32 = 141;

/// Whether the command is not worth finishing where nobody reads it.
static ENDS_WITH_ITS_READER: AtomicBool = AtomicBool::new(false);

/// What went wrong with standard output besides a reader that has gone.
static PROBLEM: OnceLock<io::Error> = OnceLock::new();

/// Writes a line to standard output.
macro_rules! println {
    () => { $crate::output::print(format_args!("\n")) };
    ($($words:tt)*) => { $crate::output::print(format_args!("{}\n", format_args!($($words)*))) };
}

/// Writes to standard output.
macro_rules! print {
    ($($words:tt)*) => { $crate::output::print(format_args!($($words)*)) };
}

/// Writes a line to standard error.
macro_rules! eprintln {
    () => { $crate::output::note(format_args!("")) };
    ($($words:tt)*) => { $crate::output::note(format_args!($($words)*)) };
}

/// Ends the program, which is all about its output, as soon as nobody reads any more.
pub fn end_with_reader() {
    ENDS_WITH_ITS_READER.store(true, Ordering::Relaxed);
}

/// What the macros `print` and `println` do.
pub fn print(words: Arguments) {
    let mut output = io::stdout().lock();
    let Err(error) = output.write_fmt(words).and_then(|()| output.flush()) else {
        return;
    };
    if error.kind() != ErrorKind::BrokenPipe {
        let _ = PROBLEM.set(error); // the first one says it all
    } else if ENDS_WITH_ITS_READER.load(Ordering::Relaxed) {
        exit(CLOSED);
    }
}

/// What the macro `eprintln` does; where nobody listens, the line is lost.
pub fn note(words: Arguments) {
    let _ = writeln!(io::stderr().lock(), "{words}");
}

/// Why lines could not be written, such as a full disk; a reader that has gone away is no reason.
pub fn problem() -> Option<&'static io::Error> {
    PROBLEM.get()
}
