//! What an optimiser remembers, as named tensors for a checkpoint and back.

use std::collections::HashMap;

use candle_core::{Device, Tensor, Var, backprop::GradStore};

use crate::{Error, Result};

/// What an optimiser remembers of one parameter, by name.
pub(super) type Named<'a> = Vec<(&'static str, &'a Tensor)>;

/// Fails when a parameter is given twice, and says which.
pub(super) fn distinct(parameters: &[Var]) -> Result<()> {
    for (number, parameter) in parameters.iter().enumerate() {
        let mut earlier = parameters[..number].iter();
        if let Some(first) = earlier.position(|other| other.id() == parameter.id()) {
            return Err(Error::Argument(format!(
                "parameters: number {number} is the same tensor as number {first}; give each once, or it would move twice a step"
            )));
        }
    }
    Ok(())
}

/// The gradient of a parameter, if it has one; fails when it is of another shape.
pub(super) fn gradient_of<'a>(
    parameter: &Var,
    gradients: &'a GradStore,
) -> Result<Option<&'a Tensor>> {
    let gradient = gradients.get(parameter);
    match gradient.filter(|gradient| gradient.dims() != parameter.dims()) {
        None => Ok(gradient),
        Some(gradient) => Err(Error::Shape {
            what: "gradient".to_owned(),
            expected: format!("that of its parameter, {:?}", parameter.dims()),
            found: gradient.dims().to_vec(),
        }),
    }
}

/// Counts a step; the first is 1.
pub(super) fn next(steps: &mut u32) -> i32 {
    *steps = steps.saturating_add(1);
    i32::try_from(*steps).unwrap_or(i32::MAX)
}

/// `N` tensors of zeros, each of the shape of the parameter.
pub(super) fn zeros<const N: usize>(parameter: &Var) -> Result<[Tensor; N]> {
    let mut tensors = std::array::from_fn(|_| parameter.as_detached_tensor());
    for tensor in &mut tensors {
        *tensor = parameter.zeros_like()?;
    }
    Ok(tensors)
}

/// Copies of all tensors, by names such as `adam.first_moment.0`, and `adam.steps` `(parameters,)`.
pub(super) fn save(
    optimizer: &str,
    state: &[Named<'_>],
    steps: &[u32],
) -> Result<Vec<(String, Tensor)>> {
    let mut saved = vec![(
        format!("{optimizer}.steps"),
        Tensor::new(steps, &Device::Cpu)?,
    )];
    for (number, tensors) in state.iter().enumerate() {
        for (kind, tensor) in tensors {
            // Copied: the next step changes the numbers where they lie.
            saved.push((format!("{optimizer}.{kind}.{number}"), tensor.copy()?));
        }
    }
    Ok(saved)
}

/// The opposite of [`save`], for an optimiser that remembers tensors like these now.
pub(super) fn load(
    optimizer: &str,
    state: &[Named<'_>],
    saved: &HashMap<String, Tensor>,
) -> Result<(Vec<Vec<Tensor>>, Vec<u32>)> {
    let find = |name: &str| match saved.get(name) {
        Some(tensor) => Ok(tensor),
        None => wrong(name, format!("expected, but missing; {}", found(saved))),
    };
    let name = format!("{optimizer}.steps");
    let steps = find(&name)?;
    let steps = match steps.to_vec1::<u32>() {
        Ok(counts) if counts.len() == state.len() => counts,
        _ => {
            let expected = format!("u32 of shape [{}]", state.len());
            return wrong(&name, unlike(&expected, steps));
        }
    };
    let restore = |number: usize, kind: &str, now: &Tensor| {
        let name = format!("{optimizer}.{kind}.{number}");
        let tensor = find(&name)?;
        let (dims, dtype) = (now.dims(), now.dtype());
        if tensor.dims() != dims || tensor.dtype() != dtype {
            let expected = format!("{} of shape {dims:?}", dtype.as_str());
            return wrong(&name, unlike(&expected, tensor));
        }
        Ok(tensor.to_device(now.device())?.copy()?)
    };
    let restored = state.iter().enumerate().map(|(number, tensors)| {
        let tensors = tensors.iter();
        tensors
            .map(|(kind, now)| restore(number, kind, now))
            .collect()
    });
    Ok((restored.collect::<Result<_>>()?, steps))
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
