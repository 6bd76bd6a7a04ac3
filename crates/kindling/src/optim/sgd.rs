//! Gradient descent: a step against the gradient (Cauchy, 1847; on mini-batches, Robbins and Monro, 1951).

use candle_core::{Tensor, Var};

use super::{
    elementwise::{Element, ElementwiseOptimizer, UpdateRule, decayed},
    settings::not_negative,
};
use crate::Result;

/// What gradient descent can be told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SgdConfig {
    /// The step size η.
    pub learning_rate: f64,
    /// How strongly each weight is pulled towards zero, λ; 0 does not pull.
    pub weight_decay: f64,
}

impl Default for SgdConfig {
    fn default() -> Self {
        Self {
            learning_rate: 0.01,
            weight_decay: 0.0,
        }
    }
}

/// Plain gradient descent: `w ← w − η g`.
///
/// With weight decay, `g + λ w` takes the place of `g`, as everywhere in this module where nothing else is said.
///
/// ```
/// use candle_core::{Device, Var};
/// use kindling::optim::{Optimizer, Sgd};
/// let w = Var::new(&[3.0_f64], &Device::Cpu)?;
/// let mut optimizer = Sgd::new(vec![w.clone()], 0.1)?;
/// optimizer.backward_step(&w.sqr()?.sum_all()?)?; // the gradient of w² at 3 is 6
/// assert!((w.to_vec1::<f64>()?[0] - 2.4).abs() < 1e-12);
/// # Ok::<(), kindling::Error>(())
/// ```
pub type Sgd = ElementwiseOptimizer<SgdConfig, 0>;

impl Sgd {
    /// Gradient descent without weight decay. Fails when `learning_rate` is negative or not finite.
    pub fn new(parameters: Vec<Var>, learning_rate: f64) -> Result<Self> {
        let config = SgdConfig {
            learning_rate,
            ..SgdConfig::default()
        };
        Self::with_config(parameters, config)
    }
}

impl UpdateRule<0> for SgdConfig {
    const NAME: &'static str = "sgd";
    const STATE: [&'static str; 0] = [];

    fn check(&self) -> Result<()> {
        not_negative("learning_rate", self.learning_rate)?;
        not_negative("weight_decay", self.weight_decay)
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = learning_rate;
    }

    fn element(self, _step: i32) -> impl Element<0> {
        let (rate, decay) = (self.learning_rate as f32, self.weight_decay as f32);
        move |weight, gradient, []| {
            let gradient = gradient + decay * weight;
            (weight - rate * gradient, [])
        }
    }

    fn tensors(
        &self,
        _step: i32,
        weight: &Tensor,
        gradient: &Tensor,
        []: [&Tensor; 0],
    ) -> Result<(Tensor, [Tensor; 0])> {
        let gradient = decayed(gradient, weight, self.weight_decay)?;
        Ok(((weight - (gradient * self.learning_rate)?)?, []))
    }
}
