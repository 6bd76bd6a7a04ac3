//! `cargo course train` for classifiers.

use std::process::ExitCode;

use anyhow::Result;
use candle_core::Tensor;
use kindling::{
    data::PictureLoader,
    models::Model,
    train::{Settings, evaluate},
};

use super::{Classifier, data::Data};
use crate::{
    options::Options,
    recipe::Recipe,
    run::{Batches, Origin, Run, Score, Task, pictures},
};

/// Trains with each seed, and measures accuracy on the test set.
pub fn train(classifier: &Classifier, options: &Options) -> Result<ExitCode> {
    let run = Run::open(classifier.name, options)?;
    run.train(&Classes {
        classifier,
        recipe: classifier.recipe.with(options),
        data: Data::load(classifier.subject, classifier.validation, &options.data)?,
    })
}

/// Naming pictures.
struct Classes<'a> {
    classifier: &'a Classifier,
    recipe: Recipe,
    data: Data,
}

impl Task for Classes<'_> {
    type Network = Box<dyn Model>;

    type Input = Tensor;

    const MEASURE: (&'static str, &'static str) = ("test accuracy", " %");

    fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    fn settings(&self) -> Result<Settings> {
        let augment = (self.classifier.augment)();
        Ok(Settings::default().with("augment", augment)?)
    }

    fn origin(&self) -> Origin<'_> {
        Origin {
            name: &self.data.name,
            licence: self.data.licence,
        }
    }

    fn network(&self, seed: u64) -> Result<Box<dyn Model>> {
        Ok((self.classifier.model)(seed)?)
    }

    fn model<'n>(&self, network: &'n Box<dyn Model>) -> &'n dyn Model {
        network.as_ref()
    }

    fn examples(&self) -> String {
        let data = &self.data;
        let sizes = [data.training.len(), data.validation.len(), data.test.len()];
        pictures(sizes, &data.source)
    }

    fn batches(&self, seed: u64) -> Result<Batches<Tensor>> {
        let loader = PictureLoader::new(&self.data.training, self.recipe.batch_size, seed)?;
        let loader = loader.augment((self.classifier.augment)())?;
        Ok((Box::new(loader), Box::new(self.data.validation.clone())))
    }

    fn judge(&self, network: Box<dyn Model>) -> Result<(Box<dyn Model>, Score)> {
        let (loss, accuracy) = evaluate(network.as_ref(), &self.data.test)?;
        let score = Score {
            value: 100.0 * accuracy,
            words: format!(
                "test accuracy {:.2} %, test loss {loss:.4}",
                100.0 * accuracy
            ),
            how: String::new(),
            notes: Vec::new(),
        };
        Ok((network, score))
    }
}
