//! Whole models, each one file that reads like its lesson.

mod mlp;

use candle_core::{Tensor, Var};

pub use mlp::{Dense, Mlp, MlpConfig};

use crate::Result;

/// What the training loop needs to know of a model.
pub trait Model {
    /// From a batch of inputs to what the model says of each, for a classifier the logits `(batch, classes)`.
    fn forward(&self, inputs: &Tensor) -> Result<Tensor>;

    /// The tensors that training may change.
    fn parameters(&self) -> Vec<Var>;
}
