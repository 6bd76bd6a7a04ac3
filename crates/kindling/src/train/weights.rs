//! Weights without the rest of a training run, small enough to ship.

use std::{collections::BTreeMap, path::Path};

use candle_core::{DType, Tensor, Var};

use crate::tensor_file::TensorFile;
use crate::{Error, Result, models::Model};

/// Writes the model's state to a safetensors file, with words about it, such as its score and the command that made it.
///
/// ```
/// use kindling::{models::{Mlp, MlpConfig}, train::{load_weights, save_weights}};
/// let folder = std::env::temp_dir().join("kindling-example");
/// let file = folder.join("mlp.safetensors");
/// let (trained, other) = (Mlp::new(&MlpConfig::default(), 1)?, Mlp::new(&MlpConfig::default(), 2)?);
/// save_weights(&trained, &file, &[("score", "test accuracy 97.9 %")])?;
/// assert_eq!(load_weights(&other, &file)?["score"], "test accuracy 97.9 %");
/// # std::fs::remove_dir_all(folder).ok();
/// # Ok::<(), kindling::Error>(())
/// ```
pub fn save_weights<Input>(
    model: &(impl Model<Input> + ?Sized),
    path: impl AsRef<Path>,
    details: &[(&str, &str)],
) -> Result<()> {
    let words = details.iter().map(|(key, words)| (*key, *words));
    let name = model.name();
    let metadata = words.chain([("model", name.as_str())]);
    let file = TensorFile {
        tensors: tensors(&model.state(), ""),
        metadata: metadata
            .map(|(key, words)| (key.to_owned(), words.to_owned()))
            .collect(),
    };
    file.write(path.as_ref())
}

/// Gives the model the state that [`save_weights`] wrote; returns the words about it.
///
/// A file of another model or of other shapes changes nothing and is one error that names the first difference.
pub fn load_weights<Input>(
    model: &(impl Model<Input> + ?Sized),
    path: impl AsRef<Path>,
) -> Result<BTreeMap<String, String>> {
    let path = path.as_ref();
    let file = TensorFile::read(path)?;
    let name = model.name();
    let problem = match file.metadata.get("model") {
        Some(other) if *other != name => Some(format!("weights of `{other}`, expected `{name}`")),
        _ => mismatch(&model.state(), &file.tensors, ""),
    };
    if let Some(problem) = problem {
        return Err(Error::Format {
            file: path.display().to_string(),
            problem: format!("{problem}; give the file that was saved for this model"),
        });
    }
    put(&model.state(), &file.tensors, "")?;
    Ok(file.metadata)
}

/// The words about the weights in this file, for choosing a model before it is built.
pub fn read_details(path: impl AsRef<Path>) -> Result<BTreeMap<String, String>> {
    Ok(TensorFile::read(path.as_ref())?.metadata)
}

/// A state as it is now, each name after `prefix`.
pub(super) fn tensors(state: &[(String, Var)], prefix: &str) -> BTreeMap<String, Tensor> {
    let named = state.iter();
    named
        .map(|(name, var)| (format!("{prefix}{name}"), var.as_detached_tensor()))
        .collect()
}

/// The first way in which the tensors after `prefix` are not a state of these names, shapes and types.
pub(super) fn mismatch(
    state: &[(String, Var)],
    tensors: &BTreeMap<String, Tensor>,
    prefix: &str,
) -> Option<String> {
    let describe = |dtype: DType, dims: &[usize]| format!("{dims:?} {}", dtype.as_str());
    for (name, var) in state {
        let expected = describe(var.dtype(), var.dims());
        let found = tensors
            .get(&format!("{prefix}{name}"))
            .map(|tensor| describe(tensor.dtype(), tensor.dims()));
        match found {
            None => return Some(format!("there is no `{name}`, expected one of {expected}")),
            Some(found) if found != expected => {
                return Some(format!("`{name}` is {found}, expected {expected}"));
            }
            Some(_) => {}
        }
    }
    let surplus = tensors.keys().find(|key| {
        let name = key.strip_prefix(prefix);
        name.is_some_and(|name| !state.iter().any(|(known, _)| known == name))
    });
    surplus.map(|name| format!("it also has `{name}`, which this model has not"))
}

/// Puts tensors, already compared, into a state.
pub(super) fn put(
    state: &[(String, Var)],
    tensors: &BTreeMap<String, Tensor>,
    prefix: &str,
) -> Result<()> {
    for (name, var) in state {
        if let Some(tensor) = tensors.get(&format!("{prefix}{name}")) {
            var.set(&tensor.to_device(var.device())?)?;
        }
    }
    Ok(())
}
