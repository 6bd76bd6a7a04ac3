//! One error type: every message starts with the page and the line.

use std::path::PathBuf;

/// What is wrong with a page, where, and what to do about it.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("{}:{line}: {message}", path.display())]
pub struct PageError {
    /// The file, relative to the repository (`book/src/…`).
    pub path: PathBuf,
    /// The line in that file, counted from 1.
    pub line: usize,
    /// What was found, what was expected and what to do.
    pub message: String,
}

impl PageError {
    /// An error at `line` of `path`.
    pub fn new(path: impl Into<PathBuf>, line: usize, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            line,
            message: message.into(),
        }
    }
}
