//! Detectors: recipes, data, training, `cargo course eval` for them and `cargo course predict detect`.

mod bench;
mod data;
mod evaluate;
mod metrics;
mod predict;
pub mod recipes;
mod task;

use std::process::ExitCode;

use anyhow::Result;
use kindling::{data::detection::DetectionAugment, models::DetectorArchitecture};

use crate::{
    eval,
    options::{Group, Options},
    recipe::Recipe,
    registry::Trainable,
};

pub use bench::{Args as BenchArgs, run as bench};
pub use data::AnnotationOptions;
pub use predict::{Args as PredictArgs, run as predict};

/// A detector that can be trained by name.
#[derive(Debug)]
pub struct NamedDetector {
    /// What the command line calls it.
    pub name: &'static str,
    /// Height and width of the sheets that pictures are brought to.
    pub size: (usize, usize),
    /// The network, for sheets of this size and so many classes.
    pub architecture: fn(size: (usize, usize), classes: usize) -> DetectorArchitecture,
    /// How it is trained.
    pub recipe: Recipe,
    /// What happens at random to each training picture.
    pub augment: fn() -> DetectionAugment,
}

impl Trainable for NamedDetector {
    fn name(&self) -> &'static str {
        self.name
    }

    fn groups(&self) -> &'static [Group] {
        &[Group::Batches, Group::Annotations]
    }

    fn train(&self, options: &Options) -> Result<ExitCode> {
        task::train(self, options)
    }

    fn evaluate(&self, options: &eval::Options) -> Result<ExitCode> {
        evaluate::evaluate(self, options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry;

    #[test]
    fn each_can_be_built_for_its_size() {
        for named in registry::of_kind::<NamedDetector>() {
            let detector = (named.architecture)(named.size, 3).build(0).unwrap();
            assert_eq!((detector.image(), detector.classes()), (named.size, 3));
            named.recipe.optimizer(detector.parameters()).unwrap();
            named.recipe.schedule.check().unwrap();
            (named.augment)().check().unwrap();
        }
    }
}
