//! Adam: each parameter gets a step size of its own (Kingma and Ba, 2015, algorithm 1).

use candle_core::{Tensor, Var};

use super::{
    elementwise::{Element, ElementwiseOptimizer, UpdateRule, decayed},
    settings::{fraction, not_negative, positive},
};
use crate::Result;

/// What Adam can be told; the defaults are the paper's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamConfig {
    /// The step size η.
    pub learning_rate: f64,
    /// How much of the mean of past gradients each step keeps, β₁.
    pub beta1: f64,
    /// How much of the mean of past squared gradients each step keeps, β₂.
    pub beta2: f64,
    /// A small number ε that keeps a division from being one by zero.
    pub epsilon: f64,
    /// How strongly each weight is pulled towards zero, λ; 0 does not pull.
    pub weight_decay: f64,
}

impl Default for AdamConfig {
    fn default() -> Self {
        Self {
            learning_rate: 0.001,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
        }
    }
}

/// Gradient descent whose step is the mean gradient over the root of the mean squared gradient.
///
/// `m ← β₁ m + (1 − β₁) g` and `s ← β₂ s + (1 − β₂) g²`, then in step `k`:
/// `w ← w − η · m/(1 − β₁ᵏ) / (√(s/(1 − β₂ᵏ)) + ε)`. Both means start at zero and are too small at first; the divisions correct that.
///
/// ```
/// use candle_core::{Device, Var};
/// use kindling::optim::{Adam, Optimizer};
/// let w = Var::new(&[3.0_f64, -300.0], &Device::Cpu)?;
/// let mut optimizer = Adam::new(vec![w.clone()], 0.1)?;
/// optimizer.backward_step(&w.sqr()?.sum_all()?)?; // the first step is 0.1, however steep it is
/// let moved = w.to_vec1::<f64>()?;
/// assert!((moved[0] - 2.9).abs() < 1e-8 && (moved[1] + 299.9).abs() < 1e-8);
/// # Ok::<(), kindling::Error>(())
/// ```
pub type Adam = ElementwiseOptimizer<AdamConfig, 2>;

impl Adam {
    /// Adam with the paper's other settings. Fails when `learning_rate` is negative or not finite.
    pub fn new(parameters: Vec<Var>, learning_rate: f64) -> Result<Self> {
        let config = AdamConfig {
            learning_rate,
            ..AdamConfig::default()
        };
        Self::with_config(parameters, config)
    }
}

impl UpdateRule<2> for AdamConfig {
    const NAME: &'static str = "adam";
    const STATE: [&'static str; 2] = ["first_moment", "second_moment"];

    fn check(&self) -> Result<()> {
        not_negative("learning_rate", self.learning_rate)?;
        fraction("beta1", self.beta1)?;
        fraction("beta2", self.beta2)?;
        positive("epsilon", self.epsilon)?;
        not_negative("weight_decay", self.weight_decay)
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = learning_rate;
    }

    fn element(self, step: i32) -> impl Element<2> {
        let (correct1, correct2) = (1.0 - self.beta1.powi(step), 1.0 - self.beta2.powi(step));
        // √(s/c) + ε = (√s + ε √c) / √c: two divisions by corrections become part of the rate, and are done here, once.
        let rate = (self.learning_rate * correct2.sqrt() / correct1) as f32;
        let (beta1, fresh1) = (self.beta1 as f32, (1.0 - self.beta1) as f32);
        let (beta2, fresh2) = (self.beta2 as f32, (1.0 - self.beta2) as f32);
        let epsilon = (self.epsilon * correct2.sqrt()) as f32;
        let decay = self.weight_decay as f32;
        move |weight, gradient, [mean, square]| {
            let gradient = gradient + decay * weight;
            let mean = beta1 * mean + fresh1 * gradient;
            let square = beta2 * square + fresh2 * gradient * gradient;
            let size = square.sqrt() + epsilon;
            (weight - rate * mean / size, [mean, square])
        }
    }

    fn tensors(
        &self,
        step: i32,
        weight: &Tensor,
        gradient: &Tensor,
        [mean, square]: [&Tensor; 2],
    ) -> Result<(Tensor, [Tensor; 2])> {
        let (correct1, correct2) = (1.0 - self.beta1.powi(step), 1.0 - self.beta2.powi(step));
        let gradient = decayed(gradient, weight, self.weight_decay)?;
        let mean = ((mean * self.beta1)? + (&gradient * (1.0 - self.beta1))?)?;
        let square = ((square * self.beta2)? + (gradient.sqr()? * (1.0 - self.beta2))?)?;
        let size = ((&square / correct2)?.sqrt()? + self.epsilon)?;
        let direction = ((&mean / correct1)? / size)?;
        let weight = (weight - (direction * self.learning_rate)?)?;
        Ok((weight, [mean, square]))
    }
}
