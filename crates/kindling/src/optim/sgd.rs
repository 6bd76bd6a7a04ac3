//! Gradient descent: a step against the gradient (Cauchy, 1847; on mini-batches, Robbins and Monro, 1951).

use candle_core::{Var, backprop::GradStore};

use super::{Optimizer, descend, positive};
use crate::Result;

/// Plain gradient descent: `w ← w − η g`.
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
#[derive(Debug)]
pub struct Sgd {
    parameters: Vec<Var>,
    learning_rate: f64,
}

impl Sgd {
    /// Fails unless `learning_rate` is positive and finite.
    pub fn new(parameters: Vec<Var>, learning_rate: f64) -> Result<Self> {
        let learning_rate = positive("learning_rate", learning_rate)?;
        Ok(Self {
            parameters,
            learning_rate,
        })
    }
}

impl Optimizer for Sgd {
    fn step(&mut self, gradients: &GradStore) -> Result<()> {
        for parameter in &self.parameters {
            if let Some(gradient) = gradients.get(parameter) {
                descend(parameter, gradient, self.learning_rate)?;
            }
        }
        Ok(())
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: f64) -> Result<()> {
        self.learning_rate = positive("learning_rate", learning_rate)?;
        Ok(())
    }
}
