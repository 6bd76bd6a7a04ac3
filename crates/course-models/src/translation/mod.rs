//! Models that translate: recipes, data, training, and `cargo course translate`.

mod network;
mod pairs;
mod recipes;
mod task;
mod translate;

pub use pairs::Languages;
pub use recipes::{NAMES, recipe};
pub use task::train;
pub use translate::{Args, run};
