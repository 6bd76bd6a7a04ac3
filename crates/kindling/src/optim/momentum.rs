//! Gradient descent with momentum: a heavy ball (Polyak, 1964).

use candle_core::{Tensor, Var, backprop::GradStore};

use super::{Optimizer, descend, fraction, positive};
use crate::Result;

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
#[derive(Debug)]
pub struct Momentum {
    parameters: Vec<Var>,
    velocities: Vec<Tensor>,
    learning_rate: f64,
    momentum: f64,
}

impl Momentum {
    /// Fails unless `learning_rate` is positive and `momentum` lies in `0..1`.
    pub fn new(parameters: Vec<Var>, learning_rate: f64, momentum: f64) -> Result<Self> {
        let velocities = parameters.iter().map(|parameter| parameter.zeros_like());
        Ok(Self {
            velocities: velocities.collect::<candle_core::Result<_>>()?,
            parameters,
            learning_rate: positive("learning_rate", learning_rate)?,
            momentum: fraction("momentum", momentum)?,
        })
    }
}

impl Optimizer for Momentum {
    // ANCHOR: step
    fn step(&mut self, gradients: &GradStore) -> Result<()> {
        for (parameter, velocity) in self.parameters.iter().zip(&mut self.velocities) {
            if let Some(gradient) = gradients.get(parameter) {
                *velocity = ((&*velocity * self.momentum)? + gradient.detach())?;
                descend(parameter, velocity, self.learning_rate)?;
            }
        }
        Ok(())
    }
    // ANCHOR_END: step

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: f64) -> Result<()> {
        self.learning_rate = positive("learning_rate", learning_rate)?;
        Ok(())
    }
}
