//! Adam: each parameter gets a step size of its own (Kingma and Ba, 2015, algorithm 1).

use candle_core::{Tensor, Var, backprop::GradStore};

use super::{Optimizer, descend, fraction, positive};
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
}

impl Default for AdamConfig {
    fn default() -> Self {
        Self {
            learning_rate: 0.001,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
        }
    }
}

/// Gradient descent whose step is the mean gradient over the root of the mean squared gradient.
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
#[derive(Debug)]
pub struct Adam {
    parameters: Vec<Var>,
    /// For each parameter, and of its shape: the mean m of its gradients and the mean v of their squares.
    moments: Vec<(Tensor, Tensor)>,
    steps: i32,
    config: AdamConfig,
}

impl Adam {
    /// Adam with the paper's other settings. Fails unless `learning_rate` is positive and finite.
    pub fn new(parameters: Vec<Var>, learning_rate: f64) -> Result<Self> {
        Self::with_config(
            parameters,
            AdamConfig {
                learning_rate,
                ..AdamConfig::default()
            },
        )
    }

    /// Fails when a setting makes no sense, and names it.
    pub fn with_config(parameters: Vec<Var>, config: AdamConfig) -> Result<Self> {
        positive("learning_rate", config.learning_rate)?;
        positive("epsilon", config.epsilon)?;
        fraction("beta1", config.beta1)?;
        fraction("beta2", config.beta2)?;
        let zeros = |parameter: &Var| Ok((parameter.zeros_like()?, parameter.zeros_like()?));
        let moments = parameters.iter().map(zeros).collect::<Result<_>>()?;
        Ok(Self {
            parameters,
            moments,
            steps: 0,
            config,
        })
    }
}

impl Optimizer for Adam {
    fn step(&mut self, gradients: &GradStore) -> Result<()> {
        let AdamConfig {
            learning_rate,
            beta1,
            beta2,
            epsilon,
        } = self.config;
        self.steps += 1;
        // Both means start at zero and are too small at first: dividing by these corrects that.
        let (correct1, correct2) = (1.0 - beta1.powi(self.steps), 1.0 - beta2.powi(self.steps));
        for (parameter, (mean, square)) in self.parameters.iter().zip(&mut self.moments) {
            let Some(gradient) = gradients.get(parameter) else {
                continue;
            };
            let gradient = gradient.detach();
            *mean = ((&*mean * beta1)? + (&gradient * (1.0 - beta1))?)?;
            *square = ((&*square * beta2)? + (gradient.sqr()? * (1.0 - beta2))?)?;
            let size = ((&*square / correct2)?.sqrt()? + epsilon)?;
            let direction = (&*mean / correct1)?.div(&size)?;
            descend(parameter, &direction, learning_rate)?;
        }
        Ok(())
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let mut state = vec![(
            "steps".to_owned(),
            Tensor::new(&[self.steps as u32], &candle_core::Device::Cpu)?,
        )];
        for (index, (mean, square)) in self.moments.iter().enumerate() {
            state.push((format!("mean.{index}"), mean.clone()));
            state.push((format!("square.{index}"), square.clone()));
        }
        Ok(state)
    }

    fn load_state(&mut self, state: &std::collections::HashMap<String, Tensor>) -> Result<()> {
        let get = |name: String| {
            state
                .get(&name)
                .cloned()
                .ok_or_else(|| crate::Error::Argument(format!("optimizer: there is no `{name}`")))
        };
        self.steps = get("steps".to_owned())?.to_vec1::<u32>()?[0] as i32;
        for (index, moments) in self.moments.iter_mut().enumerate() {
            *moments = (
                get(format!("mean.{index}"))?,
                get(format!("square.{index}"))?,
            );
        }
        Ok(())
    }

    fn learning_rate(&self) -> f64 {
        self.config.learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: f64) -> Result<()> {
        self.config.learning_rate = positive("learning_rate", learning_rate)?;
        Ok(())
    }
}
