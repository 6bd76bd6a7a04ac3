//! `cargo course eval` for detectors.

use std::{path::Path, process::ExitCode};

use anyhow::{Result, bail};
use course_program::output;
use kindling::pipeline::DetectionPipeline;
use serde_json::json;

use super::{
    NamedDetector,
    data::{AnnotationOptions, Parts},
    metrics::{COVERAGE, Judged, counts_in_words, score_in_words},
};
use crate::{eval::Options, options::DataOptions, weights::Trained};

/// The detector with the weights in this file, and the data that it can be judged by.
pub fn open(
    file: &Path,
    (data, annotations): (&DataOptions, &AnnotationOptions),
) -> Result<(DetectionPipeline, Parts)> {
    let detector = DetectionPipeline::open(file)?;
    let size = detector.network().image();
    let parts = Parts::load(size, data, annotations)?;
    let classes = detector.classes();
    if parts.classes() != classes {
        bail!(
            "{}: expected the classes {}, which {} was trained on, found {}",
            parts.source,
            classes.join(", "),
            file.display(),
            parts.classes().join(", ")
        );
    }
    Ok((detector, parts))
}

/// Measures mean average precision on the test set.
pub fn evaluate(named: &NamedDetector, options: &Options) -> Result<ExitCode> {
    let trained = Trained::find(named.name, options.weights.clone())?;
    let file = &trained.file;
    let (detector, parts) = open(file, (&options.data, &options.annotations))?;
    if options.data.data.is_some() {
        for note in &parts.notes {
            output::note(note);
        }
    }
    let classes = detector.classes();
    let judged = Judged::new(detector.network(), &parts.test)?;
    let score = judged.score(classes.len())?;
    let known = Judged::new(detector.network(), &parts.validation)?;
    let counted = judged.counted(&known.counting(classes.len())?);
    if options.json {
        let each = classes.iter().zip(&score.classes).zip(&counted);
        let each = each.map(|((name, class), counted)| {
            json!({
                "class": name,
                "average_precision_50": class.as_ref().map(|class| class.at_50),
                "average_precision": class.as_ref().map(|class| class.mean),
                "counts_inside": counted.inside,
                "count_error": counted.error,
            })
        });
        let line = json!({
            "model": named.name,
            "weights": file.display().to_string(),
            "data": parts.source,
            "examples": parts.test.len(),
            "map_50": score.at_50,
            "map_75": score.at_75,
            "map": score.mean,
            "coverage": COVERAGE,
            "classes": each.collect::<Vec<_>>(),
        });
        output::print(&line.to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    trained.introduce(named.name)?;
    output::print(&format!(
        "{}, on {} pictures from {}",
        score_in_words(&score, classes),
        parts.test.len(),
        parts.source
    ))?;
    for (name, class) in classes.iter().zip(&score.classes) {
        if let Some(class) = class {
            output::print(&format!(
                "  {name}: AP@0.5 {:.2} %, AP@0.5:0.95 {:.2} %, {:.1} % of objects found",
                100.0 * class.at_50,
                100.0 * class.mean,
                100.0 * class.recalls.first().copied().unwrap_or_default()
            ))?;
        }
    }
    output::print(&counts_in_words(&counted, classes))?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use kindling::train::{places, read_details};

    use super::*;
    use crate::registry;

    /// The mean average precision at an overlap of 0.5 that a detector of the course must have on BCCD.
    const GOAL: f64 = 0.8;

    #[test]
    fn the_weights_that_ship_are_as_good_as_they_say() {
        let shipped = registry::of_kind::<NamedDetector>().map(|named| {
            let file = format!("data/weights/{}.safetensors", named.name);
            (named, places::repository().join(file))
        });
        let shipped: Vec<_> = shipped.filter(|(_, file)| file.is_file()).collect();
        assert!(!shipped.is_empty());
        let mirror = kindling_skip::mirror("bccd/");
        for (named, file) in shipped {
            let detector = DetectionPipeline::open(&file).unwrap();
            let details = read_details(&file).unwrap();
            assert_eq!(details["recipe"], named.name);
            if mirror.is_none() {
                continue;
            }
            let published = (&DataOptions::default(), &AnnotationOptions::default());
            let parts = Parts::load(named.size, published.0, published.1).unwrap();
            assert_eq!(parts.name, details["data"]);
            let judged = Judged::new(detector.network(), &parts.test).unwrap();
            let score = judged.score(detector.classes().len()).unwrap();
            assert!(score.at_50 >= GOAL, "{score:?}");
            let words = score_in_words(&score, detector.classes());
            assert!(
                details["score"].starts_with(&words),
                "{words}\n{}",
                details["score"]
            );
        }
    }
}
