//! What can go wrong, in one type, so that a lesson needs one `?`.

/// Anything that this crate can fail with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Candle refused an operation, most often because two shapes do not fit.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),

    /// A data set could not be found, downloaded or verified.
    #[error(transparent)]
    Fetch(#[from] kindling_fetch::Error),

    /// A file does not have the format that it should have.
    #[error("{file}: {problem}")]
    Format {
        /// The file, or what stands for it.
        file: String,
        /// What was expected, what was found, and what to do.
        problem: String,
    },

    /// A tensor has a shape that the function cannot work with.
    #[error("{what}: expected shape {expected}, found {found:?}")]
    Shape {
        /// The argument that has the wrong shape.
        what: String,
        /// The expected shape in words, such as `(batch, classes)`.
        expected: String,
        /// The shape it has.
        found: Vec<usize>,
    },

    /// An argument has a value that makes no sense.
    #[error("{0}")]
    Argument(String),

    /// A text is not what a model can work with, though the rest of a set of texts may be.
    #[error("{0}")]
    Text(String),

    /// A figure could not be drawn.
    #[error("figure: {0}")]
    Plot(String),

    /// Training went wrong, for example because the loss is no longer a number.
    #[error("training stopped: {0}")]
    Training(String),

    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// The result of a function that can fail with an [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
