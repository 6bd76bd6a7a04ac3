//! Lines that are written, and a reader that may go away: `println!` would panic.

use std::{
    io::{self, ErrorKind, Write},
    panic,
    process::exit,
};

use anyhow::{Error, Result};

/// Writes a line of the answer.
pub fn print(line: &str) -> Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{line}").map_err(Closed::or)?;
    output.flush().map_err(Closed::or)
}

/// Writes a line about work that is worth finishing: where nobody reads any more, the line is lost and the work goes on.
pub fn report(line: &str) -> Result<()> {
    print(line).or_else(|error| match error {
        closed if is_closed(&closed) => Ok(()),
        error => Err(error),
    })
}

/// Says something beside the answer; where nobody listens, it is lost.
pub fn note(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Lets the program end without a word when a library writes where nobody reads: its `println!` and `eprintln!` can only panic.
pub fn end_quietly() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let message = panic.payload().downcast_ref::<String>();
        if message.is_some_and(|message| is_broken_pipe(message)) {
            exit(0);
        }
        usual(panic);
    }));
}

/// Whether the standard library says so that a line could not be written.
fn is_broken_pipe(message: &str) -> bool {
    let pipe = io::Error::from(ErrorKind::BrokenPipe).kind().to_string();
    message.starts_with("failed printing to std") && message.to_lowercase().contains(&pipe)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_standard_library_says_of_a_broken_pipe_is_known() {
        let said =
            |kind: ErrorKind| format!("failed printing to stderr: {}", io::Error::from(kind));
        assert!(is_broken_pipe(&said(ErrorKind::BrokenPipe)));
        assert!(!is_broken_pipe(&said(ErrorKind::StorageFull)));
        assert!(!is_broken_pipe("broken pipe"));
        #[cfg(unix)]
        assert!(is_broken_pipe(
            "failed printing to stdout: Broken pipe (os error 32)"
        ));
    }
}
