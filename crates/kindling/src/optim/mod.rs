//! Optimisers: gradient descent and its descendants, each on one page of code.
//!
//! An optimiser owns handles to the parameters. Once a step it is given their gradients and moves them downhill.

mod adam;
mod momentum;
mod sgd;

pub use adam::{Adam, AdamConfig};
pub use momentum::Momentum;
pub use sgd::Sgd;

use candle_core::{Tensor, Var, backprop::GradStore};

use crate::{Error, Result};

/// What all optimisers can do.
pub trait Optimizer {
    /// Moves each parameter once, by its gradient; a parameter without one stays where it is.
    fn step(&mut self, gradients: &GradStore) -> Result<()>;

    /// The step size η.
    fn learning_rate(&self) -> f64;

    /// Changes the step size, for a schedule. Fails unless it is positive and finite.
    fn set_learning_rate(&mut self, learning_rate: f64) -> Result<()>;

    /// What a resumed run needs.
    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        Ok(Vec::new())
    }

    /// Goes on from there.
    fn load_state(&mut self, state: &std::collections::HashMap<String, Tensor>) -> Result<()> {
        let _ = state;
        Ok(())
    }

    /// Differentiates `loss` and moves every parameter once.
    fn backward_step(&mut self, loss: &Tensor) -> Result<()> {
        self.step(&loss.backward()?)
    }
}

/// Moves `parameter` by `-rate · direction`.
fn descend(parameter: &Var, direction: &Tensor, rate: f64) -> Result<()> {
    // Detached: the step itself is not part of what will be differentiated next.
    let moved = (parameter.as_detached_tensor() - (direction.detach() * rate)?)?;
    Ok(parameter.set(&moved)?)
}

/// Checks that a hyper-parameter is a positive number.
fn positive(name: &str, value: f64) -> Result<f64> {
    if value.is_finite() && value > 0.0 {
        return Ok(value);
    }
    Err(Error::Argument(format!(
        "{name}: expected a positive number, found {value}"
    )))
}

/// Checks that a hyper-parameter that says how much of the past is kept lies in `0..1`.
fn fraction(name: &str, value: f64) -> Result<f64> {
    if (0.0..1.0).contains(&value) {
        return Ok(value);
    }
    Err(Error::Argument(format!(
        "{name}: expected a number from 0 up to, but not including, 1, found {value}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use candle_nn::Optimizer as _;

    fn var(values: &[f64]) -> Var {
        Var::new(values, &Device::Cpu).unwrap()
    }

    /// A bowl that is ten times steeper one way than the other; its lowest point is (1, -2).
    fn bowl(w: &Var) -> Tensor {
        let gap = w
            .broadcast_sub(&Tensor::new(&[1.0, -2.0], &Device::Cpu).unwrap())
            .unwrap();
        let steepness = Tensor::new(&[1.0, 10.0], &Device::Cpu).unwrap();
        (gap.sqr().unwrap() * steepness).unwrap().sum_all().unwrap()
    }

    fn distance_after(optimizer: &mut dyn Optimizer, w: &Var, steps: usize) -> f64 {
        for _ in 0..steps {
            optimizer.backward_step(&bowl(w)).unwrap();
        }
        bowl(w).to_scalar().unwrap()
    }

    #[test]
    fn every_optimizer_finds_the_bottom() {
        let w = var(&[5.0, 5.0]);
        assert!(distance_after(&mut Sgd::new(vec![w.clone()], 0.04).unwrap(), &w, 200) < 1e-9);
        let w = var(&[5.0, 5.0]);
        assert!(
            distance_after(
                &mut Momentum::new(vec![w.clone()], 0.01, 0.9).unwrap(),
                &w,
                300
            ) < 1e-9
        );
        let w = var(&[5.0, 5.0]);
        assert!(distance_after(&mut Adam::new(vec![w.clone()], 0.1).unwrap(), &w, 1_000) < 1e-6);
    }

    #[test]
    fn first_steps_are_those_worked_out_by_hand() {
        // At (5, 5) the gradient of the bowl is (8, 140).
        let w = var(&[5.0, 5.0]);
        Sgd::new(vec![w.clone()], 0.01)
            .unwrap()
            .backward_step(&bowl(&w))
            .unwrap();
        close(&w, &[5.0 - 0.08, 5.0 - 1.4]);
        let w = var(&[5.0, 5.0]);
        let mut momentum = Momentum::new(vec![w.clone()], 0.01, 0.5).unwrap();
        momentum.backward_step(&bowl(&w)).unwrap();
        close(&w, &[4.92, 3.6]);
        // Then the gradient is (7.84, 112), and half of the first one is kept.
        momentum.backward_step(&bowl(&w)).unwrap();
        close(
            &w,
            &[4.92 - 0.01 * (4.0 + 7.84), 3.6 - 0.01 * (70.0 + 112.0)],
        );
        // Adam's first step is the learning rate in each direction, however steep.
        let w = var(&[5.0, 5.0]);
        Adam::new(vec![w.clone()], 0.1)
            .unwrap()
            .backward_step(&bowl(&w))
            .unwrap();
        close(&w, &[4.9, 4.9]);
    }

    fn close(w: &Var, expected: &[f64]) {
        let found: Vec<f64> = w.to_vec1().unwrap();
        assert!(
            found
                .iter()
                .zip(expected)
                .all(|(a, b)| (a - b).abs() < 1e-8),
            "{found:?} {expected:?}"
        );
    }

    #[test]
    fn adam_walks_as_candles_own_does() {
        let (ours, theirs) = (var(&[5.0, 5.0]), var(&[5.0, 5.0]));
        let mut adam = Adam::new(vec![ours.clone()], 0.05).unwrap();
        let config = candle_nn::ParamsAdamW {
            lr: 0.05,
            weight_decay: 0.0,
            ..Default::default()
        };
        let mut reference = candle_nn::AdamW::new(vec![theirs.clone()], config).unwrap();
        for step in 0..50 {
            adam.backward_step(&bowl(&ours)).unwrap();
            candle_nn::Optimizer::backward_step(&mut reference, &bowl(&theirs)).unwrap();
            let (a, b): (Vec<f64>, Vec<f64>) = (ours.to_vec1().unwrap(), theirs.to_vec1().unwrap());
            assert!(
                a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-9),
                "step {step}: {a:?} {b:?}"
            );
        }
        assert!((reference.learning_rate() - adam.learning_rate()).abs() < 1e-12);
    }

    #[test]
    fn a_parameter_without_a_gradient_stays() {
        let (used, unused) = (var(&[5.0, 5.0]), var(&[1.0]));
        Adam::new(vec![used.clone(), unused.clone()], 0.1)
            .unwrap()
            .backward_step(&bowl(&used))
            .unwrap();
        close(&unused, &[1.0]);
    }

    #[test]
    fn senseless_settings_are_named() {
        let error = |result: Result<()>| result.unwrap_err().to_string();
        assert_eq!(
            error(Sgd::new(vec![], -0.1).map(drop)),
            "learning_rate: expected a positive number, found -0.1"
        );
        assert!(
            error(Momentum::new(vec![], 0.1, 1.0).map(drop))
                .starts_with("momentum: expected a number from 0")
        );
        let config = AdamConfig {
            beta2: f64::NAN,
            ..AdamConfig::default()
        };
        assert!(error(Adam::with_config(vec![], config).map(drop)).contains("beta2"));
        assert!(
            Sgd::new(vec![], 0.1)
                .unwrap()
                .set_learning_rate(f64::INFINITY)
                .is_err()
        );
    }
}
