//! Checkpoints as they were first written: each setting was words of its own, a structure as Rust's `Debug` writes it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::settings::{Settings, number_or_words};

/// What the name of such a setting begins with among the words of a checkpoint.
const PREFIX: &str = "setting.";

/// The settings of such a checkpoint, as they would be today.
pub(super) fn settings(metadata: &BTreeMap<String, String>) -> Settings {
    let told = metadata
        .iter()
        .filter_map(|(key, words)| Some((key.strip_prefix(PREFIX)?, words)));
    told.map(|(name, words)| {
        let value = match name {
            "schedule" => whole(words),
            // JSON does not name a structure that is no choice among several.
            "augment" => whole(words).and_then(|value| value.as_object()?.values().next().cloned()),
            _ => None,
        };
        let value = value.unwrap_or_else(|| number_or_words(words.clone()));
        (name.to_owned(), value)
    })
    .collect()
}

/// The value that all of the text is.
fn whole(text: &str) -> Option<Value> {
    let (value, rest) = value(text)?;
    rest.trim().is_empty().then_some(value)
}

/// A number, a name, or a name with fields, and what stands behind it.
fn value(text: &str) -> Option<(Value, &str)> {
    let text = text.trim_start();
    let is_part = |sign: char| sign.is_alphanumeric() || "+-._".contains(sign);
    let end = text.find(|sign: char| !is_part(sign)).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    if word.is_empty() {
        return None;
    }
    let Some(mut rest) = rest.trim_start().strip_prefix('{') else {
        let literal = serde_json::from_str(word).ok(); // a number, `true` or `false`
        return Some((literal.unwrap_or_else(|| word.into()), rest));
    };
    let mut fields = Map::new();
    loop {
        rest = rest.trim_start();
        if let Some(rest) = rest.strip_prefix('}') {
            let named = Map::from_iter([(word.to_owned(), Value::Object(fields))]);
            return Some((Value::Object(named), rest));
        }
        let (name, behind) = rest.split_once(':')?;
        let (field, behind) = value(behind)?;
        fields.insert(name.trim().to_owned(), field);
        rest = behind.trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        data::{Augment, detection::DetectionAugment},
        optim::Schedule,
    };

    /// The one setting of this name, in the first form.
    fn told(name: &str, words: &str) -> Settings {
        settings(&BTreeMap::from([(
            format!("{PREFIX}{name}"),
            words.to_owned(),
        )]))
    }

    #[test]
    fn structures_mean_what_they_mean_today() {
        let cycle = "WarmUp { steps: 4, then: OneCycle { rise: 0.3, first_divisor: 25.0, last_divisor: 10000.0 } }";
        let warm_up = Schedule::WarmUp {
            steps: 4,
            then: Box::new(Schedule::ONE_CYCLE),
        };
        for (words, schedule) in [(cycle, warm_up), ("Constant", Schedule::Constant)] {
            let today = Settings::default().with("schedule", schedule).unwrap();
            assert_eq!(today.difference(&told("schedule", words)), None, "{words}");
        }
        let words =
            "Augment { crop: 4, flip: true, rotate: 0.0, zoom: 0.0, cutout: 8, mixup: 0.0 }";
        let augment = Augment::default().crop(4).flip().cutout(8);
        let today = Settings::default().with("augment", augment).unwrap();
        assert_eq!(today.difference(&told("augment", words)), None);
        let words = "DetectionAugment { flip: true, flip_vertically: true, brightness: 0.2, contrast: 0.2, saturation: 0.3, zoom: 1e-7 }";
        let augment = DetectionAugment::default().flip().flip_vertically();
        let augment = augment.brightness(0.2).contrast(0.2).saturation(0.3);
        let today = |zoom| Settings::default().with("augment", augment.zoom(zoom));
        let then = told("augment", words);
        assert_eq!(today(1e-7).unwrap().difference(&then), None);
        assert!(today(0.5).unwrap().difference(&then).is_some());
    }

    #[test]
    fn words_stay_words() {
        for words in ["built-in { digits", "", "a: b }", "Augment { crop: }"] {
            let today = Settings::default().with("data", words).unwrap();
            assert_eq!(today.difference(&told("data", words)), None, "{words}");
            assert_eq!(
                told("schedule", words).get("schedule"),
                Some(&Value::from(words))
            );
        }
        assert_eq!(told("seed", "3").get("seed"), Some(&Value::from(3)));
    }
}
