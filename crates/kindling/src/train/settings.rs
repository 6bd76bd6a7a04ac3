//! What a run or a model is made of, by name: for the log, for weights, and to tell whether a checkpoint belongs to a run.

use std::{collections::BTreeMap, fmt::Display};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Training;
use crate::{Error, Result, data::Loader, models::Model, optim::Schedule};

/// The form that is written. A setting that is new needs no other one as long as its absence means 0, `false` or none.
const VERSION: u64 = 1;

/// Named settings, kept as JSON with a version, so that files stay readable when a program has more of them than the one that wrote them.
///
/// ```
/// use kindling::{optim::Schedule, train::Settings};
/// let settings = Settings::default().with("epochs", 10)?.with("schedule", Schedule::Constant)?;
/// assert_eq!(settings.to_json(), r#"{"values":{"epochs":10,"schedule":"Constant"},"version":1}"#);
/// assert_eq!(Settings::from_json(&settings.to_json())?, settings);
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings(BTreeMap<String, Value>);

impl Settings {
    /// With one more, in place of one of the same name; fails where the value has no form in JSON.
    pub fn with(mut self, name: &str, value: impl Serialize) -> Result<Self> {
        let value = serde_json::to_value(value)
            .map_err(|error| Error::Argument(format!("{name}: {error}")))?;
        self.0.insert(name.to_owned(), value);
        Ok(self)
    }

    /// With all of the others, in place of those of the same names.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// The setting of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// All of them and the version as one JSON object.
    #[must_use]
    pub fn to_json(&self) -> String {
        json!({"values": self.0, "version": VERSION}).to_string()
    }

    /// What [`Self::to_json`] wrote; fails where it is no such object, or of a version that is not known here.
    pub fn from_json(text: &str) -> Result<Self> {
        let wrong = |found: &dyn Display| {
            Error::Argument(format!(
                "settings: expected JSON of version {VERSION}, found {found}"
            ))
        };
        let mut all: Map<String, Value> =
            serde_json::from_str(text).map_err(|error| wrong(&error))?;
        match (
            all.remove("version").as_ref().and_then(Value::as_u64),
            all.remove("values"),
        ) {
            (Some(1..=VERSION), Some(Value::Object(values))) => Ok(values.into_iter().collect()),
            (Some(newer), _) if newer > VERSION => Err(wrong(&format!(
                "version {newer}; use the version of the course that wrote them, or a later one"
            ))),
            _ => Err(wrong(&"something else")),
        }
    }

    /// A value of somebody's own: a number, or else words.
    pub(super) fn put(&mut self, name: &str, value: &impl Display) {
        let value = number_or_words(value.to_string());
        self.0.insert(name.to_owned(), value);
    }

    /// The first way in which these differ from those of a file; what is off on one side may be missing on the other.
    pub(super) fn difference(&self, theirs: &Self) -> Option<String> {
        // Both as they are read: reading a number can change its last digit.
        let ours = Self::from_json(&self.to_json()).map_or_else(|_| self.0.clone(), |ours| ours.0);
        let mut names = ours.keys().chain(theirs.0.keys());
        names.find_map(|name| {
            let (ours, theirs) = (ours.get(name), theirs.0.get(name));
            if same(ours, theirs) {
                return None;
            }
            Some(match (ours.map(in_words), theirs.map(in_words)) {
                (Some(ours), Some(theirs)) => format!("its {name} is {theirs}, here it is {ours}"),
                (Some(ours), None) => format!("it has no {name}, here it is {ours}"),
                (None, _) => format!("it has a {name}, which this run has not"),
            })
        })
    }
}

impl FromIterator<(String, Value)> for Settings {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(settings: I) -> Self {
        Self(settings.into_iter().collect())
    }
}

/// Whether two values mean the same. A field that one side does not have was not there yet when it was written, so it was off.
fn same(one: Option<&Value>, other: Option<&Value>) -> bool {
    match (one, other) {
        (Some(Value::Object(one)), Some(Value::Object(other))) => {
            let mut names = one.keys().chain(other.keys());
            names.all(|name| same(one.get(name), other.get(name)))
        }
        (Some(Value::Array(one)), Some(Value::Array(other))) => {
            let mut pairs = one.iter().zip(other);
            one.len() == other.len() && pairs.all(|(one, other)| same(Some(one), Some(other)))
        }
        (Some(Value::Number(one)), Some(Value::Number(other))) => {
            // 1 and 1.0 are the same number.
            one == other || (one.is_f64() || other.is_f64()) && one.as_f64() == other.as_f64()
        }
        (Some(one), Some(other)) => one == other,
        (one, other) => one.is_none_or(is_off) && other.is_none_or(is_off),
    }
}

