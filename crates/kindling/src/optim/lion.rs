//! Lion: every weight takes a step of the same size (Chen and others, 2023, algorithm 2).

use candle_core::{Tensor, Var};

use super::{
    elementwise::{Element, ElementwiseOptimizer, UpdateRule},
    settings::{fraction, not_negative},
};
use crate::Result;

/// What Lion can be told; the defaults are the paper's, with a learning rate a tenth of Adam's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LionConfig {
    /// The step size η.
    pub learning_rate: f64,
    /// How much of the mean of past gradients counts in the direction, β₁.
    pub beta1: f64,
    /// How much of the mean of past gradients each step keeps, β₂.
    pub beta2: f64,
    /// Which share of each weight a step takes away, times the learning rate: λ.
    pub weight_decay: f64,
}

impl Default for LionConfig {
    fn default() -> Self {
        Self {
            learning_rate: 0.0001,
            beta1: 0.9,
            beta2: 0.99,
            weight_decay: 0.0,
        }
    }
}

/// Gradient descent by signs: `w ← w − η (sign(β₁ m + (1 − β₁) g) + λ w)`, then `m ← β₂ m + (1 − β₂) g`.
///
/// A search by computer over small programs found it. It remembers half as much as Adam, and wants a learning rate three to ten times smaller.
///
/// ```
/// use candle_core::{Device, Var};
/// use kindling::optim::{Lion, Optimizer};
/// let w = Var::new(&[3.0_f64, -300.0], &Device::Cpu)?;
/// let mut optimizer = Lion::new(vec![w.clone()], 0.5)?;
/// optimizer.backward_step(&w.sqr()?.sum_all()?)?;
/// assert_eq!(w.to_vec1::<f64>()?, [2.5, -299.5]);
/// # Ok::<(), kindling::Error>(())
/// ```
pub type Lion = ElementwiseOptimizer<LionConfig, 1>;

impl Lion {
    /// Lion with the paper's other settings. Fails when `learning_rate` is negative or not finite.
    pub fn new(parameters: Vec<Var>, learning_rate: f64) -> Result<Self> {
        let config = LionConfig {
            learning_rate,
            ..LionConfig::default()
        };
        Self::with_config(parameters, config)
    }
}

impl UpdateRule<1> for LionConfig {
    const NAME: &'static str = "lion";
    const STATE: [&'static str; 1] = ["first_moment"];

    fn check(&self) -> Result<()> {
        not_negative("learning_rate", self.learning_rate)?;
        fraction("beta1", self.beta1)?;
        fraction("beta2", self.beta2)?;
        not_negative("weight_decay", self.weight_decay)
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = learning_rate;
    }

    fn element(self, _step: i32) -> impl Element<1> {
        let (rate, kept) = (
            self.learning_rate as f32,
            (1.0 - self.learning_rate * self.weight_decay) as f32,
        );
        let (beta1, fresh1) = (self.beta1 as f32, (1.0 - self.beta1) as f32);
        let (beta2, fresh2) = (self.beta2 as f32, (1.0 - self.beta2) as f32);
        move |weight, gradient, [mean]| {
            let direction = beta1 * mean + fresh1 * gradient;
            // `signum` of 0 would be 1.
            let sign = f32::from(direction > 0.0) - f32::from(direction < 0.0);
            (
                kept * weight - rate * sign,
                [beta2 * mean + fresh2 * gradient],
            )
        }
    }

    fn tensors(
        &self,
        _step: i32,
        weight: &Tensor,
        gradient: &Tensor,
        [mean]: [&Tensor; 1],
    ) -> Result<(Tensor, [Tensor; 1])> {
        let direction = ((mean * self.beta1)? + (gradient * (1.0 - self.beta1))?)?;
        let kept = (weight * (1.0 - self.learning_rate * self.weight_decay))?;
        let weight = (kept - (direction.sign()? * self.learning_rate)?)?;
        let mean = ((mean * self.beta2)? + (gradient * (1.0 - self.beta2))?)?;
        Ok((weight, [mean]))
    }
}
