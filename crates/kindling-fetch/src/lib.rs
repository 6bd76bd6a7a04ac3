//! Finds a data set: cached file, mirror folder, or a checked and resumable download.

mod error;

pub use error::{Error, Result};
