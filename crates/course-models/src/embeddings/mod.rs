//! Word vectors: what they are learned from, training, and their benchmark.

mod bench;
mod train;
mod words;

pub use bench::{Args as BenchArgs, run as bench};
pub use train::{Args as TrainArgs, run as train};

/// What `cargo course train` calls them.
pub const NAME: &str = "word2vec";
