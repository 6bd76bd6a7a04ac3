//! Checkpoints: the whole state of a run in one file, and the good one before it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{first_form, settings::Settings, state::State};
use crate::{
    Error, Result,
    models::Model,
    optim::Optimizer,
    tensor_file::{TensorFile, failed},
};

/// The metadata that says what kind of file this is, and what it was before settings were JSON.
const FORMAT: &str = "format";
const CHECKPOINT: &str = "kindling checkpoint 2";
const FIRST_CHECKPOINT: &str = "kindling checkpoint 1";

/// The metadata that holds the settings.
const SETTINGS: &str = "settings";

/// The folder that a run keeps its checkpoints in.
#[derive(Debug)]
pub(super) struct Checkpoints {
    folder: PathBuf,
    /// The settings that a resumed run must share.
    settings: Settings,
    /// Whether the files that are there belong to a run that is not continued.
    foreign: bool,
}

impl Checkpoints {
    pub(super) fn new(folder: &Path, settings: Settings) -> Self {
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
    pub(super) fn save<Input>(
        &mut self,
        state: &State,
        model: &dyn Model<Input>,
        optimizer: &dyn Optimizer,
    ) -> Result<()> {
        let mut file = state.to_file(model, optimizer)?;
        file.metadata.extend(
            [
                (FORMAT, CHECKPOINT.to_owned()),
                ("model", model.name()),
                (SETTINGS, self.settings.to_json()),
            ]
            .map(|(key, words)| (key.to_owned(), words)),
        );
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
    pub(super) fn load<Input>(
        &mut self,
        model: &dyn Model<Input>,
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

    fn restore<Input>(
        &self,
        path: &Path,
        file: &TensorFile,
        model: &dyn Model<Input>,
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
        let words = |key: &str| file.metadata.get(key).map_or("", String::as_str);
        let format = words(FORMAT);
        if format != CHECKPOINT && format != FIRST_CHECKPOINT {
            return Some(format!("expected a {CHECKPOINT}, found `{format}`"));
        }
        let theirs = words("model");
        if theirs != model {
            return Some(format!("it is of the model `{theirs}`, this is `{model}`"));
        }
        let theirs = match format {
            FIRST_CHECKPOINT => Ok(first_form::settings(&file.metadata)),
            _ => Settings::from_json(words(SETTINGS)),
        };
        match theirs {
            Ok(theirs) => self.settings.difference(&theirs),
            Err(problem) => Some(problem.to_string()),
        }
    }

    /// Where a run that failed can be continued, if anywhere.
    pub(super) fn hint(&self) -> Option<String> {
        let newest = self.newest();
        (!self.foreign && newest.exists())
            .then(|| format!("the last good checkpoint is {}", newest.display()))
    }
}
