//! What a run is made of, by name: for the log, and to tell whether a checkpoint belongs to it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Training;
use crate::{data::Loader, models::Model, optim::Schedule};

impl Training {
    /// What two runs must share for one to go on where the other was interrupted.
    pub(super) fn all_settings(&self, loader: &dyn Loader) -> BTreeMap<String, String> {
        let mut settings = BTreeMap::from([
            ("seed".to_owned(), self.seed.to_string()),
            (
                "learning_rate".to_owned(),
                self.optimizer.learning_rate().to_string(),
            ),
            ("examples".to_owned(), loader.examples().to_string()),
            ("steps".to_owned(), loader.steps().to_string()),
            (
                "label_smoothing".to_owned(),
                self.objective.label_smoothing.to_string(),
            ),
        ]);
        if self.schedule != Schedule::Constant {
            // Where a rate is on its way depends on where it will end.
            settings.insert("schedule".to_owned(), format!("{:?}", self.schedule));
            settings.insert("epochs".to_owned(), self.epochs.to_string());
        }
        if let Some(norm) = self.clip_norm {
            settings.insert("clip_norm".to_owned(), norm.to_string());
        }
        settings.extend(self.settings.iter().cloned());
        settings
    }
}

/// What is the same in each line of the log.
pub(super) fn constants(
    model: &dyn Model,
    settings: BTreeMap<String, String>,
    epochs: usize,
) -> Map<String, Value> {
    let parameters = model.parameters();
    let parameters: usize = parameters.iter().map(|var| var.elem_count()).sum();
    let mut constants = Map::from_iter([
        ("model".to_owned(), model.name().into()),
        ("parameters".to_owned(), parameters.into()),
        ("epochs".to_owned(), epochs.into()),
    ]);
    let settings = settings.into_iter();
    constants.extend(settings.map(|(name, value)| (name, number_or_words(value))));
    constants
}

fn number_or_words(value: String) -> Value {
    serde_json::from_str(&value)
        .ok()
        .filter(Value::is_number)
        .unwrap_or(Value::String(value))
}
