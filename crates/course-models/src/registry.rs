//! All that can be trained: what `train`, `eval` and `predict`, their help and their messages know, they know from here.

use std::{any::Any, fmt::Debug, process::ExitCode};

use anyhow::{Result, bail};

use crate::{
    classification::recipes as classifiers,
    detection::recipes as detectors,
    embeddings::WORD2VEC,
    eval,
    options::{Group, Options},
    summary::SUMMARIZER,
    translation::recipes as translators,
};

/// Everything that can be trained by name, in the order in which it is listed.
pub const ALL: &[&dyn Trainable] = &[
    &classifiers::MNIST_MLP,
    &classifiers::MNIST_CNN,
    &classifiers::CIFAR_CNN,
    &classifiers::CIFAR_RESNET,
    &detectors::ONE_STAGE,
    &detectors::TWO_STAGE,
    &translators::TRANSFORMER,
    &translators::GRU,
    &SUMMARIZER,
    &WORD2VEC,
];

/// A model with the way in which it is trained and measured.
pub trait Trainable: Any + Debug + Sync {
    /// What the command line calls it.
    fn name(&self) -> &'static str;

    /// Which options it has beside those that all have.
    fn groups(&self) -> &'static [Group];

    /// Runs `cargo course train` for it.
    fn train(&self, options: &Options) -> Result<ExitCode>;

    /// Who measures it once it is trained.
    fn measured(&self) -> Measured {
        Measured::Here
    }

    /// Runs `cargo course eval` for it, where [`Self::measured`] says so.
    fn evaluate(&self, options: &eval::Options) -> Result<ExitCode>;
}

/// Who measures a trained model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    /// This program.
    Here,
    /// `cargo course eval` too, but by the program for language.
    ByLanguage,
    /// Training itself, once.
    WhenTrained,
}

/// The model of this name; without one, says what can be trained.
pub fn find(name: &str) -> Result<&'static dyn Trainable> {
    match ALL.iter().find(|model| model.name() == name) {
        Some(model) => Ok(*model),
        None => bail!("there is no model `{name}`; there are: {}", names(|_| true)),
    }
}

/// [`find`] for `eval`, which lists what can be measured later.
pub fn find_measured(name: &str) -> Result<&'static dyn Trainable> {
    match find(name) {
        Err(_) => bail!(
            "there is no model `{name}`; there are: {}",
            measured_names()
        ),
        found => found,
    }
}

/// What can be measured by name.
pub fn measured_names() -> String {
    names(|model| model.measured() != Measured::WhenTrained)
}

/// The names of those that are wanted, with commas between.
pub fn names(wanted: impl Fn(&'static dyn Trainable) -> bool) -> String {
    let wanted = ALL.iter().filter(|model| wanted(**model));
    let names: Vec<&str> = wanted.map(|model| model.name()).collect();
    names.join(", ")
}

/// All models of one kind.
pub fn of_kind<K: Trainable>() -> impl DoubleEndedIterator<Item = &'static K> {
    ALL.iter().filter_map(|model| {
        let any: &'static dyn Any = *model;
        any.downcast_ref()
    })
}

/// The model of one kind that has this name; without one, says which `kind` of thing there is none of, and lists those that there are.
pub fn find_kind<K: Trainable>(name: &str, kind: impl Fn(&str) -> String) -> Result<&'static K> {
    match of_kind::<K>().find(|model| model.name() == name) {
        Some(model) => Ok(model),
        None => bail!(
            "there is no {}; there are: {}",
            kind(name),
            names(|model| (model as &'static dyn Any).is::<K>())
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs};

    use kindling::train::places;

    use super::*;
    use crate::{classification::Classifier, weights::Trained};

    #[test]
    fn each_model_has_a_name_of_its_own_and_is_found_by_it() {
        let names: BTreeSet<&str> = ALL.iter().map(|model| model.name()).collect();
        assert_eq!(names.len(), ALL.len());
        for model in ALL {
            assert_eq!(find(model.name()).unwrap().name(), model.name());
        }
        assert!(of_kind::<Classifier>().count() > 1);
    }

    #[test]
    fn a_wrong_name_is_answered_with_the_right_ones() {
        let message = find("mnist").unwrap_err().to_string();
        assert!(message.starts_with("there is no model `mnist`; there are: mnist-mlp"));
        assert!(message.ends_with("word2vec"));
        let message = find_measured("mnist").unwrap_err().to_string();
        assert!(message.starts_with("there is no model `mnist`; there are: mnist-mlp"));
        assert!(!message.contains("word2vec"), "{message}");
        let kind = |name: &str| format!("model `{name}` that names pictures");
        let message = find_kind::<Classifier>("transformer-translate", kind);
        let message = message.unwrap_err().to_string();
        let (_, listed) = message.split_once("there are: ").unwrap();
        assert_eq!(listed, "mnist-mlp, mnist-cnn, cifar-cnn, cifar-resnet");
    }

    #[test]
    fn both_readmes_list_all_of_them() {
        let names: Vec<String> = ALL
            .iter()
            .map(|model| format!("`{}`", model.name()))
            .collect();
        for (file, between, [begin, end]) in [
            ("README.md", ", ", ["(", ")"]),
            ("README.zh-CN.md", "、", ["（", "）"]),
        ] {
            let text = fs::read_to_string(places::repository().join(file)).unwrap();
            let listed = format!("{begin}{}{end}", names.join(between));
            assert!(text.contains(&listed), "{file}: expected {listed}");
        }
    }

    #[test]
    fn what_the_program_for_language_measures_the_command_sends_there() {
        let sent = include_str!("../../course/src/models.rs");
        for model in ALL {
            let there = model.measured() == Measured::ByLanguage;
            let named = format!("(\"eval\", Some(\"{}\"))", model.name());
            assert_eq!(sent.contains(&named), there, "{}", model.name());
        }
    }

    #[test]
    fn all_weights_that_ship_belong_to_a_model_and_say_where_they_come_from() {
        let folder = places::repository().join("data/weights");
        let files = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let files = files.filter(|file| {
            file.extension()
                .is_some_and(|ending| ending == "safetensors")
        });
        let mut seen = 0;
        for file in files {
            let name = file.file_stem().unwrap().to_str().unwrap();
            let model = find(name).unwrap();
            let Trained { details, .. } = Trained::find(model.name(), Some(file.clone())).unwrap();
            for word in ["score", "data", "licence"] {
                assert!(details.contains_key(word), "{word} of {}", file.display());
            }
            // Those that were trained before settings were JSON have them as words.
            assert!(details.contains_key("settings") || details.contains_key("config"));
            let command = format!("cargo course train {name}");
            assert!(details["command"].starts_with(&command), "{details:?}");
            seen += 1;
        }
        assert!(seen >= 7, "{seen}");
    }
}
