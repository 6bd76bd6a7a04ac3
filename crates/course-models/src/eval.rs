//! `cargo course eval`: a trained model on the test set.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Result, bail};
use course_program::output;
use kindling::{
    metrics::{ConfusionMatrix, accuracy},
    models::Model,
    train::{evaluate, load_weights, places, predict, read_details},
};

use crate::{
    data::{self, Data},
    detection, embeddings,
    recipes::{RECIPES, Recipe},
    summary, translation,
};

/// Measure a trained model on the test set.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("MODEL is one of: {}", names().join(", ")))]
pub struct Args {
    /// Its name; the weights know it as well, except for `summarizer`, which has options of its own (`eval summarizer --help`)
    #[arg(required_unless_present = "weights")]
    model: Option<String>,

    /// The file of its weights; by default those trained on this machine, else those that ship with the course
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,

    #[command(flatten)]
    data: data::Args,

    #[command(flatten)]
    annotations: detection::AnnotationOptions,

    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

/// Runs `cargo course eval`.
pub fn run(args: Args) -> Result<ExitCode> {
    let name = match (&args.model, &args.weights) {
        (Some(name), _) => Some(name.clone()),
        (None, Some(file)) => named_in(file)?,
        (None, None) => None,
    };
    match name.as_deref().map(measure).transpose()? {
        Some(Measure::Boxes(recipe)) => {
            let file = places::find_weights(recipe.name, args.weights)?;
            let data = (&args.data, &args.annotations);
            detection::evaluate(&recipe, &file, data, args.json)
        }
        Some(Measure::Translations(name)) => {
            args.annotations.refuse(name)?;
            translation::evaluate(name, args.weights, &args.data, args.json)
        }
        // `cargo course` knows the name, but not whose weights are in a file.
        Some(Measure::Subjects) => bail!(
            "weights of {} are measured by `cargo course eval {} --engine FILE`",
            summary::NAME,
            summary::NAME
        ),
        Some(Measure::Classes(_)) | None => classes(args),
    }
}

/// How a trained model is measured.
enum Measure {
    /// By how many pictures it names rightly.
    Classes(&'static Recipe),
    /// By mean average precision.
    Boxes(detection::Recipe),
    /// By BLEU.
    Translations(&'static str),
    /// By ROUGE, with the program for language.
    Subjects,
}

/// What can be measured by name.
fn names() -> Vec<&'static str> {
    let names = RECIPES.iter().map(|recipe| recipe.name);
    names
        .chain(detection::RECIPES.iter().map(|recipe| recipe.name))
        .chain(translation::NAMES)
        .chain([summary::NAME])
        .collect()
}

/// How the model of this name is measured.
fn measure(name: &str) -> Result<Measure> {
    if let Some(recipe) = RECIPES.iter().find(|recipe| recipe.name == name) {
        return Ok(Measure::Classes(recipe));
    }
    if let Some(recipe) = detection::recipe(name) {
        return Ok(Measure::Boxes(recipe));
    }
    if let Some(name) = translation::NAMES.into_iter().find(|known| *known == name) {
        return Ok(Measure::Translations(name));
    }
    if name == summary::NAME {
        return Ok(Measure::Subjects);
    }
    let measured = names().join(", ");
    if name == embeddings::NAME {
        bail!(
            "{name}: word vectors are measured when they are trained; measured later can be: {measured}"
        );
    }
    bail!("there is no model `{name}`; there are: {measured}")
}

/// Measures a classifier.
fn classes(args: Args) -> Result<ExitCode> {
    let (recipe, model, file) = trained(args.model.as_deref(), args.weights)?;
    args.annotations.refuse(recipe.name)?;
    let data = Data::load(recipe.subject, recipe.validation, &args.data)?;
    let (loss, share) = evaluate(model.as_ref(), &data.test)?;
    if args.json {
        let line = serde_json::json!({
            "model": recipe.name,
            "weights": file.display().to_string(),
            "data": data.source,
            "examples": data.test.len(),
            "loss": loss,
            "accuracy": share,
        });
        output::print(&line.to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    output::print(&format!(
        "{} with the weights in {}",
        recipe.name,
        file.display()
    ))?;
    let details = read_details(&file)?;
    if let (Some(score), Some(command)) = (details.get("score"), details.get("command")) {
        output::print(&format!("recorded when trained: {score} ({command})"))?;
    }
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

/// The model of this name with its weights, or the model of these weights.
pub fn trained(
    name: Option<&str>,
    weights: Option<PathBuf>,
) -> Result<(&'static Recipe, Box<dyn Model>, PathBuf)> {
    let recipe = match (name, &weights) {
        (Some(name), _) => classifier(name)?,
        (None, Some(file)) => match named_in(file)? {
            Some(name) => classifier(&name)?,
            None => bail!(
                "{}: it does not say which model it is of; name the model",
                file.display()
            ),
        },
        (None, None) => bail!("name a model, or a file of weights with --weights"),
    };
    let file = places::find_weights(recipe.name, weights)?;
    let made_for = read_details(&file)?.remove("recipe");
    if let Some(other) = made_for.filter(|other| other != recipe.name) {
        bail!(
            "{}: these are weights of {other}, expected {}",
            file.display(),
            recipe.name
        );
    }
    let model = (recipe.model)(0)?;
    load_weights(model.as_ref(), &file)?;
    Ok((recipe, model, file))
}

/// The recipe of this name, if it is one that tells classes apart.
fn classifier(name: &str) -> Result<&'static Recipe> {
    match measure(name) {
        Ok(Measure::Classes(recipe)) => Ok(recipe),
        _ => {
            let names: Vec<&str> = RECIPES.iter().map(|recipe| recipe.name).collect();
            bail!(
                "there is no model `{name}` that names pictures; there are: {}",
                names.join(", ")
            )
        }
    }
}

/// The name of the recipe that the weights were trained by, where they know it.
fn named_in(file: &std::path::Path) -> Result<Option<String>> {
    let file = places::find_weights("", Some(file.to_owned()))?;
    Ok(read_details(&file)?.remove("recipe"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_can_be_measured_and_nothing_else() {
        for name in names() {
            assert!(measure(name).is_ok(), "{name}");
        }
        let problem = |name: &str| measure(name).map(drop).unwrap_err().to_string();
        assert!(problem("mnist").starts_with("there is no model `mnist`; there are: mnist-mlp"));
        assert!(problem(embeddings::NAME).contains("when they are trained"));
        let refused = classifier("transformer-translate").unwrap_err().to_string();
        let (_, listed) = refused.split_once("there are: ").unwrap();
        assert!(!listed.contains("translate"), "{refused}");
    }

    #[test]
    fn the_weights_that_ship_fit_their_models_and_say_where_they_come_from() {
        let folder = places::repository().join("data/weights");
        for recipe in RECIPES {
            let file = folder.join(format!("{}.safetensors", recipe.name));
            let (named, model, _) = trained(None, Some(file.clone())).unwrap();
            assert_eq!(named.name, recipe.name);
            assert!(!model.state().is_empty());
            let details = read_details(&file).unwrap();
            for word in ["score", "command", "config", "data", "licence"] {
                assert!(details.contains_key(word), "{word} of {}", file.display());
            }
            assert!(details["command"].starts_with("cargo course train"));
        }
    }

    #[test]
    fn weights_of_another_model_are_refused() {
        let file = places::repository().join("data/weights/mnist-mlp.safetensors");
        let problem = trained(Some("mnist-cnn"), Some(file))
            .map(drop)
            .unwrap_err();
        let problem = problem.to_string();
        assert!(
            problem.contains("weights of mnist-mlp, expected mnist-cnn"),
            "{problem}"
        );
    }
}
