//! Momentum that looks ahead (Nesterov, 1983; in the form of Sutskever and others, 2013).

use candle_core::{Tensor, Var};

use super::{
    elementwise::{Element, ElementwiseOptimizer, UpdateRule, decayed},
    settings::{fraction, not_negative},
};
use crate::Result;

/// What Nesterov's momentum can be told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NesterovConfig {
    /// The step size η.
    pub learning_rate: f64,
    /// How much of the velocity each step keeps, μ.
    pub momentum: f64,
    /// How strongly each weight is pulled towards zero, λ; 0 does not pull.
    pub weight_decay: f64,
}

impl Default for NesterovConfig {
    fn default() -> Self {
        Self {
            learning_rate: 0.01,
            momentum: 0.9,
            weight_decay: 0.0,
        }
    }
}

/// Momentum that steps from where the velocity will have carried it: `v ← μ v + g`, then `w ← w − η (g + μ v)`.
///
/// Plain momentum notices that it has passed the bottom one step late; this one sees it coming.
///
/// ```
/// use candle_core::{Device, Var};
/// use kindling::optim::{Nesterov, Optimizer};
/// let w = Var::new(&[3.0_f64], &Device::Cpu)?;
/// let mut optimizer = Nesterov::new(vec![w.clone()], 0.1, 0.5)?;
/// optimizer.backward_step(&w.sqr()?.sum_all()?)?; // v = 6, so w = 3 - 0.1 · (6 + 0.5 · 6)
/// assert!((w.to_vec1::<f64>()?[0] - 2.1).abs() < 1e-12);
/// # Ok::<(), kindling::Error>(())
/// ```
pub type Nesterov = ElementwiseOptimizer<NesterovConfig, 1>;

impl Nesterov {
    /// Fails unless `learning_rate` is zero or positive and `momentum` lies in `0..1`.
    pub fn new(parameters: Vec<Var>, learning_rate: f64, momentum: f64) -> Result<Self> {
        let config = NesterovConfig {
            learning_rate,
            momentum,
            ..NesterovConfig::default()
        };
        Self::with_config(parameters, config)
    }
}

impl UpdateRule<1> for NesterovConfig {
    const NAME: &'static str = "nesterov";
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
            (weight - rate * (gradient + momentum * velocity), [velocity])
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
        let velocity = ((velocity * self.momentum)? + &gradient)?;
        let ahead = (gradient + (&velocity * self.momentum)?)?;
        let weight = (weight - (ahead * self.learning_rate)?)?;
        Ok((weight, [velocity]))
    }
}
