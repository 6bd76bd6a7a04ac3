//! AdaGrad: steps shrink where the slope was steep (Duchi, Hazan and Singer, 2011).

use candle_core::{Tensor, Var};

use super::{
    elementwise::{Element, ElementwiseOptimizer, UpdateRule, decayed},
    settings::{not_negative, positive},
};
use crate::Result;

/// What AdaGrad can be told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdaGradConfig {
    /// The step size η.
    pub learning_rate: f64,
    /// A small number ε that keeps a division from being one by zero.
    pub epsilon: f64,
    /// How strongly each weight is pulled towards zero, λ; 0 does not pull.
    pub weight_decay: f64,
}

impl Default for AdaGradConfig {
    fn default() -> Self {
        Self {
            learning_rate: 0.01,
            epsilon: 1e-10,
            weight_decay: 0.0,
        }
    }
}

/// Gradient descent that divides by the root of all squared gradients so far: `s ← s + g²`, then `w ← w − η g / (√s + ε)`.
///
/// A weight that is rarely used, such as that of a rare word, keeps its long steps. As `s` only grows, steps only shrink.
///
/// ```
/// use candle_core::{Device, Var};
/// use kindling::optim::{AdaGrad, Optimizer};
/// let w = Var::new(&[3.0_f64], &Device::Cpu)?;
/// let mut optimizer = AdaGrad::new(vec![w.clone()], 0.1)?;
/// optimizer.backward_step(&w.sqr()?.sum_all()?)?; // g = 6 and s = 36, so w = 3 - 0.1 · 6 / 6
/// assert!((w.to_vec1::<f64>()?[0] - 2.9).abs() < 1e-9);
/// # Ok::<(), kindling::Error>(())
/// ```
pub type AdaGrad = ElementwiseOptimizer<AdaGradConfig, 1>;

impl AdaGrad {
    /// AdaGrad with PyTorch's other settings. Fails when `learning_rate` is negative or not finite.
    pub fn new(parameters: Vec<Var>, learning_rate: f64) -> Result<Self> {
        let config = AdaGradConfig {
            learning_rate,
            ..AdaGradConfig::default()
        };
        Self::with_config(parameters, config)
    }
}

impl UpdateRule<1> for AdaGradConfig {
    const NAME: &'static str = "adagrad";
    const STATE: [&'static str; 1] = ["sum_of_squares"];

    fn check(&self) -> Result<()> {
        not_negative("learning_rate", self.learning_rate)?;
        positive("epsilon", self.epsilon)?;
        not_negative("weight_decay", self.weight_decay)
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = learning_rate;
    }

    fn element(self, _step: i32) -> impl Element<1> {
        let (rate, decay) = (self.learning_rate as f32, self.weight_decay as f32);
        let epsilon = self.epsilon as f32;
        move |weight, gradient, [sum]| {
            let gradient = gradient + decay * weight;
            let sum = sum + gradient * gradient;
            (weight - rate * gradient / (sum.sqrt() + epsilon), [sum])
        }
    }

    fn tensors(
        &self,
        _step: i32,
        weight: &Tensor,
        gradient: &Tensor,
        [sum]: [&Tensor; 1],
    ) -> Result<(Tensor, [Tensor; 1])> {
        let gradient = decayed(gradient, weight, self.weight_decay)?;
        let sum = (sum + gradient.sqr()?)?;
        let direction = (gradient / (sum.sqrt()? + self.epsilon)?)?;
        let weight = (weight - (direction * self.learning_rate)?)?;
        Ok((weight, [sum]))
    }
}
