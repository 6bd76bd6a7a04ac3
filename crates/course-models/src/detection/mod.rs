//! Detectors: recipes, data, training, `cargo course eval` for them and `cargo course predict detect`.

mod bench;
mod data;
mod evaluate;
mod judge;
mod predict;
mod recipe;
mod train;

pub use bench::{Args as BenchArgs, run as bench};
pub use data::AnnotationOptions;
pub use evaluate::evaluate;
pub use predict::{Args as PredictArgs, run as predict};
pub use recipe::{RECIPES, Recipe, recipe};
pub use train::train;
