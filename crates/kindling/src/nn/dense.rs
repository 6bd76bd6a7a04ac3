//! The fully connected layer.

use candle_core::{DType, Device, Tensor, Var};

use crate::{
    Result,
    data::Random,
    ops::{linear, linear_relu},
};

// ANCHOR: dense
/// A fully connected layer: `z = W x + b`, for each example of a batch.
#[derive(Debug, Clone)]
pub struct Dense {
    /// `(outputs, inputs)`, one unit a row.
    pub weight: Var,
    /// `(outputs)`.
    pub bias: Var,
}

impl Dense {
    /// Weights drawn evenly from ±√(6 / (inputs + outputs)) (Glorot and Bengio, 2010), biases zero.
    pub fn new(inputs: usize, outputs: usize, random: &mut Random) -> Result<Self> {
        let limit = (6.0 / (inputs + outputs) as f64).sqrt();
        let weight = Var::from_tensor(&random.uniform((outputs, inputs), -limit, limit)?)?;
        let bias = Var::zeros(outputs, DType::F32, &Device::Cpu)?;
        Ok(Self { weight, bias })
    }

    /// From `(…, inputs)` to `(…, outputs)`: `x Wᵀ + b` for each row, in one operation.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        linear(x, &self.weight, &self.bias) // (…, outputs)
    }

    /// [`Dense::forward`] and then ReLU.
    pub fn forward_relu(&self, x: &Tensor) -> Result<Tensor> {
        linear_relu(x, &self.weight, &self.bias) // (…, outputs)
    }

    /// Weight and bias by name.
    #[must_use]
    pub fn state(&self, name: &str) -> Vec<(String, Var)> {
        vec![
            (format!("{name}.weight"), self.weight.clone()),
            (format!("{name}.bias"), self.bias.clone()),
        ]
    }
}
// ANCHOR_END: dense
