//! Runs cargo and follows its progress bar.

use crate::Count;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Command, ExitStatus, Stdio};

/// How a cargo ended.
#[derive(Debug)]
pub struct Ended {
    /// Whether it succeeded.
    pub status: ExitStatus,
    /// What it said besides progress: warnings and errors, line by line.
    pub words: Vec<String>,
}

impl Ended {
    /// The last lines that it said.
    #[must_use]
    pub fn tail(&self, lines: usize) -> String {
        self.words[self.words.len().saturating_sub(lines)..].join("\n")
    }
}

/// Runs cargo to its end and calls `on` for each line, with the count after it; `expected` as for [`Count::new`].
pub fn run(
    mut command: Command,
    expected: u64,
    mut on: impl FnMut(&Count, &str),
) -> io::Result<Ended> {
    let (reader, writer) = io::pipe()?;
    command
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        // So it counts exactly, and writes its bar into a pipe, too.
        .env("CARGO_TERM_PROGRESS_WHEN", "always")
        .env("CARGO_TERM_PROGRESS_WIDTH", "80")
        .env("CARGO_TERM_QUIET", "false")
        .env("CARGO_TERM_VERBOSE", "false")
        .env("CARGO_TERM_COLOR", "never");
    let mut child = command.spawn()?;
    // Its copies of the pipe's end: the pipe ends with the child.
    drop(command);
    let mut count = Count::new(expected);
    let mut words = Vec::new();
    each_line(reader, |line| {
        if !count.read(line) {
            words.push(line.to_owned());
        }
        on(&count, line);
    })?;
    Ok(Ended {
        status: child.wait()?,
        words,
    })
}

/// Cargo ends the lines of its bar with a carriage return.
fn each_line(reader: impl Read, mut each: impl FnMut(&str)) -> io::Result<()> {
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    loop {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() {
            break;
        }
        let end = bytes.iter().position(|byte| b"\r\n".contains(byte));
        line.extend_from_slice(&bytes[..end.unwrap_or(bytes.len())]);
        let used = end.map_or(bytes.len(), |end| end + 1);
        reader.consume(used);
        if end.is_some() {
            each(&String::from_utf8_lossy(&line));
            line.clear();
        }
    }
    if !line.is_empty() {
        each(&String::from_utf8_lossy(&line));
    }
    Ok(())
}

/// Takes away what `cargo run` tells a program about its package: build scripts that look at it would run again.
pub fn without_package(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let about = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_")
                || name.starts_with("CARGO_MANIFEST_")
                || [
                    "CARGO_BIN_NAME",
                    "CARGO_CRATE_NAME",
                    "CARGO_PRIMARY_PACKAGE",
                ]
                .contains(&name)
        });
        if about {
            command.env_remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_in_either_way() {
        let mut lines = Vec::new();
        each_line(&b"a\rb\r\nc\xffd"[..], |line| lines.push(line.to_owned())).unwrap();
        assert_eq!(lines, ["a", "b", "", "c\u{fffd}d"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_failure_keeps_its_words() {
        let mut command = Command::new("sh");
        let script = "printf '    Building [=> ] 3/12: x\\r' >&2; echo '{\"reason\":\"x\"}'; echo 'error: no' >&2; exit 101";
        command.args(["-c", script]);
        let mut seen = Vec::new();
        let ended = run(command, 0, |count, _| seen.push((count.done, count.total))).unwrap();
        assert_eq!(ended.status.code(), Some(101));
        assert_eq!(ended.words, ["error: no"]);
        assert_eq!(seen, [(3, 12); 3]);
    }
}
