//! What was trained how: one recipe for each named model.

use anyhow::{Result, bail};
use candle_core::Var;
use kindling::{
    data::{Augment, Loader, PictureLoader, Pictures},
    models::{
        Cnn, CnnConfig, Mirrored, Mlp, MlpConfig, Model, NormCnn, NormCnnConfig, ResNet,
        ResNetConfig,
    },
    optim::{Adam, Nesterov, NesterovConfig, Optimizer, Schedule},
};

use crate::{data::Subject, detection, embeddings, summary, translation};

/// Everything that decides what a trained model is, apart from the seed.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// What the command line calls it.
    pub name: &'static str,
    /// What it learns from.
    pub subject: Subject,
    /// How much of the training set is kept aside to watch the training by.
    pub validation: f64,
    /// How often it goes through the training set.
    pub epochs: usize,
    /// How many examples each step looks at.
    pub batch_size: usize,
    /// The learning rate that the schedule starts from.
    pub learning_rate: f64,
    /// How the learning rate changes, when an epoch has so many steps.
    pub schedule: fn(steps: usize) -> Schedule,
    /// How long all gradients together may be.
    pub clip_norm: Option<f64>,
    /// How much of each label's probability is spread over all classes.
    pub label_smoothing: f64,
    /// The model with random weights.
    pub model: fn(seed: u64) -> kindling::Result<Box<dyn Model>>,
    /// What happens by chance to each training picture.
    pub augment: fn() -> Augment,
    /// The optimiser for its parameters.
    pub optimizer: fn(Vec<Var>, learning_rate: f64) -> kindling::Result<Box<dyn Optimizer>>,
}

/// All models that can be trained by name.
pub const RECIPES: &[Recipe] = &[
    // The network of the lesson Handwritten digits.
    Recipe {
        name: "mnist-mlp",
        subject: Subject::Digits,
        validation: 1.0 / 12.0,
        epochs: 10,
        batch_size: 128,
        learning_rate: 0.001,
        schedule: |_| Schedule::Constant,
        clip_norm: None,
        label_smoothing: 0.0,
        model: |seed| Ok(Box::new(Mlp::new(&MlpConfig::default(), seed)?)),
        augment: Augment::default,
        optimizer: |parameters, rate| Ok(Box::new(Adam::new(parameters, rate)?)),
    },
    // Two stages of normalised convolutions; the learning rate rises and falls once.
    Recipe {
        name: "mnist-cnn",
        subject: Subject::Digits,
        validation: 1.0 / 12.0,
        epochs: 10,
        batch_size: 128,
        learning_rate: 0.005,
        schedule: |_| Schedule::ONE_CYCLE,
        clip_norm: None,
        label_smoothing: 0.05,
        model: |seed| Ok(Box::new(NormCnn::new(&NormCnnConfig::default(), seed)?)),
        augment: || Augment::default().crop(2).rotate(10.0).zoom(0.1),
        optimizer: |parameters, rate| Ok(Box::new(Adam::new(parameters, rate)?)),
    },
    // The network of the lesson Image classification at work, as it is before any improvement.
    Recipe {
        name: "cifar-cnn",
        subject: Subject::Photographs,
        validation: 1.0 / 12.0,
        epochs: 10,
        batch_size: 64,
        learning_rate: 0.001,
        schedule: |_| Schedule::Constant,
        clip_norm: None,
        label_smoothing: 0.0,
        model: |seed| Ok(Box::new(Cnn::new(&CnnConfig::default(), seed)?)),
        augment: Augment::default,
        optimizer: |parameters, rate| Ok(Box::new(Adam::new(parameters, rate)?)),
    },
    // Residual blocks, everything that the lesson measures, and two looks at each picture that is asked about.
    Recipe {
        name: "cifar-resnet",
        subject: Subject::Photographs,
        validation: 1.0 / 50.0,
        epochs: 24,
        batch_size: 128,
        learning_rate: 0.1,
        schedule: |_| Schedule::ONE_CYCLE,
        clip_norm: None,
        label_smoothing: 0.1,
        model: |seed| {
            // Half as wide again as the lesson's, and no block where images are large.
            let config = ResNetConfig {
                stages: vec![(48, false), (96, true), (192, true)],
                ..ResNetConfig::default()
            };
            Ok(Box::new(Mirrored::new(ResNet::new(&config, seed)?)))
        },
        augment: || Augment::default().crop(4).flip().cutout(8),
        optimizer: |parameters, learning_rate| {
            let config = NesterovConfig {
                learning_rate,
                momentum: 0.9,
                weight_decay: 0.0005,
            };
            Ok(Box::new(Nesterov::with_config(parameters, config)?))
        },
    },
];

impl Recipe {
    /// The mini-batches of the training set.
    pub fn loader(&self, training: &Pictures, seed: u64) -> kindling::Result<Box<dyn Loader>> {
        let loader = PictureLoader::new(training, self.batch_size, seed)?;
        Ok(Box::new(loader.augment((self.augment)())?))
    }

    /// The recipe in words, for the record in the weights; `steps` are those of an epoch.
    pub fn describe(&self, steps: usize) -> String {
        let Self {
            epochs,
            batch_size,
            learning_rate,
            label_smoothing,
            ..
        } = self;
        let schedule = (self.schedule)(steps);
        let clip_norm = self
            .clip_norm
            .map_or("none".to_owned(), |norm| norm.to_string());
        format!(
            "epochs {epochs}, batch size {batch_size}, learning rate {learning_rate}, schedule {schedule:?}, label smoothing {label_smoothing}, clip norm {clip_norm}, {:?}",
            (self.augment)()
        )
    }
}

/// The recipe of this name; without one, says what can be trained.
pub fn recipe(name: &str) -> Result<&'static Recipe> {
    let found = RECIPES.iter().find(|recipe| recipe.name == name);
    let Some(recipe) = found else {
        let names = RECIPES.iter().map(|recipe| recipe.name);
        let names: Vec<_> = names
            .chain(detection::RECIPES.iter().map(|recipe| recipe.name))
            .chain(translation::NAMES)
            .chain([summary::NAME, embeddings::NAME])
            .collect();
        bail!(
            "there is no model `{name}`; there are: {}",
            names.join(", ")
        );
    };
    Ok(recipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_recipe_can_be_built_and_has_a_name_of_its_own() {
        for recipe in RECIPES {
            let model = (recipe.model)(0).unwrap();
            (recipe.optimizer)(model.parameters(), recipe.learning_rate).unwrap();
            assert_eq!(super::recipe(recipe.name).unwrap().epochs, recipe.epochs);
            let same = RECIPES.iter().filter(|other| other.name == recipe.name);
            assert_eq!(same.count(), 1);
        }
    }

    #[test]
    fn a_wrong_name_is_answered_with_the_right_ones() {
        let message = recipe("mnist").unwrap_err().to_string();
        assert!(message.starts_with("there is no model `mnist`; there are: mnist-mlp"));
    }
}
