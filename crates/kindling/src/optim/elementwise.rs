//! What optimisers share whose formula is one for each number: which tensors to move, and what to remember of each.

use std::collections::HashMap;

use candle_core::{Tensor, Var, backprop::GradStore};

use super::{Optimizer, settings::not_negative, state};
use crate::{Result, ops::in_place};

pub use crate::ops::in_place::Element;

/// The formula of an optimiser, which remembers `N` numbers for each weight. Its settings are `self`.
///
/// It is written twice, once for speed and once to be read and to run anywhere. The tests hold them to be equal.
pub trait UpdateRule<const N: usize>: Copy {
    /// What the optimiser is called in a checkpoint.
    const NAME: &'static str;
    /// What the `N` numbers are called in a checkpoint.
    const STATE: [&'static str; N];

    /// Fails when a setting makes no sense, and names it.
    fn check(&self) -> Result<()>;

    /// The step size η.
    fn learning_rate(&self) -> f64;

    /// Changes the step size η.
    fn set_learning_rate(&mut self, learning_rate: f64);

    /// The formula for one number: from a weight, its gradient and its state to the new weight and state.
    ///
    /// `step` counts from 1. What depends on it alone is worked out before the function that is returned.
    fn element(self, step: i32) -> impl Element<N>;

    /// The same formula in Candle's operations, all of one shape, for any device and type of number.
    fn tensors(
        &self,
        step: i32,
        weight: &Tensor,
        gradient: &Tensor,
        state: [&Tensor; N],
    ) -> Result<(Tensor, [Tensor; N])>;
}

/// An optimiser: an [`UpdateRule`], the parameters that it moves, and what it remembers of them.
#[derive(Debug)]
pub struct ElementwiseOptimizer<R, const N: usize> {
    rule: R,
    parameters: Vec<Var>,
    /// For each parameter, tensors of its shape; all start at zero.
    state: Vec<[Tensor; N]>,
    /// For each parameter, how often it was moved.
    steps: Vec<u32>,
}

impl<R: UpdateRule<N>, const N: usize> ElementwiseOptimizer<R, N> {
    /// Fails when a setting makes no sense, or a parameter is given twice, and says which.
    pub fn with_config(parameters: Vec<Var>, config: R) -> Result<Self> {
        config.check()?;
        state::distinct(&parameters)?;
        let state = parameters.iter().map(state::zeros);
        Ok(Self {
            rule: config,
            state: state.collect::<Result<_>>()?,
            steps: vec![0; parameters.len()],
            parameters,
        })
    }
}

impl<R: UpdateRule<N>, const N: usize> Optimizer for ElementwiseOptimizer<R, N> {
    fn step(&mut self, gradients: &GradStore) -> Result<()> {
        let remembered = self.state.iter_mut().zip(&mut self.steps);
        for (parameter, (state, steps)) in self.parameters.iter().zip(remembered) {
            let Some(gradient) = state::gradient_of(parameter, gradients)? else {
                continue;
            };
            let step = state::next(steps);
            if in_place::possible(parameter, gradient) {
                in_place::update(parameter, gradient, state, self.rule.element(step))?;
            } else {
                by_tensors(&self.rule, step, parameter, gradient, state)?;
            }
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
        state::save(R::NAME, &named::<R, N>(&self.state), &self.steps)
    }

    fn load_state(&mut self, saved: &HashMap<String, Tensor>) -> Result<()> {
        let (restored, steps) = state::load(R::NAME, &named::<R, N>(&self.state), saved)?;
        for (state, restored) in self.state.iter_mut().zip(restored) {
            for (tensor, restored) in state.iter_mut().zip(restored) {
                *tensor = restored;
            }
        }
        self.steps = steps;
        Ok(())
    }
}

/// What is remembered of each parameter, with its names.
fn named<R: UpdateRule<N>, const N: usize>(state: &[[Tensor; N]]) -> Vec<state::Named<'_>> {
    let names = |tensors| R::STATE.into_iter().zip(tensors).collect();
    state.iter().map(names).collect()
}

/// Moves one parameter by the rule for whole tensors.
pub(super) fn by_tensors<const N: usize>(
    rule: &impl UpdateRule<N>,
    step: i32,
    parameter: &Var,
    gradient: &Tensor,
    state: &mut [Tensor; N],
) -> Result<()> {
    // Detached: the step itself is not part of what will be differentiated next.
    let (weight, gradient) = (parameter.as_detached_tensor(), gradient.detach());
    let (moved, remembered) = rule.tensors(step, &weight, &gradient, state.each_ref())?;
    parameter.set(&moved)?;
    *state = remembered;
    Ok(())
}

/// The gradient of the loss plus `λ/2 · |w|²`, whose slope is `g + λ w`: weight decay as a pull towards zero.
pub(super) fn decayed(gradient: &Tensor, weight: &Tensor, weight_decay: f64) -> Result<Tensor> {
    if weight_decay == 0.0 {
        return Ok(gradient.clone());
    }
    Ok((gradient + (weight * weight_decay)?)?)
}
