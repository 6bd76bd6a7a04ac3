//! Logistic regression: one weighted sum of the pixels for each class, the largest wins.

use candle_core::Tensor;
use kindling::data::Examples;
use linfa::traits::{Fit, Predict};
use linfa::{DatasetBase, ParamGuard};
use linfa_logistic::{MultiFittedLogisticRegression, MultiLogisticRegression};
use ndarray::Array1;

use super::{accuracy, queries, training_set};
use crate::{Error, Result};

/// Linfa's multinomial logistic regression: a network of one layer, fitted by L-BFGS instead of gradient descent.
///
/// ```
/// use kindling::data::Mnist;
/// use kindling_tables::baselines::LogisticRegression;
/// let digits = Mnist::builtin(300, 100, 1)?;
/// let model = LogisticRegression::fit(&digits.train)?;
/// assert!(model.accuracy(&digits.test)? > 0.5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LogisticRegression {
    fitted: MultiFittedLogisticRegression<f32, u32>,
}

impl LogisticRegression {
    /// Fits weights `(features, classes)` and biases `(classes)` to at most 20,000 examples, with an L2 penalty of 1 and
    /// at most 100 steps.
    pub fn fit(examples: &Examples) -> Result<Self> {
        Self::fit_with(examples, 1.0, 100)
    }

    /// The same with your own `penalty` on the squared weights and your own largest number of steps.
    pub fn fit_with(examples: &Examples, penalty: f32, steps: u64) -> Result<Self> {
        let (rows, classes) = training_set(examples)?;
        if classes.iter().all(|class| *class == classes[0]) {
            return Err(Error::Argument(format!(
                "logistic regression tells classes apart: expected examples of at least two, found only class {}",
                classes[0]
            )));
        }
        let settings = MultiLogisticRegression::default()
            .alpha(penalty)
            .max_iterations(steps);
        let fitted = settings
            .check()
            .and_then(|valid| valid.fit(&DatasetBase::new(rows, Array1::from(classes))))
            .map_err(|error| {
                Error::Argument(format!("logistic regression (penalty {penalty}): {error}"))
            })?;
        Ok(Self { fitted })
    }

    /// The class of each picture: from `(examples, …)` to `(examples)`.
    pub fn predict(&self, images: &Tensor) -> Result<Vec<u32>> {
        let rows = queries(images, self.fitted.params().nrows())?;
        let classes: Array1<u32> = self.fitted.predict(&rows);
        Ok(classes.to_vec())
    }

    /// The share of examples that it classifies rightly.
    pub fn accuracy(&self, examples: &Examples) -> Result<f64> {
        accuracy(&self.predict(&examples.images)?, &examples.labels)
    }

    /// How many numbers it learned: weights and biases.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.fitted.params().len() + self.fitted.intercept().len()
    }
}
