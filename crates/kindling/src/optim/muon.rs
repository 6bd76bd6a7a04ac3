//! Muon: a matrix takes a step of the same size in every direction (Jordan and others, 2024).

use candle_core::{Tensor, Var};

use super::{
    settings::{fraction, not_negative, positive},
    tensorwise::{TensorOptimizer, TensorRule},
};
use crate::{Error, Result};

/// How long Muon's step is for a matrix `(rows, columns)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MuonScale {
    /// `√max(1, rows/columns)`, as Muon was first published.
    Spectral,
    /// `0.2 · √max(rows, columns)`: about as long as a step of AdamW, whose learning rate and weight decay then serve here, too (Liu
    /// and others, 2025).
    AdamW,
}

/// What Muon can be told; the defaults are PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MuonConfig {
    /// The step size η.
    pub learning_rate: f64,
    /// How much of the mean of past gradients each step keeps, μ.
    pub momentum: f64,
    /// Whether the step looks ahead as Nesterov's momentum does.
    pub nesterov: bool,
    /// Which fraction of each weight a step takes away, times the learning rate: λ.
    pub weight_decay: f64,
    /// How many rounds of Newton and Schulz bring the singular values near 1.
    pub rounds: usize,
    /// A small number ε that keeps a division from being one by zero.
    pub epsilon: f64,
    /// How long a step is.
    pub scale: MuonScale,
}

impl Default for MuonConfig {
    fn default() -> Self {
        Self {
            learning_rate: 0.001,
            momentum: 0.95,
            nesterov: true,
            weight_decay: 0.1,
            rounds: 5,
            epsilon: 1e-7,
            scale: MuonScale::Spectral,
        }
    }
}

/// Momentum whose step is made orthogonal: `w ← w − η λ w`, then `w ← w − η · scale · U Vᵀ`, where `U S Vᵀ` is the mean gradient.
///
/// The gradient of a weight matrix is mostly steep in a few directions, and its other directions hardly learn. With all singular values
/// `S` replaced by 1 each direction moves as far. Only for matrices: embeddings, biases and scales go to another optimiser, such as
/// [`AdamW`](super::AdamW). PyTorch computes the rounds in `bfloat16`; here they keep the parameter's type.
///
/// ```
/// use candle_core::{Device, Tensor, Var};
/// use kindling::optim::{Muon, Optimizer};
/// let w = Var::new(&[[0.0_f64, 0.0], [0.0, 0.0]], &Device::Cpu)?;
/// let slope = Tensor::new(&[[3.0_f64, 0.0], [0.0, 0.3]], &Device::Cpu)?; // ten times steeper one way
/// let mut optimizer = Muon::new(vec![w.clone()], 0.1)?;
/// optimizer.backward_step(&(w.as_tensor() * slope)?.sum_all()?)?;
/// let moved = w.to_vec2::<f64>()?;
/// assert!((0.5..1.5).contains(&(moved[0][0] / moved[1][1]))); // and moves about as far both ways
/// # Ok::<(), kindling::Error>(())
/// ```
pub type Muon = TensorOptimizer<MuonConfig>;

impl Muon {
    /// Muon with PyTorch's other settings. Fails when `learning_rate` is negative or not finite, and for a parameter that is no
    /// matrix.
    pub fn new(parameters: Vec<Var>, learning_rate: f64) -> Result<Self> {
        let config = MuonConfig {
            learning_rate,
            ..MuonConfig::default()
        };
        Self::with_config(parameters, config)
    }
}

impl TensorRule for MuonConfig {
    const NAME: &'static str = "muon";

    fn check(&self) -> Result<()> {
        not_negative("learning_rate", self.learning_rate)?;
        fraction("momentum", self.momentum)?;
        not_negative("weight_decay", self.weight_decay)?;
        positive("epsilon", self.epsilon)?;
        if self.rounds == 0 {
            return Err(Error::Argument(
                "rounds: expected at least 1, found 0".to_owned(),
            ));
        }
        Ok(())
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = learning_rate;
    }

    fn requires(&self, dims: &[usize]) -> Option<&'static str> {
        (dims.len() != 2).then_some(
            "a matrix (rows, columns); give other parameters to another optimiser, such as AdamW",
        )
    }

    fn initial_state(&self, parameter: &Tensor) -> Result<Vec<(&'static str, Tensor)>> {
        Ok(vec![("mean", parameter.zeros_like()?)])
    }

    fn update(
        &self,
        _step: i32,
        weight: &Tensor,
        gradient: &Tensor,
        state: &[Tensor],
    ) -> Result<(Tensor, Vec<Tensor>)> {
        let (rows, columns) = weight.dims2()?;
        let fresh = (gradient * (1.0 - self.momentum))?;
        // ANCHOR: step
        let mean = ((&state[0] * self.momentum)? + &fresh)?;
        let direction = if self.nesterov {
            ((&mean * self.momentum)? + fresh)?
        } else {
            mean.clone()
        };
        let direction = orthogonal(&direction, self.rounds, self.epsilon)?;
        let scale = match self.scale {
            MuonScale::Spectral => (rows as f64 / columns as f64).max(1.0).sqrt(),
            MuonScale::AdamW => 0.2 * (rows.max(columns) as f64).sqrt(),
        };
        let kept = (weight * (1.0 - self.learning_rate * self.weight_decay))?;
        let weight = (kept - (direction * (self.learning_rate * scale))?)?;
        // ANCHOR_END: step
        Ok((weight, vec![mean]))
    }
}

