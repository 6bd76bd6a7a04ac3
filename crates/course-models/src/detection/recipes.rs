//! The detectors that can be trained by name, one constant each; the registry lists them.

use kindling::{
    data::detection::DetectionAugment,
    models::{
        DetectorArchitecture, FeaturePyramidConfig, OneStageDetectorConfig, TwoStageDetectorConfig,
    },
};

use super::NamedDetector;
use crate::recipe::{OptimizerKind, QUICK_RISE, Recipe};

/// The network of the lesson on one-stage detectors, for photographs.
pub static ONE_STAGE: NamedDetector = NamedDetector {
    name: "detect-one-stage",
    size: (256, 320),
    architecture: |size, classes| {
        DetectorArchitecture::OneStage(OneStageDetectorConfig {
            pyramid: backbone(size),
            head: 2,
            classes,
        })
    },
    recipe: Recipe {
        epochs: 80,
        batch_size: 8,
        learning_rate: 0.003,
        schedule: QUICK_RISE,
        optimizer: ADAM_W,
        label_smoothing: 0.0,
        clip_norm: Some(10.0),
        patience: None,
    },
    augment: microscope,
};

/// The network of the lesson on two-stage detectors, on the same backbone.
pub static TWO_STAGE: NamedDetector = NamedDetector {
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
    recipe: Recipe {
        epochs: 80,
        batch_size: 8,
        learning_rate: 0.002,
        schedule: QUICK_RISE,
        optimizer: ADAM_W,
        label_smoothing: 0.0,
        clip_norm: Some(10.0),
        patience: None,
    },
    augment: microscope,
};

/// The optimiser of all detectors.
const ADAM_W: OptimizerKind = OptimizerKind::AdamW { weight_decay: 0.05 };

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
