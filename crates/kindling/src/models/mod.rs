//! Whole models, each one file that reads like its lesson.

mod mlp;

use candle_core::{Tensor, Var};

pub use mlp::{Dense, Mlp, MlpConfig};

use crate::{Result, data::Random};

/// What the training loop needs to know of a model.
pub trait Model {
    /// From a batch of inputs to what the model says of each, for a classifier the logits `(batch, classes)`.
    fn forward(&self, inputs: &Tensor) -> Result<Tensor>;

    /// The same while training, for layers that then behave otherwise, such as dropout; `random` is this step's chance.
    fn forward_training(&self, inputs: &Tensor, random: &mut Random) -> Result<Tensor> {
        let _ = random;
        self.forward(inputs)
    }

    /// The tensors that training may change.
    fn parameters(&self) -> Vec<Var>;

    /// All that a checkpoint must keep, by name: the parameters, and what a layer has measured, such as running means.
    fn state(&self) -> Vec<(String, Var)> {
        let numbered = self.parameters().into_iter().enumerate();
        numbered
            .map(|(number, parameter)| (format!("parameter.{number}"), parameter))
            .collect()
    }

    /// What to call it in a checkpoint and in messages.
    fn name(&self) -> String {
        "model".to_owned()
    }
}
