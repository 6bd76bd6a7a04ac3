//! Models that translate: recipes, data, training, and `cargo course translate`.

mod bench;
mod evaluate;
mod network;
mod pairs;
mod recipes;
mod sides;
mod task;
mod translate;

pub use bench::{Args as BenchArgs, run as bench};
pub use evaluate::evaluate;
pub use pairs::Languages;
pub use recipes::{NAMES, recipe};
pub use task::train;
pub use translate::{Args, run};
