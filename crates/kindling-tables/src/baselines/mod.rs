//! Two classical ways to classify, to compare a network with.
//!
//! Both see a picture as a row of numbers and know nothing of neighbours in it: shuffle the pixels of all pictures in the
//! same way, and they are as good as before.

mod logistic_regression;
mod nearest_neighbours;

pub use logistic_regression::LogisticRegression;
pub use nearest_neighbours::NearestNeighbours;

use candle_core::{DType, Tensor};
use kindling::data::Examples;
use ndarray::Array2;

use crate::{Error, Result};

/// More examples would take minutes and gigabytes, for a baseline.
const LARGEST: usize = 20_000;

/// The pictures as rows of numbers: from `(examples, …)` to `(examples, features)`.
fn rows(images: &Tensor) -> Result<Array2<f32>> {
    if images.rank() < 2 {
        let found = images.dims();
        let message = format!("images: expected shape (examples, …), found {found:?}");
        return Err(Error::Argument(message));
    }
    let flat = images.flatten_from(1)?.to_dtype(DType::F32)?; // (examples, features)
    let shape = flat.dims2()?;
    let numbers: Vec<f32> = flat.flatten_all()?.to_vec1()?;
    if let Some(bad) = numbers.iter().position(|number| !number.is_finite()) {
        let (example, value) = (bad / shape.1, numbers[bad]);
        let message =
            format!("images: expected finite numbers, found {value} in example {example}");
        return Err(Error::Argument(message));
    }
    Array2::from_shape_vec(shape, numbers).map_err(|error| Error::Argument(error.to_string()))
}

/// The classes of the examples: `(examples)`.
fn classes(labels: &Tensor) -> Result<Vec<u32>> {
    if labels.rank() != 1 {
        let found = labels.dims();
        let message = format!("labels: expected one class for each example, found shape {found:?}");
        return Err(Error::Argument(message));
    }
    Ok(labels.to_dtype(DType::U32)?.to_vec1()?)
}

/// What a model learns from: as many rows as classes, at least one, and not more than a baseline should take.
fn training_set(examples: &Examples) -> Result<(Array2<f32>, Vec<u32>)> {
    let count = examples.len();
    if count == 0 || count > LARGEST {
        return Err(Error::Argument(format!(
            "a baseline learns from 1 to {LARGEST} examples, found {count}; take some of them, such as `examples.subset(0..5_000)?`"
        )));
    }
    Ok((rows(&examples.images)?, classes(&examples.labels)?))
}

/// Rows to classify, each as long as those of the training set.
fn queries(images: &Tensor, features: usize) -> Result<Array2<f32>> {
    let rows = rows(images)?;
    if rows.ncols() != features {
        return Err(Error::Argument(format!(
            "images: expected {features} numbers an example, as in the training set, found {} in shape {:?}",
            rows.ncols(),
            images.dims()
        )));
    }
    Ok(rows)
}

/// The share of examples for which the prediction is the label.
fn accuracy(predictions: &[u32], labels: &Tensor) -> Result<f64> {
    let labels = classes(labels)?;
    if labels.is_empty() {
        let message = "accuracy: expected at least one example, found none";
        return Err(Error::Argument(message.to_owned()));
    }
    let right = predictions
        .iter()
        .zip(&labels)
        .filter(|(prediction, label)| prediction == label);
    Ok(right.count() as f64 / labels.len() as f64)
}

#[cfg(test)]
mod tests;
