//! What all models that turn one sequence into another share: the pairs they learn from, and the training.

mod pairs;
mod task;

pub use pairs::{Pairs, own_pairs};
pub use task::{SequenceTask, train};
