//! What all sides of `cargo course bench detect` learn from, and our side.

use std::{collections::HashMap, fs, path::Path, time::Instant};

use anyhow::{Context, Result, bail};
use candle_core::{Device, Tensor, safetensors};
use course_program::bench;
use kindling::{
    data::{Loader, Random, detection::DetectionLoader},
    models::{DetectorArchitecture, DetectorConfig, FeaturePyramidConfig, ObjectDetector},
    optim::{AdamW, AdamWConfig, Optimizer, clip_norm},
    pipeline::LARGEST_OVERLAP,
    train::{load_weights, save_weights},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{data::Parts, recipe::Recipe};

/// How many steps are taken before time is measured.
const WARM_UPS: usize = 3;

/// How many different batches there are, over and over.
const BATCHES: usize = 4;

/// Weights by chance are sure of nothing, so that next to no box is above this.
const THRESHOLD: f64 = 0.3;

/// The files of the folder.
const WORK: &str = "work.json";
const WEIGHTS: &str = "weights.safetensors";
const DATA: &str = "batches.safetensors";

/// Everything that decides what is computed, apart from weights and batches.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Work {
    image: (usize, usize),
    stages: Vec<usize>,
    channels: usize,
    head: usize,
    classes: usize,
    learning_rate: f64,
    weight_decay: f64,
    clip_norm: f64,
    threshold: f64,
    overlap: f64,
    warm_ups: usize,
    steps: usize,
    looks: usize,
}

impl Work {
    /// Writes a folder with the recipe's network, its weights by chance and the first batches of these pictures.
    pub fn write(recipe: &Recipe, parts: &Parts, steps: usize, folder: &Path) -> Result<()> {
        let architecture = (recipe.architecture)(recipe.size, parts.classes().len());
        let DetectorArchitecture::OneStage(config) = &architecture else {
            bail!("{}: expected a detector of one stage", recipe.name);
        };
        let work = Self {
            image: config.pyramid.image,
            stages: config.pyramid.stages.clone(),
            channels: config.pyramid.channels,
            head: config.head,
            classes: config.classes,
            learning_rate: recipe.learning_rate,
            weight_decay: recipe.weight_decay,
            clip_norm: recipe.clip_norm,
            threshold: THRESHOLD,
            overlap: LARGEST_OVERLAP,
            warm_ups: WARM_UPS,
            steps,
            looks: steps * recipe.batch_size,
        };
        fs::write(folder.join(WORK), serde_json::to_string(&work)?).context(WORK)?;
        save_weights(architecture.build(0)?.as_ref(), folder.join(WEIGHTS), &[])?;
        let loader = DetectionLoader::new(&parts.training, recipe.batch_size, 0)?;
        let mut tensors = HashMap::new();
        for (number, batch) in loader.batches(1, 0)?.take(BATCHES).enumerate() {
            let (images, targets) = batch?;
            tensors.insert(format!("images{number}"), images);
            tensors.insert(format!("targets{number}"), targets);
        }
        Ok(safetensors::save(&tensors, folder.join(DATA))?)
    }

    /// The network with the weights of the folder.
    fn network(&self, folder: &Path) -> Result<Box<dyn ObjectDetector>> {
        let config = DetectorConfig {
            pyramid: FeaturePyramidConfig {
                image: self.image,
                stages: self.stages.clone(),
                channels: self.channels,
            },
            head: self.head,
            classes: self.classes,
        };
        let network = DetectorArchitecture::OneStage(config).build(1)?;
        load_weights(network.as_ref(), folder.join(WEIGHTS))?;
        Ok(network)
    }
}

/// Times our side in this process.
pub fn turn(side: &str, folder: &Path) -> Result<Value> {
    if side != "ours" {
        bail!("--side: expected ours, found {side}");
    }
    let work: Work = serde_json::from_slice(&fs::read(folder.join(WORK))?).context(WORK)?;
    let batches = batches(folder)?;
    let (images, targets) = batches.first().context("no batches")?;
    let network = work.network(folder)?;
    let objective = network.objective()?;
    let mut random = Random::new(0);
    let outputs = network.forward(images)?.detach();
    let loss = objective(&outputs, targets, &mut random)?.to_scalar::<f32>()?;
    let detection = detection(&work, network.as_ref(), images)?;
    let (training, first_step) = training(&work, network.as_ref(), &batches)?;
    Ok(json!({
        "training_pictures_per_s": training,
        "detection_pictures_per_s": detection,
        "loss": loss,
        "first_step_s": first_step,
        "peak_mb": bench::peak_memory(),
    }))
}

/// Images `(batch, height, width, 3)` and targets `(batch, objects, 6)`, as they were written.
fn batches(folder: &Path) -> Result<Vec<(Tensor, Tensor)>> {
    let mut tensors = safetensors::load(folder.join(DATA), &Device::Cpu)?;
    let mut batches = Vec::new();
    while let Some(images) = tensors.remove(&format!("images{}", batches.len())) {
        let targets = tensors.remove(&format!("targets{}", batches.len()));
        batches.push((images, targets.context("images without targets")?));
    }
    Ok(batches)
}

/// Pictures a second through whole training steps, and when the first was done.
fn training(
    work: &Work,
    network: &dyn ObjectDetector,
    batches: &[(Tensor, Tensor)],
) -> Result<(f64, Option<f64>)> {
    let parameters = network.parameters();
    let config = AdamWConfig {
        learning_rate: work.learning_rate,
        weight_decay: work.weight_decay,
        ..AdamWConfig::default()
    };
    let mut optimizer = AdamW::with_config(parameters.clone(), config)?;
    let objective = network.objective()?;
    let mut random = Random::new(0);
    let (mut first_step, mut started, mut seen) = (None, Instant::now(), 0);
    for (step, (images, targets)) in (0..work.warm_ups + work.steps).zip(batches.iter().cycle()) {
        if step == work.warm_ups {
            (started, seen) = (Instant::now(), 0);
        }
        let outputs = network.forward_training(images, &mut random)?; // (batch, cells, classes + 5)
        let loss = objective(&outputs, targets, &mut random)?;
        let mut gradients = loss.backward()?;
        clip_norm(&mut gradients, &parameters, work.clip_norm)?;
        optimizer.step(&gradients)?;
        seen += images.dim(0)?;
        first_step = first_step.or_else(bench::since_start);
    }
    Ok((seen as f64 / started.elapsed().as_secs_f64(), first_step))
}

/// Pictures a second, one at a time, from pixels to boxes.
fn detection(work: &Work, network: &dyn ObjectDetector, images: &Tensor) -> Result<f64> {
    let pictures = (0..images.dim(0)?).map(|picture| images.narrow(0, picture, 1));
    let pictures = pictures.collect::<candle_core::Result<Vec<Tensor>>>()?; // (1, height, width, 3) each
    let mut started = Instant::now();
    for (look, picture) in (0..work.warm_ups + work.looks).zip(pictures.iter().cycle()) {
        if look == work.warm_ups {
            started = Instant::now();
        }
        std::hint::black_box(network.detect(picture, work.threshold, work.overlap)?);
    }
    Ok(work.looks as f64 / started.elapsed().as_secs_f64())
}
