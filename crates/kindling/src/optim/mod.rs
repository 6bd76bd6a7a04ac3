//! Optimisers: gradient descent and its descendants, each on one page of code.
//!
//! An optimiser owns handles to the parameters. Once a step it is given their gradients and moves them downhill.
//! Each file holds one formula and its settings. Where each number is moved by itself it is an [`UpdateRule`], written twice, for one
//! number and for whole tensors, and [`ElementwiseOptimizer`] is what they share; [`Muon`] and [`Adafactor`] look at whole matrices, and are
//! a [`TensorRule`] each. Around them: [`Schedule`] changes the learning rate while training goes on, and
//! [`clip_norm`] and [`clip_value`] keep gradients from being too large.

mod adafactor;
mod adagrad;
mod adam;
mod adamw;
mod clip;
mod elementwise;
mod lion;
mod momentum;
mod muon;
mod nesterov;
mod rmsprop;
mod schedule;
mod settings;
mod sgd;
mod state;
mod tensorwise;

pub use adafactor::{Adafactor, AdafactorConfig};
pub use adagrad::{AdaGrad, AdaGradConfig};
pub use adam::{Adam, AdamConfig};
pub use adamw::{AdamW, AdamWConfig};
pub use clip::{clip_norm, clip_value};
pub use elementwise::{Element, ElementwiseOptimizer, UpdateRule};
pub use lion::{Lion, LionConfig};
pub use momentum::{Momentum, MomentumConfig};
pub use muon::{Muon, MuonConfig, MuonScale};
pub use nesterov::{Nesterov, NesterovConfig};
pub use rmsprop::{RmsProp, RmsPropConfig};
pub use schedule::Schedule;
pub use sgd::{Sgd, SgdConfig};
pub use tensorwise::{TensorOptimizer, TensorRule};

use std::collections::HashMap;

use candle_core::{Tensor, backprop::GradStore};

use crate::Result;

/// What all optimisers can do.
pub trait Optimizer {
    /// Moves each parameter once, by its gradient; a parameter without one stays where it is.
    fn step(&mut self, gradients: &GradStore) -> Result<()>;

    /// The step size η.
    fn learning_rate(&self) -> f64;

    /// Changes the step size, for a schedule. Fails when it is negative or not a finite number.
    fn set_learning_rate(&mut self, learning_rate: f64) -> Result<()>;

    /// A copy of all it remembers, by name, such as `adam.first_moment.0`: what a checkpoint must keep beside the weights.
    ///
    /// The settings are not part of it: who restores a checkpoint makes the optimiser with the same ones.
    fn state(&self) -> Result<Vec<(String, Tensor)>>;

    /// Remembers what [`state`](Self::state) gave, and goes on from there bit for bit. Other names are left alone.
    ///
    /// Fails, and changes nothing, when an entry is missing or does not fit the parameters.
    fn load_state(&mut self, saved: &HashMap<String, Tensor>) -> Result<()>;

    /// Differentiates `loss` and moves every parameter once.
    fn backward_step(&mut self, loss: &Tensor) -> Result<()> {
        self.step(&loss.backward()?)
    }
}

/// So that a program can choose its optimiser while it runs.
impl Optimizer for Box<dyn Optimizer> {
    fn step(&mut self, gradients: &GradStore) -> Result<()> {
        (**self).step(gradients)
    }

    fn learning_rate(&self) -> f64 {
        (**self).learning_rate()
    }

    fn set_learning_rate(&mut self, learning_rate: f64) -> Result<()> {
        (**self).set_learning_rate(learning_rate)
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        (**self).state()
    }

    fn load_state(&mut self, saved: &HashMap<String, Tensor>) -> Result<()> {
        (**self).load_state(saved)
    }
}

#[cfg(test)]
mod tests;
