//! Adafactor: Adam that remembers a row and a column instead of a matrix (Shazeer and Stern, 2018, algorithm 4).

use candle_core::{D, Tensor, Var};

use super::{
    settings::{not_negative, positive},
    tensorwise::{TensorOptimizer, TensorRule},
};
use crate::{Error, Result};

/// What Adafactor can be told; the defaults are the paper's, with PyTorch's learning rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdafactorConfig {
    /// The step size η, as a fraction of the parameter's own size.
    pub learning_rate: f64,
    /// How fast the mean of squared gradients forgets less: step `k` keeps `1 − k^−decay` of it.
    pub decay: f64,
    /// The smallest mean of squared gradients, ε₁.
    pub epsilon: f64,
    /// The smallest size that a parameter counts with, ε₂: a parameter of zeros moves, too.
    pub smallest_size: f64,
    /// The largest root mean square of a step before the learning rate, d.
    pub largest_step: f64,
    /// Which fraction of each weight a step takes away, times the learning rate: λ.
    pub weight_decay: f64,
}

impl Default for AdafactorConfig {
    fn default() -> Self {
        Self {
            learning_rate: 0.01,
            decay: 0.8,
            epsilon: 1e-30,
            smallest_size: 0.001,
            largest_step: 1.0,
            weight_decay: 0.0,
        }
    }
}

/// Gradient descent whose step is the gradient over its usual size, of which only means over rows and columns are remembered.
///
/// Adam remembers two numbers for each weight, which for a large model is twice its memory. Here a matrix `(rows, columns)` is
/// remembered as `r (rows, 1)` and `c (1, columns)`, the means of its squared gradients, and each weight's mean is taken to be `r c /
/// mean(r)`. A vector is remembered whole.
///
/// ```
/// use candle_core::{DType, Device, Var};
/// use kindling::optim::{Adafactor, Optimizer};
/// let w = Var::ones((300, 200), DType::F32, &Device::Cpu)?;
/// let mut optimizer = Adafactor::new(vec![w.clone()], 0.1)?;
/// optimizer.backward_step(&w.sqr()?.sum_all()?)?;
/// assert!((w.to_vec2::<f32>()?[0][0] - 0.9).abs() < 1e-3); // a tenth of the weights' own size
/// let remembered: usize = optimizer.state()?.iter().skip(1).map(|(_, tensor)| tensor.elem_count()).sum();
/// assert_eq!(remembered, 300 + 200); // Adam remembers 2 · 300 · 200
/// # Ok::<(), kindling::Error>(())
/// ```
pub type Adafactor = TensorOptimizer<AdafactorConfig>;

impl Adafactor {
    /// Adafactor with the paper's other settings. Fails when `learning_rate` is negative or not finite.
    pub fn new(parameters: Vec<Var>, learning_rate: f64) -> Result<Self> {
        let config = AdafactorConfig {
            learning_rate,
            ..AdafactorConfig::default()
        };
        Self::with_config(parameters, config)
    }
}

impl TensorRule for AdafactorConfig {
    const NAME: &'static str = "adafactor";

    fn check(&self) -> Result<()> {
        not_negative("learning_rate", self.learning_rate)?;
        not_negative("decay", self.decay)?;
        positive("epsilon", self.epsilon)?;
        positive("smallest_size", self.smallest_size)?;
        positive("largest_step", self.largest_step)?;
        not_negative("weight_decay", self.weight_decay)
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = learning_rate;
    }

    fn initial_state(&self, parameter: &Tensor) -> Result<Vec<(&'static str, Tensor)>> {
        if parameter.rank() < 2 {
            return Ok(vec![("variance", parameter.zeros_like()?)]);
        }
        let zeros = |of: Tensor| Ok::<_, Error>(of.zeros_like()?);
        Ok(vec![
            ("row_variance", zeros(parameter.narrow(D::Minus1, 0, 1)?)?),
            (
                "column_variance",
                zeros(parameter.narrow(D::Minus2, 0, 1)?)?,
            ),
        ])
    }

    fn update(
        &self,
        step: i32,
        weight: &Tensor,
        gradient: &Tensor,
        state: &[Tensor],
    ) -> Result<(Tensor, Vec<Tensor>)> {
        let step = f64::from(step);
        let fresh = step.powf(-self.decay);
        let remember = |mean: &Tensor, now: Tensor| (mean * (1.0 - fresh))? + (now * fresh)?;
        // ANCHOR: step
        let square = gradient.sqr()?;
        let (variance, state) = match state {
            [rows, columns] => {
                let rows = remember(rows, square.mean_keepdim(D::Minus1)?)?; // (…, rows, 1)
                let columns = remember(columns, square.mean_keepdim(D::Minus2)?)?; // (…, 1, columns)
                let all = rows.mean_keepdim(D::Minus2)?.maximum(self.epsilon)?;
                let variance = rows.broadcast_mul(&columns)?.broadcast_div(&all)?;
                (variance, vec![rows, columns])
            }
            _ => {
                let variance = remember(&state[0], square)?;
                (variance.clone(), vec![variance])
            }
        };
        // Not less than the smallest `f32`: a gradient of zero must not become zero over zero.
        let smallest = (self.epsilon * self.epsilon).max(f64::from(f32::MIN_POSITIVE));
        let direction = (gradient / variance.maximum(smallest)?.sqrt()?)?;
        let too_long = (size(&direction)? / self.largest_step).max(1.0);
        // Small steps at first, and none that is large beside the weights themselves.
        let rate =
            self.learning_rate.min(1.0 / step.sqrt()) * size(weight)?.max(self.smallest_size);
        let kept = (weight * (1.0 - self.learning_rate * self.weight_decay))?;
        let weight = (kept - (direction * (rate / too_long))?)?;
        // ANCHOR_END: step
        Ok((weight, state))
    }
}

/// The root mean square of a tensor's numbers.
fn size(tensor: &Tensor) -> Result<f64> {
    let mean = tensor
        .sqr()?
        .mean_all()?
        .to_dtype(candle_core::DType::F64)?;
    Ok(mean.to_scalar::<f64>()?.sqrt())
}
