//! `cargo course train` for detectors.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use anyhow::Result;
use course_program::output;
use kindling::{
    data::detection::DetectionLoader,
    models::ObjectDetector,
    optim::{AdamW, AdamWConfig},
    pipeline::DetectionPipeline,
    train::{Every, History, Training, places},
};

use super::{
    data::Parts,
    judge::{Judged, counts_in_words, score_in_words},
    recipe::Recipe,
};
use crate::train::{Args, command, each_seed, writable};

/// Trains with each seed, and measures mean average precision on the test set.
pub fn train(recipe: Recipe, args: &Args, stop: &Arc<AtomicBool>) -> Result<ExitCode> {
    let recipe = recipe.with(args);
    let out = args.out.clone();
    let out = out.unwrap_or_else(|| places::runs(recipe.name));
    writable(&out)?;
    let parts = Parts::load(recipe.size, &args.data, &args.annotations)?;
    for note in &parts.notes {
        output::report(note)?;
    }
    let run = Run {
        recipe,
        parts,
        args,
        out: &out,
        stop,
    };
    each_seed(args, ("mAP@0.5", " %"), |seed| run.one(seed))
}

/// What all seeds share.
struct Run<'a> {
    recipe: Recipe,
    parts: Parts,
    args: &'a Args,
    out: &'a Path,
    stop: &'a Arc<AtomicBool>,
}

impl Run<'_> {
    /// Trains with one seed and keeps the weights; returns the mean average precision in percent, or nothing when stopped.
    fn one(&self, seed: u64) -> Result<Option<f64>> {
        let classes = self.parts.classes();
        let architecture = (self.recipe.architecture)(self.recipe.size, classes.len());
        let detector = DetectionPipeline::new(architecture, classes.to_vec(), seed)?;
        let started = Instant::now();
        let history = self.fit(seed, detector.network())?;
        output::report(&format!("{history:?}"))?;
        if history.stopped {
            return Ok(None);
        }
        let seconds = started.elapsed().as_secs_f64();
        let judged = Judged::new(detector.network(), &self.parts.test)?;
        let score = judged.score(classes.len())?;
        let words = score_in_words(&score, classes);
        output::report(&format!("{words}, {seconds:.1} s of training"))?;
        // Counting is learned from pictures that the network was not trained on.
        let known = Judged::new(detector.network(), &self.parts.validation)?;
        let counting = known.counting(classes.len())?;
        output::report(&counts_in_words(&judged.counted(&counting), classes))?;
        self.keep(seed, detector.counting(counting)?, &words)?;
        Ok(Some(100.0 * score.at_50))
    }

    /// The recipe, carried out.
    fn fit(&self, seed: u64, network: &dyn ObjectDetector) -> Result<History> {
        let Self {
            recipe,
            parts,
            args,
            ..
        } = self;
        let loader = DetectionLoader::new(&parts.training, recipe.batch_size, seed)?;
        let loader = loader.augment((recipe.augment)())?;
        let validation = DetectionLoader::new(&parts.validation, recipe.batch_size, 0)?;
        let parameters = network.parameters();
        let count: usize = parameters.iter().map(|var| var.elem_count()).sum();
        output::report(&format!(
            "{}, seed {seed}: {count} parameters; {} training, {} validation and {} test pictures from {}",
            recipe.name,
            parts.training.len(),
            parts.validation.len(),
            parts.test.len(),
            parts.source,
        ))?;
        let optimizer = AdamW::with_config(
            parameters,
            AdamWConfig {
                learning_rate: recipe.learning_rate,
                weight_decay: recipe.weight_decay,
                ..AdamWConfig::default()
            },
        )?;
        let (objective, stop) = (network.objective()?, self.stop.clone());
        let training = Training::new(Box::new(optimizer))
            .epochs(recipe.epochs)
            .seed(seed)
            .schedule(recipe.schedule.clone())
            .clip_norm(recipe.clip_norm)
            .sampled_loss(objective)
            .checkpoint(
                self.out.join(format!("seed-{seed}")),
                Every::Seconds(args.checkpoint_seconds),
            )
            .resume(args.resume)
            .log(self.out.join(format!("seed-{seed}.jsonl")))
            .setting("model", recipe.name)
            .setting("batch_size", recipe.batch_size)
            .setting("augment", format!("{:?}", (recipe.augment)()))
            .setting("data", &parts.name)
            .stop_when(move || stop.load(Ordering::Relaxed));
        Ok(training.fit(network, &loader, &validation)?)
    }

    /// Writes the weights, with all that somebody who finds them may ask.
    fn keep(&self, seed: u64, detector: DetectionPipeline, score: &str) -> Result<()> {
        let file: PathBuf = places::weights(self.out, seed);
        let (config, command) = (self.recipe.describe(), command());
        let score = format!("{score}, on the test set");
        detector.save(
            &file,
            &[
                ("recipe", self.recipe.name),
                ("config", &config),
                ("score", &score),
                ("data", &self.parts.name),
                ("licence", self.parts.licence),
                ("command", &command),
            ],
        )?;
        output::report(&format!("weights: {}", file.display()))?;
        Ok(())
    }
}
