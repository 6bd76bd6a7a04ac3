//! A loss that is square near zero and straight far from it, so that no single bad box rules the gradient.

use candle_core::Tensor;

use crate::{Error, Result};

/// For each number of `predictions` and of `targets`, of one shape: `d² / (2 · beta)` where their distance `d` is below `beta`, else `d - beta / 2`.
///
/// Summed over the four deltas of a box it is the loss of Fast R-CNN (Girshick, 2015, equation 3); with `beta` 0 it is the distance itself.
/// Gradients go to the predictions.
///
/// ```
/// use candle_core::{Device, Tensor};
/// let predictions = Tensor::new(&[0.5_f32, 3.0], &Device::Cpu)?; // (2)
/// let losses = kindling_ops::smooth_l1(&predictions, &predictions.zeros_like()?, 1.0)?; // (2)
/// assert_eq!(losses.to_vec1::<f32>()?, [0.125, 2.5]);
/// # Ok::<(), kindling_base::Error>(())
/// ```
pub fn smooth_l1(predictions: &Tensor, targets: &Tensor, beta: f64) -> Result<Tensor> {
    if !(beta.is_finite() && beta >= 0.0) {
        return Err(Error::Argument(format!(
            "beta: expected a number of at least 0, found {beta}"
        )));
    }
    if predictions.dims() != targets.dims() {
        return Err(Error::Shape {
            what: "targets".to_owned(),
            expected: format!("that of the predictions, {:?}", predictions.dims()),
            found: targets.dims().to_vec(),
        });
    }
    let distance = (predictions - targets.detach())?.abs()?;
    if beta == 0.0 {
        return Ok(distance);
    }
    let near = distance.minimum(beta)?; // the part of the way that is square
    Ok(((distance - &near)? + (near.sqr()? * (0.5 / beta))?)?)
}
