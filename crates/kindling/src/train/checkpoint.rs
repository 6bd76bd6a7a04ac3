//! Checkpoints: the whole state of a run in one file, and the good one before it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::state::State;
use crate::{
    Error, Result,
    models::Model,
    optim::Optimizer,
    tensor_file::{TensorFile, failed},
};

/// The metadata that says what kind of file this is.
const FORMAT: (&str, &str) = ("format", "kindling checkpoint 1");

/// The folder that a run keeps its checkpoints in.
#[derive(Debug)]
pub(super) struct Checkpoints {
    folder: PathBuf,
    /// The settings that a resumed run must share, by name.
    settings: BTreeMap<String, String>,
    /// Whether the files that are there belong to a run that is not continued.
    foreign: bool,
}

impl Checkpoints {
    pub(super) fn new(folder: &Path, settings: BTreeMap<String, String>) -> Self {
        Self {
            folder: folder.to_owned(),
            settings,
            foreign: true,
        }
    }

    fn newest(&self) -> PathBuf {
        self.folder.join("checkpoint.safetensors")
    }

    fn previous(&self) -> PathBuf {
        self.folder.join("checkpoint.previous.safetensors")
    }

    /// Writes the state. The newest checkpoint before it becomes the previous one, which stays until the next time.
    pub(super) fn save(
        &mut self,
        state: &State,
        model: &dyn Model,
        optimizer: &dyn Optimizer,
    ) -> Result<()> {
        let mut file = state.to_file(model, optimizer)?;
        file.metadata
            .insert(FORMAT.0.to_owned(), FORMAT.1.to_owned());
        file.metadata.insert("model".to_owned(), model.name());
        for (name, value) in &self.settings {
            file.metadata
                .insert(format!("setting.{name}"), value.clone());
        }
        self.keep_previous()?;
        file.write(&self.newest())?;
        self.foreign = false;
        Ok(())
    }

    /// Gives the newest file a second name. It keeps its own until the next one takes it, so one is always there.
    fn keep_previous(&self) -> Result<()> {
        let (newest, previous) = (self.newest(), self.previous());
        let _ = fs::remove_file(&previous);
        if self.foreign || !newest.exists() {
            return Ok(());
        }
        fs::hard_link(&newest, &previous)
            .or_else(|_| fs::copy(&newest, &previous).map(drop)) // not every file system has links
            .map_err(|error| failed(&previous, error))
    }

    /// Goes back to the newest whole checkpoint, or to nothing where there is none.
    pub(super) fn load(
        &mut self,
        model: &dyn Model,
        optimizer: &mut dyn Optimizer,
    ) -> Result<Option<State>> {
        let mut damaged = None;
        for path in [self.newest(), self.previous()] {
            if !path.exists() {
                continue;
            }
            match TensorFile::read(&path) {
                Ok(file) => {
                    if let Some(problem) = &damaged {
                        eprintln!("{problem}\nIt goes on from {}.", path.display());
                        // Otherwise it would take the place of the good one.
                        let _ = fs::remove_file(self.newest());
                    }
                    self.foreign = false;
                    return self.restore(&path, &file, model, optimizer).map(Some);
                }
                Err(problem) => damaged = damaged.or(Some(problem)),
            }
        }
        damaged.map_or(Ok(None), Err)
    }

    fn restore(
        &self,
        path: &Path,
        file: &TensorFile,
        model: &dyn Model,
        optimizer: &mut dyn Optimizer,
    ) -> Result<State> {
        let refuse = |problem: String| Error::Format {
            file: path.display().to_string(),
            problem: format!(
                "cannot resume: {problem}; resume with what it was made with, or start anew in another folder"
            ),
        };
        if let Some(problem) = self.difference(file, &model.name()) {
            return Err(refuse(problem));
        }
        State::from_file(file, model, optimizer).map_err(|error| match error {
            Error::Training(problem) => refuse(problem),
            error => refuse(error.to_string()),
        })
    }

    /// The first thing that this run and the one that wrote the file do not share.
    fn difference(&self, file: &TensorFile, model: &str) -> Option<String> {
        let metadata = &file.metadata;
        if metadata.get(FORMAT.0).map(String::as_str) != Some(FORMAT.1) {
            return Some(format!("this is no {}", FORMAT.1));
        }
        let theirs = metadata.get("model").map_or("", String::as_str);
        if theirs != model {
            return Some(format!("it is of the model `{theirs}`, this is `{model}`"));
        }
        for (name, ours) in &self.settings {
            match metadata.get(&format!("setting.{name}")) {
                Some(theirs) if theirs == ours => {}
                Some(theirs) => {
                    return Some(format!("its {name} is {theirs}, here it is {ours}"));
                }
                None => return Some(format!("it has no {name}, here it is {ours}")),
            }
        }
        let mut names = metadata
            .keys()
            .filter_map(|key| key.strip_prefix("setting."));
        let surplus = names.find(|name| !self.settings.contains_key(*name))?;
        Some(format!("it has a {surplus}, which this run has not"))
    }

    /// Where a run that failed can be continued, if anywhere.
    pub(super) fn hint(&self) -> Option<String> {
        let newest = self.newest();
        (!self.foreign && newest.exists())
            .then(|| format!("the last good checkpoint is {}", newest.display()))
    }
}
