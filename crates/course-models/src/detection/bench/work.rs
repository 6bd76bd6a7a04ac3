//! The folder that all sides of `cargo course bench detect` read: what is computed, with which weights, from which pictures.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use candle_core::{Device, Tensor, safetensors};
use kindling::{
    models::{DetectorArchitecture, ObjectDetector},
    pipeline::{LARGEST_OVERLAP, LOWEST_SCORE},
    train::load_weights,
};
use serde::{Deserialize, Serialize};

use crate::{detection::NamedDetector, recipe::OptimizerKind};

/// How many steps are taken before time is measured.
const WARM_UPS: usize = 3;

/// Random weights are sure of nothing, so that next to no box is above this, as next to none of a trained network is.
const THRESHOLD: f64 = 0.3;

/// By so many boxes of each picture the sides are compared.
const SUREST: usize = 10;

/// The files of the folder.
const WORK: &str = "work.json";
const WEIGHTS: &str = "weights.safetensors";
const DATA: &str = "batches.safetensors";

/// Images `(batch, height, width, 3)` and targets `(batch, objects, 6)`.
pub type Batch = (Tensor, Tensor);

/// Everything that decides what is computed, apart from weights and batches.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Work {
    pub architecture: DetectorArchitecture,
    pub learning_rate: f64,
    pub weight_decay: f64,
    pub clip_norm: f64,
    /// What a box's score must be above while time is measured …
    pub threshold: f64,
    /// … and while boxes are compared and judged.
    pub lowest_score: f64,
    pub overlap: f64,
    pub surest: usize,
    pub warm_ups: usize,
    pub steps: usize,
    pub looks: usize,
}

impl Work {
    /// What the recipe says, for so many classes; so many steps, and a look at as many pictures as they learn from.
    pub fn new(named: &NamedDetector, classes: usize, steps: usize) -> Self {
        let recipe = &named.recipe;
        let weight_decay = match recipe.optimizer {
            OptimizerKind::AdamW { weight_decay } => weight_decay,
            _ => 0.0, // all sides move their parameters with AdamW
        };
        Self {
            architecture: (named.architecture)(named.size, classes),
            learning_rate: recipe.learning_rate,
            weight_decay,
            clip_norm: recipe.clip_norm.unwrap_or(f64::MAX),
            threshold: THRESHOLD,
            lowest_score: LOWEST_SCORE,
            overlap: LARGEST_OVERLAP,
            surest: SUREST,
            warm_ups: WARM_UPS,
            steps,
            looks: steps * recipe.batch_size,
        }
    }

    /// Writes all of the folder but the weights, which belong in [`weights`].
    pub fn write(
        &self,
        batches: impl Iterator<Item = kindling::Result<Batch>>,
        folder: &Path,
    ) -> Result<()> {
        fs::write(folder.join(WORK), serde_json::to_string(self)?).context(WORK)?;
        let mut tensors = HashMap::new();
        for (number, batch) in batches.enumerate() {
            let (images, targets) = batch?;
            tensors.insert(format!("images{number}"), images);
            tensors.insert(format!("targets{number}"), targets);
        }
        Ok(safetensors::save(&tensors, folder.join(DATA))?)
    }

    /// What the folder says.
    pub fn read(folder: &Path) -> Result<Self> {
        serde_json::from_slice(&fs::read(folder.join(WORK))?).context(WORK)
    }

    /// The detector with the weights of the folder.
    pub fn detector(&self, folder: &Path) -> Result<Box<dyn ObjectDetector>> {
        let detector = self.architecture.build(1)?;
        load_weights(detector.as_ref(), weights(folder))?;
        Ok(detector)
    }
}

/// The file of the folder's weights.
pub fn weights(folder: &Path) -> PathBuf {
    folder.join(WEIGHTS)
}

/// The batches of the folder, in their order.
pub fn batches(folder: &Path) -> Result<Vec<Batch>> {
    let mut tensors = safetensors::load(folder.join(DATA), &Device::Cpu)?;
    let mut batches = Vec::new();
    while let Some(images) = tensors.remove(&format!("images{}", batches.len())) {
        let targets = tensors.remove(&format!("targets{}", batches.len()));
        batches.push((images, targets.context("images without targets")?));
    }
    Ok(batches)
}
