//! What an optimiser remembers, as named tensors for a checkpoint and back.

use std::collections::HashMap;

use candle_core::{Device, Tensor, Var};

use crate::{Error, Result};

/// What the optimiser is called, and what each of the `N` tensors that it keeps for a parameter is called.
type Names<const N: usize> = (&'static str, [&'static str; N]);

/// `N` tensors of zeros, each of the shape of the parameter.
pub(super) fn zeros<const N: usize>(parameter: &Var) -> Result<[Tensor; N]> {
    each(parameter, |_| Ok(parameter.zeros_like()?))
}

/// Copies of all tensors, by names such as `adam.first_moment.0`, and `adam.steps` `(parameters,)`.
pub(super) fn save<const N: usize>(
    (optimizer, kinds): Names<N>,
    state: &[[Tensor; N]],
    steps: &[u32],
) -> Result<Vec<(String, Tensor)>> {
    let mut saved = vec![(
        format!("{optimizer}.steps"),
        Tensor::new(steps, &Device::Cpu)?,
    )];
    for (number, tensors) in state.iter().enumerate() {
        for (kind, tensor) in kinds.iter().zip(tensors) {
            // Copied: the next step changes the numbers where they lie.
            saved.push((format!("{optimizer}.{kind}.{number}"), tensor.copy()?));
        }
    }
    Ok(saved)
}

/// The opposite of [`save`], for these parameters.
pub(super) fn load<const N: usize>(
    (optimizer, kinds): Names<N>,
    parameters: &[Var],
    saved: &HashMap<String, Tensor>,
) -> Result<(Vec<[Tensor; N]>, Vec<u32>)> {
    let find = |name: &str| match saved.get(name) {
        Some(tensor) => Ok(tensor),
        None => wrong(name, format!("expected, but missing; {}", found(saved))),
    };
    let name = format!("{optimizer}.steps");
    let steps = find(&name)?;
    let steps = match steps.to_vec1::<u32>() {
        Ok(counts) if counts.len() == parameters.len() => counts,
        _ => {
            let expected = format!("u32 of shape [{}]", parameters.len());
            return wrong(&name, unlike(&expected, steps));
        }
    };
    let restore = |(number, parameter): (usize, &Var)| {
        each(parameter, |kind| {
            let name = format!("{optimizer}.{}.{number}", kinds[kind]);
            let tensor = find(&name)?;
            let (dims, dtype) = (parameter.dims(), parameter.dtype());
            if tensor.dims() != dims || tensor.dtype() != dtype {
                let expected = format!("{} of shape {dims:?}", dtype.as_str());
                return wrong(&name, unlike(&expected, tensor));
            }
            Ok(tensor.to_device(parameter.device())?.copy()?)
        })
    };
    let state = parameters.iter().enumerate().map(restore);
    Ok((state.collect::<Result<_>>()?, steps))
}

/// An array of tensors, made one by one.
fn each<const N: usize>(
    parameter: &Var,
    mut make: impl FnMut(usize) -> Result<Tensor>,
) -> Result<[Tensor; N]> {
    let mut tensors = std::array::from_fn(|_| parameter.as_detached_tensor());
    for (kind, tensor) in tensors.iter_mut().enumerate() {
        *tensor = make(kind)?;
    }
    Ok(tensors)
}

fn unlike(expected: &str, tensor: &Tensor) -> String {
    let (dims, dtype) = (tensor.dims(), tensor.dtype().as_str());
    format!("expected {expected}, found {dtype} of shape {dims:?}; is it from another model?")
}

/// Says which optimiser a checkpoint is from, for someone who took the wrong one.
fn found(saved: &HashMap<String, Tensor>) -> String {
    let mut others: Vec<&str> = saved
        .keys()
        .filter_map(|name| name.strip_suffix(".steps"))
        .collect();
    others.sort_unstable();
    match others[..] {
        [] => "the checkpoint holds no state of an optimiser".to_owned(),
        _ => format!("the checkpoint holds the state of {}", others.join(", ")),
    }
}

fn wrong<T>(name: &str, problem: String) -> Result<T> {
    Err(Error::Argument(format!(
        "optimiser state {name}: {problem}"
    )))
}
