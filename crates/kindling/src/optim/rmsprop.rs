//! RMSProp: AdaGrad that forgets (Hinton, lecture 6e of his course of 2012).

use candle_core::{Tensor, Var};

use super::{
    elementwise::{Element, ElementwiseOptimizer, UpdateRule, decayed},
    settings::{fraction, not_negative, positive},
};
use crate::Result;

/// What RMSProp can be told; the defaults are PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RmsPropConfig {
    /// The step size η.
    pub learning_rate: f64,
    /// How much of the mean of past squared gradients each step keeps, α.
    pub decay: f64,
    /// A small number ε that keeps a division from being one by zero.
    pub epsilon: f64,
    /// How strongly each weight is pulled towards zero, λ; 0 does not pull.
    pub weight_decay: f64,
}

impl Default for RmsPropConfig {
    fn default() -> Self {
        Self {
            learning_rate: 0.01,
            decay: 0.99,
            epsilon: 1e-8,
            weight_decay: 0.0,
        }
    }
}

/// Gradient descent that divides by the root of a running mean of squared gradients: `s ← α s + (1 − α) g²`, then `w ← w − η g / (√s + ε)`.
///
/// ```
/// use candle_core::{Device, Var};
/// use kindling::optim::{Optimizer, RmsProp};
/// let w = Var::new(&[3.0_f64], &Device::Cpu)?;
/// let mut optimizer = RmsProp::new(vec![w.clone()], 0.01)?;
/// optimizer.backward_step(&w.sqr()?.sum_all()?)?; // g = 6 and s = 0.01 · 36, so w = 3 - 0.01 · 6 / 0.6
/// assert!((w.to_vec1::<f64>()?[0] - 2.9).abs() < 1e-6);
/// # Ok::<(), kindling::Error>(())
/// ```
pub type RmsProp = ElementwiseOptimizer<RmsPropConfig, 1>;

impl RmsProp {
    /// RMSProp with PyTorch's other settings. Fails when `learning_rate` is negative or not finite.
    pub fn new(parameters: Vec<Var>, learning_rate: f64) -> Result<Self> {
        let config = RmsPropConfig {
            learning_rate,
            ..RmsPropConfig::default()
        };
        Self::with_config(parameters, config)
    }
}

impl UpdateRule<1> for RmsPropConfig {
    const NAME: &'static str = "rmsprop";
    const STATE: [&'static str; 1] = ["mean_square"];

    fn check(&self) -> Result<()> {
        not_negative("learning_rate", self.learning_rate)?;
        fraction("decay", self.decay)?;
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
        let (rate, weight_decay) = (self.learning_rate as f32, self.weight_decay as f32);
        let (decay, fresh, epsilon) = (
            self.decay as f32,
            (1.0 - self.decay) as f32,
            self.epsilon as f32,
        );
        move |weight, gradient, [square]| {
            let gradient = gradient + weight_decay * weight;
            let square = decay * square + fresh * gradient * gradient;
            (
                weight - rate * gradient / (square.sqrt() + epsilon),
                [square],
            )
        }
    }

    fn tensors(
        &self,
        _step: i32,
        weight: &Tensor,
        gradient: &Tensor,
        [square]: [&Tensor; 1],
    ) -> Result<(Tensor, [Tensor; 1])> {
        let gradient = decayed(gradient, weight, self.weight_decay)?;
        let square = ((square * self.decay)? + (gradient.sqr()? * (1.0 - self.decay))?)?;
        let direction = (gradient / (square.sqrt()? + self.epsilon)?)?;
        let weight = (weight - (direction * self.learning_rate)?)?;
        Ok((weight, [square]))
    }
}
