//! Trained weights: which file, and whether they are of the model that is asked for.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use course_program::output;
use kindling::train::{Settings, places, read_details};

/// A file of weights, and what it says about them.
#[derive(Debug)]
pub struct Trained {
    /// The file.
    pub file: PathBuf,
    /// Its words, by name.
    pub details: BTreeMap<String, String>,
}

impl Trained {
    /// The given weights, else those that were trained here, else those that ship; fails where they are of another model, or of a
    /// version of the course that is not known here.
    pub fn find(name: &str, given: Option<PathBuf>) -> Result<Self> {
        let file = places::find_weights(name, given)?;
        let details = read_details(&file)?;
        if let Some(other) = details.get("recipe").filter(|other| *other != name) {
            bail!(
                "{}: these are weights of {other}, expected {name}",
                file.display()
            );
        }
        if let Some(settings) = details.get("settings") {
            Settings::from_json(settings).with_context(|| file.display().to_string())?;
        }
        Ok(Self { file, details })
    }

    /// Says whose weights are used, and what they say of themselves.
    pub fn introduce(&self, name: &str) -> Result<()> {
        let Self { file, details } = self;
        output::print(&format!("{name} with the weights in {}", file.display()))?;
        if let (Some(score), Some(command)) = (details.get("score"), details.get("command")) {
            output::print(&format!("recorded when trained: {score} ({command})"))?;
        }
        Ok(())
    }
}

/// The name of the model that the weights in this file are of; fails where they do not say it.
pub fn name_in(file: &Path) -> Result<String> {
    let file = places::find_weights("", Some(file.to_owned()))?;
    match read_details(&file)?.remove("recipe") {
        Some(name) => Ok(name),
        None => bail!(
            "{}: it does not say which model it is of; name the model",
            file.display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use kindling::{
        models::{Mlp, MlpConfig},
        train::save_weights,
    };

    use super::*;

    #[test]
    fn weights_of_another_model_or_of_a_later_version_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("weights.safetensors");
        let model = Mlp::new(&MlpConfig::default(), 0).unwrap();
        let problem = |details: &[(&str, &str)]| {
            save_weights(&model, &file, details).unwrap();
            let found = Trained::find("mnist-cnn", Some(file.clone()));
            format!("{:#}", found.unwrap_err())
        };
        let other = problem(&[("recipe", "mnist-mlp")]);
        assert!(other.ends_with("these are weights of mnist-mlp, expected mnist-cnn"));
        let later = problem(&[("recipe", "mnist-cnn"), ("settings", r#"{"version":99}"#)]);
        assert!(
            later.contains("weights.safetensors: ") && later.contains("found version 99;"),
            "{later}"
        );
        save_weights(&model, &file, &[]).unwrap();
        Trained::find("mnist-cnn", Some(file.clone())).unwrap();
        let unnamed = name_in(&file).unwrap_err().to_string();
        assert!(unnamed.contains("does not say which model it is of"));
    }
}
