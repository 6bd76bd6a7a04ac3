//! Where a model is: in a local folder, or on the Hugging Face hub.

use std::path::{Path, PathBuf};

use kindling::{Error, Result};

#[cfg(feature = "hub")]
use crate::folder::{CONFIG, REQUIRED};

/// What some models have, and what changes their answers.
#[cfg(feature = "hub")]
const OPTIONAL: [&str; 3] = [
    "tokenizer_config.json",
    "sentence_bert_config.json",
    "1_Pooling/config.json",
];

/// The folder of this name, else the files of the model of this name from the hub.
///
/// With the feature `hub` a model is fetched once and then found in the hub's own cache (`HF_HOME`), also without a network.
/// Fails when there is no such folder, and the hub cannot be reached or has no such model.
///
/// ```
/// let folder = std::env::temp_dir();
/// assert_eq!(kindling_pretrained::hub::find(&folder.display().to_string())?, folder);
/// let error = kindling_pretrained::hub::find("./no/such/folder").unwrap_err();
/// assert_eq!(error.to_string(), "./no/such/folder: there is no such folder");
/// # Ok::<(), kindling::Error>(())
/// ```
pub fn find(name: &str) -> Result<PathBuf> {
    if name.is_empty() {
        let problem = "model: expected a folder or a name on the Hugging Face hub, found nothing";
        return Err(Error::Argument(problem.to_owned()));
    }
    let folder = Path::new(name);
    if folder.is_dir() {
        return Ok(folder.to_owned());
    }
    if !is_hub_name(name) {
        return Err(missing(name, "there is no such folder".to_owned()));
    }
    fetch(name)
}

/// Whether the hub could have a model of this name: `model` or `owner/model`.
fn is_hub_name(name: &str) -> bool {
    let is_part = |part: &str| {
        let mut characters = part.chars();
        characters.next().is_some_and(char::is_alphanumeric)
            && characters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    name.split('/').count() <= 2 && name.split('/').all(is_part)
}

fn missing(name: &str, problem: String) -> Error {
    Error::Format {
        file: name.to_owned(),
        problem,
    }
}

/// The folder of this model in the hub's cache, if it was fetched before; none without the feature `hub`.
#[cfg(feature = "hub")]
#[must_use]
pub fn cached(name: &str) -> Option<PathBuf> {
    let cache = hf_hub::Cache::from_env().model(name.to_owned());
    let mut files = REQUIRED.iter().map(|file| cache.get(file));
    if files.any(|file| file.is_none()) {
        return None;
    }
    cache.get(CONFIG)?.parent().map(Path::to_owned)
}

/// The folder of this model in the hub's cache, if it was fetched before; none without the feature `hub`.
#[cfg(not(feature = "hub"))]
#[must_use]
pub fn cached(_name: &str) -> Option<PathBuf> {
    None
}

#[cfg(feature = "hub")]
fn fetch(name: &str) -> Result<PathBuf> {
    use hf_hub::api::sync::ApiBuilder;
    use std::io::IsTerminal;

    if let Some(folder) = cached(name) {
        return Ok(folder);
    }
    let failed = |error: hf_hub::api::sync::ApiError| {
        missing(
            name,
            format!(
                "there is no such folder, and the Hugging Face hub does not give such a model ({error}); check the name and \
                 the network, or name a local folder"
            ),
        )
    };
    let progress = std::io::stderr().is_terminal();
    let api = ApiBuilder::from_env().with_progress(progress).build();
    let model = api.map_err(failed)?.model(name.to_owned());
    let config = model.get(CONFIG).map_err(failed)?;
    for file in OPTIONAL {
        // Most models lack some of them, which the hub answers with an error.
        let _ = model.get(file);
    }
    // The weights come last: where they are, everything is.
    for file in REQUIRED {
        model.get(file).map_err(failed)?;
    }
    let folder = config.parent().map(Path::to_owned);
    folder.ok_or_else(|| missing(name, "the hub's cache has no folder for it".to_owned()))
}

#[cfg(not(feature = "hub"))]
fn fetch(name: &str) -> Result<PathBuf> {
    Err(missing(
        name,
        "there is no such folder, and this program was compiled without the feature `hub`, which would look for such a model on \
         the Hugging Face hub"
            .to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_hub_are_told_from_paths() {
        for name in ["t5-small", "google/flan-t5-small", "a/b_c.d-1"] {
            assert!(is_hub_name(name), "{name}");
        }
        for name in [".", "..", "./a", "../a", "/a", "a/", "a/b/c", "a b", "~/a"] {
            assert!(!is_hub_name(name), "{name}");
            if !Path::new(name).is_dir() {
                let error = find(name).unwrap_err().to_string();
                assert_eq!(error, format!("{name}: there is no such folder"));
            }
        }
    }
}