fn is_off(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(on) => !on,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(words) => words.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(fields) => fields.values().all(is_off),
    }
}

fn in_words(value: &Value) -> String {
    match value {
        Value::String(words) => words.clone(),
        other => other.to_string(),
    }
}

pub(super) fn number_or_words(value: String) -> Value {
    serde_json::from_str(&value)
        .ok()
        .filter(Value::is_number)
        .unwrap_or(Value::String(value))
}

impl Training {
    /// What two runs must share for one to go on where the other was interrupted.
    pub(super) fn all_settings<Input>(&self, loader: &dyn Loader<Input>) -> Result<Settings> {
        let mut settings = Settings::default()
            .with("seed", self.seed)?
            .with("learning_rate", self.optimizer.learning_rate())?
            .with("examples", loader.examples())?
            .with("steps", loader.steps())?
            .with("label_smoothing", self.objective.label_smoothing)?;
        if self.schedule != Schedule::Constant {
            // Where a rate is on its way depends on where it will end.
            settings = settings
                .with("schedule", &self.schedule)?
                .with("epochs", self.epochs)?;
        }
        if let Some(norm) = self.clip_norm {
            settings = settings.with("clip_norm", norm)?;
        }
        Ok(settings.and(self.settings.clone()))
    }
}

/// What is the same in each line of the log: numbers and words, so that each is a column of a table.
pub(super) fn constants<Input>(
    model: &dyn Model<Input>,
    settings: Settings,
    epochs: usize,
) -> Map<String, Value> {
    let parameters = model.parameters();
    let parameters: usize = parameters.iter().map(|var| var.elem_count()).sum();
    let mut constants = Map::from_iter([
        ("model".to_owned(), model.name().into()),
        ("parameters".to_owned(), parameters.into()),
        ("epochs".to_owned(), epochs.into()),
    ]);
    let flat = |value: Value| match value {
        Value::Object(_) | Value::Array(_) => Value::String(value.to_string()),
        flat => flat,
    };
    let settings = settings.0.into_iter();
    constants.extend(settings.map(|(name, value)| (name, flat(value))));
    constants
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Augment;

    /// The settings of a file with these values.
    fn read(values: &str) -> Settings {
        Settings::from_json(&format!(r#"{{"values":{values},"version":1}}"#)).unwrap()
    }

    #[test]
    fn what_is_off_may_be_missing_on_either_side() {
        let augment = Augment::default().crop(4).flip();
        let ours = Settings::default().with("augment", augment).unwrap();
        let ours = ours.with("patience", None::<usize>).unwrap();
        let before = read(r#"{"augment":{"crop":4,"flip":true}}"#);
        let later = read(r#"{"augment":{"crop":4.0,"flip":true,"shear":0.0},"ema":0}"#);
        assert_eq!(ours.difference(&before), None);
        assert_eq!(ours.difference(&later), None);
        let other = read(r#"{"augment":{"crop":4,"flip":true,"shear":0.1}}"#);
        let told = ours.difference(&other).unwrap();
        assert!(told.starts_with("its augment is {"), "{told}");
        let more = read(r#"{"augment":{"crop":4,"flip":true},"ema":0.9}"#);
        let told = ours.difference(&more).unwrap();
        assert_eq!(told, "it has a ema, which this run has not");
    }

    #[test]
    fn numbers_are_the_same_when_they_are_read_back() {
        for number in [0.1 + 0.2, 1.0 / 3.0, 5e-324, 123_456_789.123_456_79] {
            let ours = Settings::default().with("learning_rate", number).unwrap();
            let theirs = Settings::from_json(&ours.to_json()).unwrap();
            assert_eq!(ours.difference(&theirs), None, "{number}");
        }
        let ours = Settings::default().with("seed", u64::MAX).unwrap();
        let theirs = Settings::default().with("seed", u64::MAX - 1).unwrap();
        assert!(ours.difference(&theirs).is_some());
    }

    #[test]
    fn a_version_of_later_or_none_is_one_sentence() {
        let told = |text: &str| Settings::from_json(text).unwrap_err().to_string();
        assert_eq!(
            told(r#"{"values":{},"version":2}"#),
            "settings: expected JSON of version 1, found version 2; use the version of the course that wrote them, or a later one"
        );
        for text in [r#"{"epochs":2}"#, r#"{"version":1}"#, "[]", "epochs 2", ""] {
            assert!(told(text).starts_with("settings: expected JSON of version 1, found "));
        }
    }
}
