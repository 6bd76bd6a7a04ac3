//! The detectors by name, and how each is trained.

use kindling::{
    data::detection::DetectionAugment,
    models::{DetectorArchitecture, DetectorConfig, FeaturePyramidConfig, TwoStageDetectorConfig},
    optim::Schedule,
};

use crate::train::Args;

/// Everything that decides what a trained detector is, apart from the data and the seed.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// What the command line calls it.
    pub name: &'static str,
    /// Height and width of the sheets that pictures are brought to.
    pub size: (usize, usize),
    /// The network, for sheets of this size and so many classes.
    pub architecture: fn(size: (usize, usize), classes: usize) -> DetectorArchitecture,
    /// How often it goes through the training set.
    pub epochs: usize,
    /// How many pictures each step looks at.
    pub batch_size: usize,
    /// The highest learning rate.
    pub learning_rate: f64,
    /// Which share of each weight a step takes away, times the learning rate.
    pub weight_decay: f64,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// How long all gradients together may be.
    pub clip_norm: f64,
    /// What happens by chance to each training picture.
    pub augment: fn() -> DetectionAugment,
}

/// Up within a tenth of the training, and down in the rest.
const RISE_AND_FALL: Schedule = Schedule::OneCycle {
    rise: 0.1,
    first_divisor: 25.0,
    last_divisor: 1e3,
};

/// All detectors that can be trained by name.
pub const RECIPES: &[Recipe] = &[
    // The network of the lesson on one-stage detectors, for photographs.
    Recipe {
        name: "detect-one-stage",
        size: (256, 320),
        architecture: |size, classes| {
            DetectorArchitecture::OneStage(DetectorConfig {
                pyramid: backbone(size),
                head: 2,
                classes,
            })
        },
        epochs: 80,
        batch_size: 8,
        learning_rate: 0.003,
        weight_decay: 0.05,
        schedule: RISE_AND_FALL,
        clip_norm: 10.0,
        augment: microscope,
    },
    // The network of the lesson on two-stage detectors, on the same backbone.
    Recipe {
        name: "detect-two-stage",
        size: (256, 320),
        architecture: |size, classes| {
            DetectorArchitecture::TwoStage(TwoStageDetectorConfig {
                pyramid: backbone(size),
                // Cells are nearly round.
                aspect_ratios: vec![0.7, 1.0, 1.4],
                classes,
                ..TwoStageDetectorConfig::default()
            })
        },
        epochs: 80,
        batch_size: 8,
        learning_rate: 0.002,
        weight_decay: 0.05,
        schedule: RISE_AND_FALL,
        clip_norm: 10.0,
        augment: microscope,
    },
];

/// The backbone of all detectors.
fn backbone(image: (usize, usize)) -> FeaturePyramidConfig {
    FeaturePyramidConfig {
        image,
        stages: vec![16, 32, 48, 64, 96],
        channels: 48,
    }
}

/// What a slide under a microscope can look like: there is no up and no left, and stain and light differ.
fn microscope() -> DetectionAugment {
    DetectionAugment::default()
        .flip()
        .flip_vertically()
        .brightness(0.2)
        .contrast(0.2)
        .saturation(0.3)
        .zoom(0.4)
}

/// The recipe of this name, if there is one.
pub fn recipe(name: &str) -> Option<Recipe> {
    let found = RECIPES.iter().find(|recipe| recipe.name == name);
    found.cloned()
}

impl Recipe {
    /// The recipe, with what the command line says otherwise.
    pub fn with(self, args: &Args) -> Self {
        Self {
            epochs: args.epochs.unwrap_or(self.epochs),
            batch_size: args.batch_size.unwrap_or(self.batch_size),
            learning_rate: args.learning_rate.unwrap_or(self.learning_rate),
            ..self
        }
    }

    /// The recipe in words, for the record in the weights.
    pub fn describe(&self) -> String {
        let Self {
            size: (height, width),
            epochs,
            batch_size,
            learning_rate,
            weight_decay,
            schedule,
            clip_norm,
            ..
        } = self;
        format!(
            "sheets of {height} × {width}, epochs {epochs}, batch size {batch_size}, AdamW, learning rate {learning_rate}, weight decay {weight_decay}, schedule {schedule:?}, clip norm {clip_norm}, {:?}",
            (self.augment)()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_recipe_can_be_built_for_its_size() {
        for recipe in RECIPES {
            let detector = (recipe.architecture)(recipe.size, 3).build(0).unwrap();
            assert_eq!((detector.image(), detector.classes()), (recipe.size, 3));
            (recipe.augment)().check().unwrap();
            recipe.schedule.check().unwrap();
            assert_eq!(super::recipe(recipe.name).unwrap().epochs, recipe.epochs);
        }
        assert!(super::recipe("mnist-mlp").is_none());
    }
}
