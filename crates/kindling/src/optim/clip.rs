//! Clipping: gradients that are too large are made smaller before the step (Pascanu, Mikolov and Bengio, 2013).

use candle_core::{CpuStorage, DType, Storage, Tensor, Var, backprop::GradStore};

use super::settings::positive;
use crate::{Error, Result};

/// Shrinks all gradients by the same factor where their norm, taken together, is above `max_norm`.
///
/// The direction stays; only the length of the step changes. Returns the norm before: worth plotting, it shows a run
/// that is about to fail. Fails when the norm is not a finite number, and leaves the gradients as they are.
///
/// ```
/// use candle_core::{Device, Var};
/// use kindling::optim::clip_norm;
/// let w = Var::new(&[1.5_f64, 2.0], &Device::Cpu)?;
/// let mut gradients = w.sqr()?.sum_all()?.backward()?; // (3, 4), which is 5 long
/// assert_eq!(clip_norm(&mut gradients, &[w.clone()], 1.0)?, 5.0);
/// let clipped = gradients.get(&w).unwrap().to_vec1::<f64>()?;
/// assert!((clipped[0] - 0.6).abs() < 1e-6 && (clipped[1] - 0.8).abs() < 1e-6);
/// # Ok::<(), kindling::Error>(())
/// ```
pub fn clip_norm(gradients: &mut GradStore, parameters: &[Var], max_norm: f64) -> Result<f64> {
    positive("max_norm", max_norm)?;
    let mut squares = 0.0;
    for parameter in parameters {
        if let Some(gradient) = gradients.get(parameter) {
            squares += sum_of_squares(gradient)?;
        }
    }
    let norm = squares.sqrt();
    if !norm.is_finite() {
        let found = if norm.is_nan() { "NaN" } else { "infinite" };
        return Err(Error::Training(format!(
            "the norm of the gradients is {found}, so there is no step to take; lower the learning rate, and look for a division by zero or a logarithm of zero in the loss"
        )));
    }
    let factor = max_norm / (norm + 1e-6); // as PyTorch does: a norm of zero divides, too
    if factor < 1.0 {
        change(gradients, parameters, |gradient| Ok((gradient * factor)?))?;
    }
    Ok(norm)
}

/// Cuts each number of each gradient to `-max_value..=max_value`.
///
/// ```
/// use candle_core::{Device, Var};
/// use kindling::optim::clip_value;
/// let w = Var::new(&[0.1_f64, -2.0], &Device::Cpu)?;
/// let mut gradients = w.sqr()?.sum_all()?.backward()?; // (0.2, -4)
/// clip_value(&mut gradients, &[w.clone()], 1.0)?;
/// assert_eq!(gradients.get(&w).unwrap().to_vec1::<f64>()?, [0.2, -1.0]);
/// # Ok::<(), kindling::Error>(())
/// ```
pub fn clip_value(gradients: &mut GradStore, parameters: &[Var], max_value: f64) -> Result<()> {
    positive("max_value", max_value)?;
    change(gradients, parameters, |gradient| {
        Ok(gradient.clamp(-max_value, max_value)?)
    })
}

fn change(
    gradients: &mut GradStore,
    parameters: &[Var],
    to: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<()> {
    for parameter in parameters {
        if let Some(gradient) = gradients.get(parameter) {
            let changed = to(&gradient.detach())?;
            gradients.insert(parameter, changed);
        }
    }
    Ok(())
}

/// Adds up in `f64`, where no square of an `f32` is too large and the order hardly matters.
fn sum_of_squares(tensor: &Tensor) -> Result<f64> {
    let (storage, layout) = tensor.storage_and_layout();
    if let (Storage::Cpu(CpuStorage::F32(numbers)), Some((start, end))) =
        (&*storage, layout.contiguous_offsets())
    {
        return Ok(crate::ops::arch().dispatch(|| squares_of(&numbers[start..end])));
    }
    drop(storage);
    let squares = tensor.to_dtype(DType::F64)?.sqr()?;
    Ok(squares.sum_all()?.to_scalar()?)
}

/// In sixteen sums side by side, for the compiler to turn into vector instructions.
#[inline(always)]
fn squares_of(numbers: &[f32]) -> f64 {
    let mut sums = [0.0; 16];
    let (rows, rest) = numbers.as_chunks::<16>();
    for row in rows {
        for (sum, &number) in sums.iter_mut().zip(row) {
            *sum += f64::from(number) * f64::from(number);
        }
    }
    let rest: f64 = rest.iter().map(|&number| f64::from(number).powi(2)).sum();
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::data::Random;

    fn slope_of(values: &[f32]) -> (GradStore, Var) {
        let w = Var::ones(values.len(), DType::F32, &Device::Cpu).unwrap();
        let slope = Tensor::new(values, &Device::Cpu).unwrap();
        let loss = (w.as_tensor() * slope).unwrap().sum_all().unwrap();
        (loss.backward().unwrap(), w)
    }

    #[test]
    fn a_norm_that_is_no_number_is_an_error_and_changes_nothing() {
        for (bad, name) in [(f32::NAN, "NaN"), (f32::INFINITY, "infinite")] {
            let (mut gradients, w) = slope_of(&[3.0, bad]);
            let error = clip_norm(&mut gradients, std::slice::from_ref(&w), 1.0).unwrap_err();
            let expected = format!("training stopped: the norm of the gradients is {name}");
            assert!(error.to_string().starts_with(&expected), "{error}");
            let kept: Vec<f32> = gradients.get(&w).unwrap().to_vec1().unwrap();
            assert_eq!(kept[0], 3.0);
        }
        let (mut gradients, w) = slope_of(&[1.0]);
        let error = clip_norm(&mut gradients, &[w], f64::NAN).unwrap_err();
        assert_eq!(
            error.to_string(),
            "max_norm: expected a positive number, found NaN"
        );
    }

    #[test]
    fn the_norm_is_that_of_all_numbers_however_large_and_wherever_they_lie() {
        let (mut gradients, w) = slope_of(&[3e30, 4e30]);
        let norm = clip_norm(&mut gradients, &[w], 1.0).unwrap();
        assert!((norm / 5e30 - 1.0).abs() < 1e-6, "{norm}");
        let numbers = Random::new(1).normal((37, 29), 0.0, 1.0).unwrap();
        let rows = numbers.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let expected: f64 = rows.iter().map(|&x| f64::from(x).powi(2)).sum();
        for layout in [numbers.clone(), numbers.t().unwrap()] {
            let found = sum_of_squares(&layout).unwrap();
            assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        }
    }

    #[test]
    fn no_slope_has_no_norm_and_stays() {
        let (mut gradients, w) = slope_of(&[0.0; 3]);
        let norm = clip_norm(&mut gradients, std::slice::from_ref(&w), 1.0).unwrap();
        assert_eq!(norm, 0.0);
        assert_eq!(
            gradients.get(&w).unwrap().to_vec1::<f32>().unwrap(),
            [0.0; 3]
        );
    }
}
