//! Gradient descent with momentum: a heavy ball (Polyak, 1964).

use candle_core::{Tensor, Var};

use super::{
    elementwise::{Element, ElementwiseOptimizer, UpdateRule, decayed},
    settings::{fraction, not_negative},
};
use crate::Result;

/// What gradient descent with momentum can be told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MomentumConfig {
    /// The step size η.
    pub learning_rate: f64,
    /// How much of the velocity each step keeps, μ.
    pub momentum: f64,
    /// How strongly each weight is pulled towards zero, λ; 0 does not pull.
    pub weight_decay: f64,
}

impl Default for MomentumConfig {
    fn default() -> Self {
        Self {
            learning_rate: 0.01,
            momentum: 0.9,
            weight_decay: 0.0,
        }
    }
}

/// Gradient descent with a velocity: `v ← μ v + g`, then `w ← w − η v`.
///
/// The velocity has the shape of its parameter and starts at zero. This is the form that PyTorch uses.
///
/// ```
/// use candle_core::{Device, Var};
/// use kindling::optim::{Momentum, Optimizer};
/// let w = Var::new(&[3.0_f64], &Device::Cpu)?;
/// let mut optimizer = Momentum::new(vec![w.clone()], 0.1, 0.5)?;
/// optimizer.backward_step(&w.sqr()?.sum_all()?)?; // v = 6, so w = 3 - 0.6
/// optimizer.backward_step(&w.sqr()?.sum_all()?)?; // v = 0.5 · 6 + 4.8 = 7.8, so w = 2.4 - 0.78
/// assert!((w.to_vec1::<f64>()?[0] - 1.62).abs() < 1e-12);
/// # Ok::<(), kindling::Error>(())
/// ```
pub type Momentum = ElementwiseOptimizer<MomentumConfig, 1>;

impl Momentum {
    /// Fails unless `learning_rate` is zero or positive and `momentum` lies in `0..1`.
    pub fn new(parameters: Vec<Var>, learning_rate: f64, momentum: f64) -> Result<Self> {
        let config = MomentumConfig {
            learning_rate,
            momentum,
            ..MomentumConfig::default()
        };
        Self::with_config(parameters, config)
    }
}

impl UpdateRule<1> for MomentumConfig {
    const NAME: &'static str = "momentum";
    const STATE: [&'static str; 1] = ["velocity"];

    fn check(&self) -> Result<()> {
        not_negative("learning_rate", self.learning_rate)?;
        fraction("momentum", self.momentum)?;
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
        let momentum = self.momentum as f32;
        move |weight, gradient, [velocity]| {
            let gradient = gradient + decay * weight;
            let velocity = momentum * velocity + gradient;
            (weight - rate * velocity, [velocity])
        }
    }

    fn tensors(
        &self,
        _step: i32,
        weight: &Tensor,
        gradient: &Tensor,
        [velocity]: [&Tensor; 1],
    ) -> Result<(Tensor, [Tensor; 1])> {
        let gradient = decayed(gradient, weight, self.weight_decay)?;
        // ANCHOR: step
        let velocity = ((velocity * self.momentum)? + gradient)?;
        let weight = (weight - (&velocity * self.learning_rate)?)?;
        Ok((weight, [velocity]))
        // ANCHOR_END: step
    }
}
