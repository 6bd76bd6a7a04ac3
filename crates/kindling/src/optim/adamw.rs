//! AdamW: Adam with weight decay beside the gradient (Loshchilov and Hutter, 2019, algorithm 2).

use candle_core::{Tensor, Var};

use super::{
    AdamConfig,
    elementwise::{Element, ElementwiseOptimizer, UpdateRule},
    settings::{fraction, not_negative, positive},
};
use crate::Result;

/// What AdamW can be told; the defaults are PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWConfig {
    /// The step size η.
    pub learning_rate: f64,
    /// How much of the mean of past gradients each step keeps, β₁.
    pub beta1: f64,
    /// How much of the mean of past squared gradients each step keeps, β₂.
    pub beta2: f64,
    /// A small number ε that keeps a division from being one by zero.
    pub epsilon: f64,
    /// Which share of each weight a step takes away, times the learning rate: λ.
    pub weight_decay: f64,
}

impl Default for AdamWConfig {
    fn default() -> Self {
        Self {
            learning_rate: 0.001,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.01,
        }
    }
}

/// Adam that first shrinks each weight: `w ← w − η λ w`, then the step of [`Adam`](super::Adam).
///
/// Adam divides the gradient by its usual size. Weight decay as part of the gradient would be divided, too, and hardly pull on
/// weights with large gradients. Beside it, it pulls on all alike.
///
/// ```
/// use candle_core::{Device, Var};
/// use kindling::optim::{AdamW, AdamWConfig, Optimizer};
/// let w = Var::new(&[3.0_f64], &Device::Cpu)?;
/// let config = AdamWConfig { learning_rate: 0.1, weight_decay: 0.5, ..AdamWConfig::default() };
/// let mut optimizer = AdamW::with_config(vec![w.clone()], config)?;
/// optimizer.backward_step(&w.sqr()?.sum_all()?)?; // 3 shrinks by 0.1 · 0.5 · 3, then Adam's first step is 0.1
/// assert!((w.to_vec1::<f64>()?[0] - (3.0 - 0.15 - 0.1)).abs() < 1e-8);
/// # Ok::<(), kindling::Error>(())
/// ```
pub type AdamW = ElementwiseOptimizer<AdamWConfig, 2>;

impl AdamW {
    /// AdamW with PyTorch's other settings. Fails when `learning_rate` is negative or not finite.
    pub fn new(parameters: Vec<Var>, learning_rate: f64) -> Result<Self> {
        let config = AdamWConfig {
            learning_rate,
            ..AdamWConfig::default()
        };
        Self::with_config(parameters, config)
    }
}

impl AdamWConfig {
    /// The step that is left when the weights have been shrunk.
    fn adam(self) -> AdamConfig {
        AdamConfig {
            learning_rate: self.learning_rate,
            beta1: self.beta1,
            beta2: self.beta2,
            epsilon: self.epsilon,
            weight_decay: 0.0,
        }
    }
}

impl UpdateRule<2> for AdamWConfig {
    const NAME: &'static str = "adamw";
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
        let kept = (1.0 - self.learning_rate * self.weight_decay) as f32;
        let moved = self.adam().element(step);
        move |weight, gradient, state| moved(kept * weight, gradient, state)
    }

    fn tensors(
        &self,
        step: i32,
        weight: &Tensor,
        gradient: &Tensor,
        [mean, square]: [&Tensor; 2],
    ) -> Result<(Tensor, [Tensor; 2])> {
        let kept = 1.0 - self.learning_rate * self.weight_decay;
        self.adam()
            .tensors(step, &(weight * kept)?, gradient, [mean, square])
    }
}