/// About `U Vᵀ` of a matrix `U S Vᵀ` `(rows, columns)`: its singular values end between 0.7 and 1.2.
///
/// A polynomial of odd powers changes the singular values alone, and this one pushes them towards 1: `X ← a X + (b A + c A²) X` with `A = X
/// Xᵀ`. Divided by its norm, none of them is above 1 at the start.
fn orthogonal(matrix: &Tensor, rounds: usize, epsilon: f64) -> Result<Tensor> {
    const POWERS: (f64, f64, f64) = (3.4445, -4.775, 2.0315);
    let (rows, columns) = matrix.dims2()?;
    // The smaller of both products.
    let turned = rows > columns;
    let matrix = if turned {
        matrix.t()?.contiguous()?
    } else {
        matrix.clone()
    };
    let norm = matrix.sqr()?.sum_all()?.sqrt()?.maximum(epsilon)?;
    let mut x = matrix.broadcast_div(&norm)?;
    let (a, b, c) = POWERS;
    for _ in 0..rounds {
        let gram = x.matmul(&x.t()?)?; // (rows, rows)
        let square = gram.matmul(&gram)?;
        let polynomial = ((gram * b)? + (square * c)?)?;
        x = ((&x * a)? + polynomial.matmul(&x)?)?;
    }
    Ok(if turned { x.t()?.contiguous()? } else { x })
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;
    use crate::{data::Random, optim::Optimizer};

    #[test]
    fn the_singular_values_of_a_step_are_near_one() {
        let numbers = Random::new(5).normal((6, 4), 0.0, 3.0).unwrap();
        for matrix in [numbers.clone(), numbers.t().unwrap()] {
            let step = orthogonal(&matrix, 5, 1e-7).unwrap();
            assert_eq!(step.dims(), matrix.dims());
            let tall = if step.dims()[0] > 4 {
                step
            } else {
                step.t().unwrap()
            };
            let gram = tall.t().unwrap().matmul(&tall).unwrap();
            for (row, numbers) in gram.to_vec2::<f32>().unwrap().into_iter().enumerate() {
                for (column, number) in numbers.into_iter().enumerate() {
                    let expected = if row == column { 0.45..1.6 } else { -0.4..0.4 };
                    assert!(expected.contains(&number), "{row} {column}: {number}");
                }
            }
        }
        let nothing = Tensor::zeros((2, 3), DType::F32, &Device::Cpu).unwrap();
        let step = orthogonal(&nothing, 5, 1e-7).unwrap();
        assert_eq!(step.to_vec2::<f32>().unwrap(), [[0.0; 3]; 2]);
    }

    #[test]
    fn a_vector_is_refused_and_named() {
        let matrix = Var::zeros((2, 3), DType::F32, &Device::Cpu).unwrap();
        let bias = Var::zeros(3, DType::F32, &Device::Cpu).unwrap();
        let error = Muon::new(vec![matrix.clone(), bias], 0.1)
            .map(drop)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "parameters: number 1: expected shape a matrix (rows, columns); give other parameters to another optimiser, such as AdamW, found [3]"
        );
        let config = MuonConfig {
            rounds: 0,
            ..MuonConfig::default()
        };
        let error = Muon::with_config(vec![matrix], config)
            .map(drop)
            .unwrap_err();
        assert_eq!(error.to_string(), "rounds: expected at least 1, found 0");
    }

    #[test]
    fn a_restored_muon_goes_on_bit_for_bit() {
        let w = Var::from_tensor(&Random::new(1).normal((3, 2), 0.0, 1.0).unwrap()).unwrap();
        let train = |muon: &mut Muon| {
            for _ in 0..5 {
                let loss = (w.sqr().unwrap() + w.sin().unwrap()).unwrap();
                muon.backward_step(&loss.sum_all().unwrap()).unwrap();
            }
            w.copy().unwrap()
        };
        let mut first = Muon::new(vec![w.clone()], 0.1).unwrap();
        let middle = train(&mut first);
        let saved = first.state().unwrap().into_iter().collect();
        let end = train(&mut first);
        w.set(&middle).unwrap();
        let mut second = Muon::new(vec![w.clone()], 0.1).unwrap();
        second.load_state(&saved).unwrap();
        let again = train(&mut second);
        assert_eq!(
            again.to_vec2::<f32>().unwrap(),
            end.to_vec2::<f32>().unwrap()
        );
    }
}
