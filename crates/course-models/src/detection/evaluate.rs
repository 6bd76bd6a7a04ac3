//! `cargo course eval` for detectors.

use std::{path::Path, process::ExitCode};

use anyhow::{Result, bail};
use course_program::output;
use kindling::{pipeline::DetectionPipeline, train::read_details};
use serde_json::json;

use super::{
    data::{AnnotationOptions, Parts},
    judge::{COVERAGE, Judged, counts_in_words, score_in_words},
    recipe::Recipe,
};
use crate::data;

/// The detector of this recipe with the weights in this file, and the data that it can be judged by.
pub fn open(
    recipe: &Recipe,
    file: &Path,
    (args, options): (&data::Args, &AnnotationOptions),
) -> Result<(DetectionPipeline, Parts)> {
    let details = read_details(file)?;
    if let Some(other) = details.get("recipe").filter(|other| *other != recipe.name) {
        bail!(
            "{}: these are weights of {other}, expected {}",
            file.display(),
            recipe.name
        );
    }
    let detector = DetectionPipeline::open(file)?;
    let size = detector.network().image();
    let parts = Parts::load(size, args, options)?;
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

/// Measures the weights in this file on the test set.
pub fn evaluate(
    recipe: &Recipe,
    file: &Path,
    (args, options): (&data::Args, &AnnotationOptions),
    as_json: bool,
) -> Result<ExitCode> {
    let (detector, parts) = open(recipe, file, (args, options))?;
    if args.data.is_some() {
        for note in &parts.notes {
            output::note(note);
        }
    }
    let classes = detector.classes();
    let judged = Judged::new(detector.network(), &parts.test)?;
    let score = judged.score(classes.len())?;
    let known = Judged::new(detector.network(), &parts.validation)?;
    let counted = judged.counted(&known.counting(classes.len())?);
    if as_json {
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
            "model": recipe.name,
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
    output::print(&format!(
        "{} with the weights in {}",
        recipe.name,
        file.display()
    ))?;
    let details = read_details(file)?;
    if let (Some(score), Some(command)) = (details.get("score"), details.get("command")) {
        output::print(&format!("recorded when trained: {score} ({command})"))?;
    }
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
    use kindling::train::places;

    use super::*;
    use crate::detection::RECIPES;

    /// The mean average precision at an overlap of 0.5 that a detector of the course must have on BCCD.
    const GOAL: f64 = 0.8;

    #[test]
    fn the_weights_that_ship_are_as_good_as_they_say() {
        let shipped = RECIPES.iter().map(|recipe| {
            let file = format!("data/weights/{}.safetensors", recipe.name);
            (recipe, places::repository().join(file))
        });
        let shipped: Vec<_> = shipped.filter(|(_, file)| file.is_file()).collect();
        assert!(!shipped.is_empty());
        let mirror = kindling_skip::mirror("bccd/");
        for (recipe, file) in shipped {
            let detector = DetectionPipeline::open(&file).unwrap();
            let details = read_details(&file).unwrap();
            assert_eq!(details["recipe"], recipe.name);
            assert!(details["command"].starts_with("cargo course train"));
            for word in ["config", "data", "licence"] {
                assert!(details.contains_key(word), "{word} of {}", file.display());
            }
            if mirror.is_none() {
                continue;
            }
            let args = data::Args {
                data: None,
                builtin: false,
                limit: None,
            };
            let parts = Parts::load(recipe.size, &args, &AnnotationOptions::default()).unwrap();
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
