//! What can go wrong, in one type, so that a lesson needs one `?`.

use std::path::PathBuf;

use polars::error::PolarsError;

/// Anything that this crate can fail with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be read, or holds nothing to read.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What was expected, what was found, and what to do.
        problem: String,
    },

    /// A line of a file is not what it should be.
    #[error("{}:{line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What was expected, and what was found.
        problem: String,
    },

    /// An argument has a value that makes no sense.
    #[error("{0}")]
    Argument(String),

    /// Polars could not answer a question about a table.
    #[error(transparent)]
    Polars(#[from] PolarsError),

    /// A tensor could not be read.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

/// The result of a function that can fail with an [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
