//! `cargo course train` for detectors.

use std::{path::Path, process::ExitCode};

use anyhow::Result;
use candle_core::Tensor;
use course_program::output;
use kindling::{
    data::detection::DetectionLoader,
    models::Model,
    pipeline::DetectionPipeline,
    train::{Settings, Training},
};

use super::{
    NamedDetector,
    data::Parts,
    metrics::{Judged, counts_in_words, score_in_words},
};
use crate::{
    options::Options,
    recipe::Recipe,
    run::{Batches, Origin, Run, Score, Task, pictures},
};

/// Trains with each seed, and measures mean average precision on the test set.
pub fn train(named: &NamedDetector, options: &Options) -> Result<ExitCode> {
    let run = Run::open(named.name, options)?;
    let parts = Parts::load(named.size, &options.data, &options.annotations)?;
    for note in &parts.notes {
        output::report(note)?;
    }
    run.train(&Detection {
        named,
        recipe: named.recipe.with(options),
        parts,
    })
}

/// Finding objects.
struct Detection<'a> {
    named: &'a NamedDetector,
    recipe: Recipe,
    parts: Parts,
}

impl Task for Detection<'_> {
    type Network = DetectionPipeline;

    type Input = Tensor;

    const MEASURE: (&'static str, &'static str) = ("mAP@0.5", " %");

    fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    fn settings(&self) -> Result<Settings> {
        let augment = (self.named.augment)();
        Ok(Settings::default().with("augment", augment)?)
    }

    fn origin(&self) -> Origin<'_> {
        Origin {
            name: &self.parts.name,
            licence: self.parts.licence,
        }
    }

    fn network(&self, seed: u64) -> Result<DetectionPipeline> {
        let classes = self.parts.classes();
        let architecture = (self.named.architecture)(self.named.size, classes.len());
        Ok(DetectionPipeline::new(
            architecture,
            classes.to_vec(),
            seed,
        )?)
    }

    fn model<'n>(&self, network: &'n DetectionPipeline) -> &'n dyn Model {
        network.network()
    }

    fn examples(&self) -> String {
        let parts = &self.parts;
        let sizes = [
            parts.training.len(),
            parts.validation.len(),
            parts.test.len(),
        ];
        pictures(sizes, &parts.source)
    }

    fn batches(&self, seed: u64) -> Result<Batches<Tensor>> {
        let size = self.recipe.batch_size;
        let loader = DetectionLoader::new(&self.parts.training, size, seed)?;
        let loader = loader.augment((self.named.augment)())?;
        let validation = DetectionLoader::new(&self.parts.validation, size, 0)?;
        Ok((Box::new(loader), Box::new(validation)))
    }

    fn with_loss(&self, training: Training, network: &DetectionPipeline) -> Result<Training> {
        Ok(training.sampled_loss(network.network().objective()?))
    }

    fn judge(&self, network: DetectionPipeline) -> Result<(DetectionPipeline, Score)> {
        let classes = self.parts.classes();
        let judged = Judged::new(network.network(), &self.parts.test)?;
        let score = judged.score(classes.len())?;
        // Counting is learned from pictures that the network was not trained on.
        let known = Judged::new(network.network(), &self.parts.validation)?;
        let counting = known.counting(classes.len())?;
        let counts = counts_in_words(&judged.counted(&counting), classes);
        let score = Score {
            value: 100.0 * score.at_50,
            words: score_in_words(&score, classes),
            how: ", on the test set".to_owned(),
            notes: vec![counts],
        };
        Ok((network.counting(counting)?, score))
    }

    fn save(
        &self,
        network: &DetectionPipeline,
        file: &Path,
        details: &[(&str, &str)],
    ) -> Result<()> {
        Ok(network.save(file, details)?)
    }
}
