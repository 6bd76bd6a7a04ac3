//! A multilayer perceptron with one hidden layer: the network of the lesson *Handwritten digits*.
//!
//! Left out: more layers, dropout and other activations.

use candle_core::{Tensor, Var};

use super::Model;
use crate::{Error, Result, data::Random, nn::Dense};

// ANCHOR: config
/// The sizes of an [`Mlp`]; by default those for MNIST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MlpConfig {
    /// How many numbers one example has, once flattened.
    pub inputs: usize,
    /// How many units the hidden layer has.
    pub hidden: usize,
    /// How many classes there are.
    pub classes: usize,
}

impl Default for MlpConfig {
    fn default() -> Self {
        Self {
            inputs: 28 * 28,
            hidden: 128,
            classes: 10,
        }
    }
}
// ANCHOR_END: config

// ANCHOR: mlp
/// Flatten, [`Dense`], ReLU, [`Dense`].
#[derive(Debug, Clone)]
pub struct Mlp {
    /// From pixels to patterns.
    pub hidden: Dense,
    /// From patterns to logits.
    pub output: Dense,
}

impl Mlp {
    /// A model with random weights; the same seed gives the same weights.
    pub fn new(config: &MlpConfig, seed: u64) -> Result<Self> {
        let mut random = Random::new(seed);
        let hidden = Dense::new(config.inputs, config.hidden, &mut random)?;
        let output = Dense::new(config.hidden, config.classes, &mut random)?;
        Ok(Self { hidden, output })
    }
}

impl Model for Mlp {
    /// From images, such as `(batch, 28, 28)`, to logits `(batch, classes)`.
    fn forward(&self, images: &Tensor) -> Result<Tensor> {
        self.check(images)?;
        let x = images.flatten_from(1)?; // (batch, inputs)
        let x = self.hidden.forward_relu(&x)?; // (batch, hidden)
        self.output.forward(&x) // (batch, classes)
    }

    fn parameters(&self) -> Vec<Var> {
        let (hidden, output) = (self.hidden.clone(), self.output.clone());
        vec![hidden.weight, hidden.bias, output.weight, output.bias]
    }

    fn state(&self) -> Vec<(String, Var)> {
        [self.hidden.state("hidden"), self.output.state("output")].concat()
    }

    fn name(&self) -> String {
        "mlp".to_owned()
    }
}
// ANCHOR_END: mlp

impl Mlp {
    fn check(&self, images: &Tensor) -> Result<()> {
        let (inputs, dims) = (self.hidden.weight.dim(1)?, images.dims());
        if dims.len() >= 2 && dims[1..].iter().product::<usize>() == inputs {
            return Ok(());
        }
        Err(Error::Shape {
            what: "images".to_owned(),
            expected: format!("(batch, …) with {inputs} numbers for each example"),
            found: dims.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    fn small() -> Mlp {
        Mlp::new(
            &MlpConfig {
                inputs: 6,
                hidden: 4,
                classes: 3,
            },
            1,
        )
        .unwrap()
    }

    #[test]
    fn shapes_and_number_of_parameters() {
        let logits = small()
            .forward(&Tensor::ones((5, 2, 3), DType::F32, &Device::Cpu).unwrap())
            .unwrap();
        assert_eq!(logits.dims(), [5, 3]);
        let digits = Mlp::new(&MlpConfig::default(), 0).unwrap();
        let count: usize = digits
            .parameters()
            .iter()
            .map(|parameter| parameter.elem_count())
            .sum();
        assert_eq!(count, 784 * 128 + 128 + 128 * 10 + 10);
    }

    #[test]
    fn weights_lie_within_the_glorot_limit_and_use_its_width() {
        let layer = Dense::new(50, 70, &mut Random::new(2)).unwrap();
        let weights = layer
            .weight
            .flatten_all()
            .unwrap()
            .to_vec1::<f32>()
            .unwrap();
        let limit = (6.0_f32 / 120.0).sqrt();
        let largest = weights
            .iter()
            .fold(0_f32, |most, weight| most.max(weight.abs()));
        assert!(
            largest <= limit && largest > 0.99 * limit,
            "{largest} {limit}"
        );
        assert_eq!(layer.bias.to_vec1::<f32>().unwrap(), [0.0; 70]);
    }

    #[test]
    fn the_forward_pass_is_the_formula() {
        let model = small();
        let x = Random::new(3).normal((2, 6), 0.0, 1.0).unwrap();
        let rows = |tensor: &Tensor| tensor.to_vec2::<f32>().unwrap();
        let (input, hidden, output) = (
            rows(&x),
            rows(&model.hidden.weight),
            rows(&model.output.weight),
        );
        let logits = rows(&model.forward(&x).unwrap());
        for (example, numbers) in input.iter().enumerate() {
            let unit = |j: usize| {
                numbers
                    .iter()
                    .zip(&hidden[j])
                    .map(|(x, weight)| x * weight)
                    .sum::<f32>()
                    .max(0.0)
            };
            for (class, logit) in logits[example].iter().enumerate() {
                let expected: f32 = output[class]
                    .iter()
                    .enumerate()
                    .map(|(j, weight)| weight * unit(j))
                    .sum();
                assert!((expected - logit).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn a_wrong_shape_is_named() {
        let error = small()
            .forward(&Tensor::ones((5, 7), DType::F32, &Device::Cpu).unwrap())
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "images: expected shape (batch, …) with 6 numbers for each example, found [5, 7]"
        );
    }
}
