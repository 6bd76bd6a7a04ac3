//! `cargo course eval` for classifiers.

use std::process::ExitCode;

use anyhow::Result;
use course_program::output;
use kindling::{
    metrics::{ConfusionMatrix, accuracy},
    train::predict,
};

use super::{Classifier, data::Data};
use crate::eval::Options;

/// Measures accuracy on the test set, and names the commonest mistakes.
pub fn evaluate(classifier: &Classifier, options: &Options) -> Result<ExitCode> {
    let (model, trained) = classifier.open(options.weights.clone())?;
    let data = Data::load(classifier.subject, classifier.validation, &options.data)?;
    let (loss, share) = kindling::train::evaluate(model.as_ref(), &data.test)?;
    if options.json {
        let line = serde_json::json!({
            "model": classifier.name,
            "weights": trained.file.display().to_string(),
            "data": data.source,
            "examples": data.test.len(),
            "loss": loss,
            "accuracy": share,
        });
        output::print(&line.to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    trained.introduce(classifier.name)?;
    output::print(&format!(
        "test accuracy {:.2} %, test loss {loss:.4}, on {} pictures from {}",
        100.0 * share,
        data.test.len(),
        data.source
    ))?;
    let logits = predict(model.as_ref(), &data.test.images)?; // (examples, classes)
    debug_assert_eq!(accuracy(&logits, &data.test.labels)?, share);
    let confusions = ConfusionMatrix::new(&logits, &data.test.labels)?.confusions();
    let classes = data.training.classes();
    for (label, prediction, count) in confusions.into_iter().take(5) {
        output::print(&format!(
            "{count:>5} × {} taken for {}",
            classes[label], classes[prediction]
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
