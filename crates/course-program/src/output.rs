//! Lines that are written, and a reader that may go away: `println!` would panic.

use std::io::{self, ErrorKind, Write};

use anyhow::{Error, Result};

/// Writes a line of the answer.
pub fn print(line: &str) -> Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{line}").map_err(Closed::or)?;
    output.flush().map_err(Closed::or)
}

/// Says something beside the answer; where nobody listens, it is lost.
pub fn note(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Whether this error is that nobody reads the answer any more.
pub fn is_closed(error: &Error) -> bool {
    error.is::<Closed>()
}

/// The reader of the answer has gone away.
#[derive(Debug)]
struct Closed;

impl Closed {
    fn or(error: io::Error) -> Error {
        if error.kind() == ErrorKind::BrokenPipe {
            Error::new(Self)
        } else {
            Error::new(error).context("standard output")
        }
    }
}

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("nobody reads standard output any more")
    }
}

impl std::error::Error for Closed {}
