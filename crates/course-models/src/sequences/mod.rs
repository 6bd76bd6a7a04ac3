//! What all models that turn one sequence into another share: the recipe, the pairs they learn from, and the training.

mod pairs;
mod recipe;
mod train;

pub use pairs::{BUILTIN_LICENCE, Pairs, own_pairs};
pub use recipe::{QUICK_RISE, Recipe};
pub use train::{Score, Task, train};
