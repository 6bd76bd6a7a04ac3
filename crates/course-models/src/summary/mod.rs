//! The model that writes subject lines: its recipe, its data, its training. It is used through `kindling::pipeline::Abstractive`.

mod copies;
mod emails;
mod examples;
mod task;

use kindling::pipeline::Abstractive;

pub use task::train;

use crate::sequences::{QUICK_RISE, Recipe};

/// What the command line calls it.
pub const NAME: &str = Abstractive::NAME;

/// How it is trained.
const RECIPE: Recipe = Recipe {
    name: NAME,
    vocabulary_size: 4_000,
    epochs: 6,
    batch_size: 32,
    learning_rate: 0.002,
    schedule: QUICK_RISE,
    label_smoothing: 0.0,
    clip_norm: 1.0,
    patience: Some(4),
};
