//! Classifiers of pictures: recipes, data, training, `cargo course eval` for them and `cargo course predict digits`.

mod bench;
mod contenders;
mod data;
mod evaluate;
mod limit;
mod photo;
mod predict;
pub mod recipes;
mod task;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use kindling::{data::Augment, models::Model, train::load_weights};

use self::data::Subject;
use crate::{
    eval,
    options::{Group, Options},
    recipe::Recipe,
    registry::Trainable,
    weights::Trained,
};

pub use bench::{Args as BenchArgs, run as bench};
pub use predict::{Args as PredictArgs, run as predict};

/// A classifier that can be trained by name.
#[derive(Debug)]
pub struct Classifier {
    /// What the command line calls it.
    pub name: &'static str,
    /// What it learns from.
    pub subject: Subject,
    /// How much of the training set is kept aside to watch the training by.
    pub validation: f64,
    /// How it is trained.
    pub recipe: Recipe,
    /// The model with random weights.
    pub model: fn(seed: u64) -> kindling::Result<Box<dyn Model>>,
    /// What happens at random to each training picture.
    pub augment: fn() -> Augment,
}

impl Trainable for Classifier {
    fn name(&self) -> &'static str {
        self.name
    }

    fn groups(&self) -> &'static [Group] {
        &[Group::Batches]
    }

    fn train(&self, options: &Options) -> Result<ExitCode> {
        task::train(self, options)
    }

    fn evaluate(&self, options: &eval::Options) -> Result<ExitCode> {
        evaluate::evaluate(self, options)
    }
}

impl Classifier {
    /// The model with its weights, and the file that they are in.
    pub fn open(&self, weights: Option<PathBuf>) -> Result<(Box<dyn Model>, Trained)> {
        let trained = Trained::find(self.name, weights)?;
        let model = (self.model)(0)?;
        load_weights(model.as_ref(), &trained.file)?;
        Ok((model, trained))
    }
}

#[cfg(test)]
mod tests {
    use kindling::train::places;

    use super::*;
    use crate::registry;

    #[test]
    fn each_can_be_built_and_trained_one_step() {
        for classifier in registry::of_kind::<Classifier>() {
            let model = (classifier.model)(0).unwrap();
            classifier.recipe.optimizer(model.parameters()).unwrap();
            classifier.recipe.schedule.check().unwrap();
            (classifier.augment)().check().unwrap();
        }
    }

    #[test]
    fn the_weights_that_ship_fit_their_models() {
        for classifier in registry::of_kind::<Classifier>() {
            let file = format!("data/weights/{}.safetensors", classifier.name);
            let file = places::repository().join(file);
            let (model, _) = classifier.open(Some(file)).unwrap();
            assert!(!model.state().is_empty());
        }
    }
}
