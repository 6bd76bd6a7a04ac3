//! Our side of `cargo course bench detect`.

use std::{path::Path, time::Instant};

use anyhow::{Context, Result};
use candle_core::Tensor;
use course_program::bench;
use kindling::{
    data::{Random, detection::objects_of},
    models::{
        BoxSampling, DetectorArchitecture, ObjectDetector, TwoStageDetector, TwoStageDetectorLoss,
    },
    optim::{AdamW, AdamWConfig, Optimizer, clip_norm},
    train::load_weights,
};
use serde_json::{Value, json};

use super::work::{Batch, Work, batches, weights};
use crate::detection::metrics::Judged;

/// How many pictures a second it learns from and looks at, and what the other sides must find as well.
pub fn speed(folder: &Path) -> Result<Value> {
    let work = Work::read(folder)?;
    let batches = batches(folder)?;
    let first = batches.first().context("no batches")?;
    let detector = work.detector(folder)?;
    let parameters = detector.parameters();
    let parameters: usize = parameters.iter().map(|var| var.elem_count()).sum();
    let loss = loss_without_chance(&work, detector.as_ref(), first, folder)?;
    let surest = surest(&work, detector.as_ref(), &first.0)?;
    let detection = detection(&work, detector.as_ref(), &first.0)?;
    let (training, first_step) = training(&work, detector.as_ref(), &batches)?;
    Ok(json!({
        "parameters": parameters,
        "training_pictures_per_s": training,
        "detection_pictures_per_s": detection,
        "loss": loss,
        "surest": surest,
        "first_step_s": first_step,
        "peak_mb": bench::peak_memory(),
    }))
}

/// Mean average precision on all pictures of the folder.
pub fn quality(folder: &Path) -> Result<Value> {
    let work = Work::read(folder)?;
    let detector = work.detector(folder)?;
    let mut judged = Judged::default();
    for (images, targets) in batches(folder)? {
        judged.look(detector.as_ref(), &images, objects_of(&targets)?)?;
    }
    let score = judged.score(detector.classes())?;
    Ok(json!({"map_50": score.at_50, "map": score.mean}))
}

/// What the sides are compared by before any training: the loss where chance plays no part.
fn loss_without_chance(
    work: &Work,
    detector: &dyn ObjectDetector,
    (images, targets): &Batch,
    folder: &Path,
) -> Result<f32> {
    let outputs = detector.forward(images)?.detach();
    let mut random = Random::new(0);
    let loss = match &work.architecture {
        DetectorArchitecture::OneStage(_) => detector.objective()?(&outputs, targets, &mut random)?,
        // Two generators would draw other boxes: here all count.
        DetectorArchitecture::TwoStage(config) => {
            let detector = TwoStageDetector::new(config, 1)?;
            load_weights(&detector, weights(folder))?;
            TwoStageDetectorLoss::new(&detector)?
                .sampling(BoxSampling::ALL, BoxSampling::ALL)
                .forward(&outputs, targets, &mut random)?
        }
    };
    Ok(loss.to_scalar()?)
}

/// The highest scores in each picture.
fn surest(work: &Work, detector: &dyn ObjectDetector, images: &Tensor) -> Result<Vec<f32>> {
    let found = detector.detect(images, work.lowest_score, work.overlap)?;
    let surest = found
        .iter()
        .flat_map(|found| found.iter().take(work.surest));
    Ok(surest.map(|found| found.score).collect())
}

/// Pictures a second through whole training steps, and when the first was done.
fn training(
    work: &Work,
    detector: &dyn ObjectDetector,
    batches: &[Batch],
) -> Result<(f64, Option<f64>)> {
    let parameters = detector.parameters();
    let config = AdamWConfig {
        learning_rate: work.learning_rate,
        weight_decay: work.weight_decay,
        ..AdamWConfig::default()
    };
    let mut optimizer = AdamW::with_config(parameters.clone(), config)?;
    let objective = detector.objective()?;
    let mut random = Random::new(0);
    let (mut first_step, mut started, mut seen) = (None, Instant::now(), 0);
    for (step, (images, targets)) in (0..work.warm_ups + work.steps).zip(batches.iter().cycle()) {
        if step == work.warm_ups {
            (started, seen) = (Instant::now(), 0);
        }
        let outputs = detector.forward_training(images, &mut random)?;
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
fn detection(work: &Work, detector: &dyn ObjectDetector, images: &Tensor) -> Result<f64> {
    let pictures = (0..images.dim(0)?).map(|picture| images.narrow(0, picture, 1));
    let pictures = pictures.collect::<candle_core::Result<Vec<Tensor>>>()?; // (1, height, width, 3) each
    let mut started = Instant::now();
    for (look, picture) in (0..work.warm_ups + work.looks).zip(pictures.iter().cycle()) {
        if look == work.warm_ups {
            started = Instant::now();
        }
        std::hint::black_box(detector.detect(picture, work.threshold, work.overlap)?);
    }
    Ok(work.looks as f64 / started.elapsed().as_secs_f64())
}
