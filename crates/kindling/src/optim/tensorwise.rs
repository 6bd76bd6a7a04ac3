//! What optimisers share whose formula needs a whole parameter: a matrix has rows and columns, and one number has none.

use std::collections::HashMap;

use candle_core::{Tensor, Var, backprop::GradStore};

use super::{Optimizer, settings::not_negative, state};
use crate::{Error, Result};

/// The formula of an optimiser that moves a whole parameter at a time, and remembers tensors of any shape. Its settings are
/// `self`.
pub trait TensorRule: Copy {
    /// What the optimiser is called in a checkpoint.
    const NAME: &'static str;

    /// Fails when a setting makes no sense, and names it.
    fn check(&self) -> Result<()>;

    /// The step size η.
    fn learning_rate(&self) -> f64;

    /// Changes the step size η.
    fn set_learning_rate(&mut self, learning_rate: f64);

    /// What a parameter must be, where one of this shape cannot be moved.
    fn requires(&self, _dims: &[usize]) -> Option<&'static str> {
        None
    }

    /// What is remembered of a parameter before its first step, with the names for a checkpoint.
    fn initial_state(&self, parameter: &Tensor) -> Result<Vec<(&'static str, Tensor)>>;

    /// From a weight, its gradient and its state to the new weight and state. `step` counts from 1.
    fn update(
        &self,
        step: i32,
        weight: &Tensor,
        gradient: &Tensor,
        state: &[Tensor],
    ) -> Result<(Tensor, Vec<Tensor>)>;
}

/// An optimiser: a [`TensorRule`], the parameters that it moves, and what it remembers of them.
#[derive(Debug)]
pub struct TensorOptimizer<R> {
    rule: R,
    parameters: Vec<Var>,
    /// For each parameter, what its tensors are called, and the tensors.
    names: Vec<Vec<&'static str>>,
    state: Vec<Vec<Tensor>>,
    /// For each parameter, how often it was moved.
    steps: Vec<u32>,
}

impl<R: TensorRule> TensorOptimizer<R> {
    /// Fails when a setting makes no sense, or a parameter is given twice or is one that the rule cannot move, and says which.
    pub fn with_config(parameters: Vec<Var>, config: R) -> Result<Self> {
        config.check()?;
        state::distinct(&parameters)?;
        let (mut names, mut state) = (Vec::new(), Vec::new());
        for (number, parameter) in parameters.iter().enumerate() {
            if let Some(expected) = config.requires(parameter.dims()) {
                return Err(Error::Shape {
                    what: format!("parameters: number {number}"),
                    expected: expected.to_owned(),
                    found: parameter.dims().to_vec(),
                });
            }
            let remembered = config.initial_state(&parameter.as_detached_tensor())?;
            let (own_names, tensors) = remembered.into_iter().unzip();
            names.push(own_names);
            state.push(tensors);
        }
        Ok(Self {
            rule: config,
            steps: vec![0; parameters.len()],
            parameters,
            names,
            state,
        })
    }

    fn named(&self) -> Vec<state::Named<'_>> {
        let pairs = self.names.iter().zip(&self.state);
        let pair = |(names, tensors): (&Vec<&'static str>, _)| {
            names.iter().copied().zip(tensors).collect()
        };
        pairs.map(pair).collect()
    }
}

impl<R: TensorRule> Optimizer for TensorOptimizer<R> {
    fn step(&mut self, gradients: &GradStore) -> Result<()> {
        let remembered = self.state.iter_mut().zip(&mut self.steps);
        for (parameter, (state, steps)) in self.parameters.iter().zip(remembered) {
            let Some(gradient) = state::gradient_of(parameter, gradients)? else {
                continue;
            };
            let step = state::next(steps);
            // Detached: the step itself is not part of what will be differentiated next.
            let (weight, gradient) = (parameter.as_detached_tensor(), gradient.detach());
            let (moved, remembered) = self.rule.update(step, &weight, &gradient, state)?;
            parameter.set(&moved)?;
            *state = remembered;
        }
        Ok(())
    }

    fn learning_rate(&self) -> f64 {
        self.rule.learning_rate()
    }

    fn set_learning_rate(&mut self, learning_rate: f64) -> Result<()> {
        not_negative("learning_rate", learning_rate)?;
        self.rule.set_learning_rate(learning_rate);
        Ok(())
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        state::save(R::NAME, &self.named(), &self.steps)
    }

    fn load_state(&mut self, saved: &HashMap<String, Tensor>) -> Result<()> {
        (self.state, self.steps) = state::load(R::NAME, &self.named(), saved)?;
        Ok(())
    }
}
