//! The logs of training runs as one table: each row is one epoch of one run.

use std::fs;
use std::path::{Path, PathBuf};

use polars::prelude::*;
use serde::Deserialize;

use crate::{Error, Result};

/// One line of a log, as `course train` writes it after each epoch; fields that it does not know are ignored.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Epoch {
    /// The name of the model, such as `cifar-resnet`.
    model: String,
    /// What the run's random numbers start from: with the model it names a run.
    seed: u64,
    /// Counted from 1.
    epoch: u64,
    /// How long the epoch took.
    seconds: f64,
    /// Mean loss over the training set, while it was trained on; null in the log where it was no number any more.
    loss: Option<f64>,
    /// Share of right answers on the training set.
    accuracy: Option<f64>,
    /// The same on examples that it was not trained on.
    validation_loss: Option<f64>,
    /// The same on examples that it was not trained on.
    validation_accuracy: Option<f64>,
    /// How many numbers the model learns.
    parameters: u64,
    /// Share of right answers on the test set, for epochs after which it was measured.
    test_accuracy: Option<f64>,
}

/// Reads a log, or every `.jsonl` file in a folder and the folders below it, in the order of their names.
///
/// The table has a column for each field of a line: `model`, `seed`, `epoch`, `seconds`, `loss`, `accuracy`,
/// `validation_loss`, `validation_accuracy`, `parameters`, `test_accuracy`. What a line leaves out is null.
///
/// ```
/// let folder = std::env::temp_dir().join(format!("kindling-runs-{}", std::process::id()));
/// std::fs::create_dir_all(&folder)?;
/// std::fs::write(
///     folder.join("mlp.jsonl"),
///     r#"{"model": "mlp", "seed": 1, "epoch": 1, "seconds": 2.5, "loss": 0.3, "accuracy": 0.9, "parameters": 101770}"#,
/// )?;
/// let runs = kindling_tables::runs::read(&folder)?;
/// assert_eq!(runs.shape(), (1, 10));
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read(place: impl AsRef<Path>) -> Result<DataFrame> {
    let place = place.as_ref();
    let mut files = Vec::new();
    collect(place, &mut files)?;
    if files.is_empty() {
        return Err(failed(
            place,
            "no log in this folder: expected files that end in `.jsonl`, as `cargo course train` writes them",
        ));
    }
    read_files(&files)
}

/// Reads these logs into one table, in this order.
pub fn read_files<P: AsRef<Path>>(files: &[P]) -> Result<DataFrame> {
    let mut epochs = Vec::new();
    for file in files {
        parse(file.as_ref(), &mut epochs)?;
    }
    Ok(table(&epochs)?)
}

/// One row for each model, the best first: how right it is, and what that costs.
///
/// | column | |
/// |---|---|
/// | `model`, `runs` | the model, and how many seeds it was trained from |
/// | `best_accuracy`, `mean_accuracy` | over the runs; of each run, its best epoch's accuracy on the validation set |
/// | `test_accuracy` | mean over the runs of what was last measured on the test set; null where it never was |
/// | `seconds` | mean over the runs of the time of all epochs |
/// | `parameters` | how many numbers the model learns |
pub fn best(runs: &DataFrame) -> Result<DataFrame> {
    // From one row an epoch to one row a run …
    let of_run = runs
        .clone()
        .lazy()
        .group_by([col("model"), col("seed")])
        .agg([
            col("validation_accuracy").max(),
            col("test_accuracy").drop_nulls().last(),
            col("seconds").sum(),
            col("parameters").last(),
        ]);
    // … and from that to one row a model.
    let of_model = of_run.group_by([col("model")]).agg([
        len().alias("runs"),
        col("validation_accuracy").max().alias("best_accuracy"),
        col("validation_accuracy").mean().alias("mean_accuracy"),
        col("test_accuracy").mean(),
        col("seconds").mean(),
        col("parameters").max(),
    ]);
    // Of two that are as good, the smaller one is the better; the name decides what is left.
    let order = SortMultipleOptions::new()
        .with_order_descending_multi([true, false, false])
        .with_nulls_last(true);
    let sorted = of_model.sort(["best_accuracy", "parameters", "model"], order);
    Ok(sorted.collect()?)
}

fn table(epochs: &[Epoch]) -> PolarsResult<DataFrame> {
    fn column<T>(epochs: &[Epoch], field: impl Fn(&Epoch) -> T) -> Vec<T> {
        epochs.iter().map(field).collect()
    }
    df!(
        "model" => column(epochs, |epoch| epoch.model.clone()),
        "seed" => column(epochs, |epoch| epoch.seed),
        "epoch" => column(epochs, |epoch| epoch.epoch),
        "seconds" => column(epochs, |epoch| epoch.seconds),
        "loss" => column(epochs, |epoch| epoch.loss),
        "accuracy" => column(epochs, |epoch| epoch.accuracy),
        "validation_loss" => column(epochs, |epoch| epoch.validation_loss),
        "validation_accuracy" => column(epochs, |epoch| epoch.validation_accuracy),
        "parameters" => column(epochs, |epoch| epoch.parameters),
        "test_accuracy" => column(epochs, |epoch| epoch.test_accuracy),
    )
}

/// Adds `place` itself, or the logs below it.
fn collect(place: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !place.is_dir() {
        files.push(place.to_owned());
        return Ok(());
    }
    let cannot = |error: std::io::Error| failed(place, format!("cannot read the folder: {error}"));
    let entries = fs::read_dir(place).map_err(cannot)?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(cannot)?.path());
    }
    // The order in which a disk lists files differs from machine to machine.
    paths.sort();
    for path in paths {
        if path.is_dir() || path.extension().is_some_and(|end| end == "jsonl") {
            collect(&path, files)?;
        }
    }
    Ok(())
}

fn parse(file: &Path, epochs: &mut Vec<Epoch>) -> Result<()> {
    let text = fs::read_to_string(file).map_err(|error| {
        failed(
            file,
            format!("cannot read this log: {error}; `cargo course train` writes one for each run"),
        )
    })?;
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let epoch = serde_json::from_str(line).map_err(|error| Error::Line {
            path: file.to_owned(),
            line: index + 1,
            problem: format!(
                "expected an epoch of a training run as JSON, found {line:.60}: {error}"
            ),
        })?;
        epochs.push(epoch);
    }
    Ok(())
}

fn failed(path: &Path, problem: impl Into<String>) -> Error {
    Error::File {
        path: path.to_owned(),
        problem: problem.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three runs of two models in two folders; the second run of `b` was measured on the test set once.
    fn logs() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let line = |model: &str, seed: u64, epoch: u64, accuracy: f64, more: &str| {
            format!(
                r#"{{"model": "{model}", "seed": {seed}, "epoch": {epoch}, "seconds": 2.0, "loss": 0.5, "accuracy": 0.9, "validation_loss": 0.6, "validation_accuracy": {accuracy}, "parameters": 100, "step": 3{more}}}"#
            ) + "\n"
        };
        std::fs::create_dir(folder.path().join("more")).unwrap();
        std::fs::write(
            folder.path().join("a.jsonl"),
            line("a", 1, 1, 0.5, "") + "\n" + &line("a", 1, 2, 0.75, ""),
        )
        .unwrap();
        std::fs::write(
            folder.path().join("more/b.jsonl"),
            line("b", 1, 1, 0.9, "")
                + &line("b", 2, 1, 0.8, r#", "test_accuracy": 0.7"#)
                + &line("b", 2, 2, 0.7, ""),
        )
        .unwrap();
        std::fs::write(folder.path().join("notes.txt"), "no log").unwrap();
        folder
    }

    fn numbers(frame: &DataFrame, column: &str) -> Vec<Option<f64>> {
        let column = frame
            .column(column)
            .unwrap()
            .cast(&DataType::Float64)
            .unwrap();
        column.f64().unwrap().iter().collect()
    }

    #[test]
    fn logs_of_a_folder_become_one_table() {
        let folder = logs();
        let runs = read(folder.path()).unwrap();
        assert_eq!(runs.shape(), (5, 10));
        assert_eq!(numbers(&runs, "epoch"), [1., 2., 1., 1., 2.].map(Some));
        assert_eq!(
            numbers(&runs, "test_accuracy"),
            [None, None, None, Some(0.7), None]
        );
        let one = read(folder.path().join("a.jsonl")).unwrap();
        assert_eq!(one.height(), 2);
    }

    #[test]
    fn the_best_model_comes_first() {
        let folder = logs();
        let best = best(&read(folder.path()).unwrap()).unwrap();
        let models: Vec<_> = best
            .column("model")
            .unwrap()
            .str()
            .unwrap()
            .iter()
            .flatten()
            .collect();
        assert_eq!(models, ["b", "a"]);
        assert_eq!(numbers(&best, "runs"), [2., 1.].map(Some));
        assert_eq!(numbers(&best, "best_accuracy"), [0.9, 0.75].map(Some));
        assert!((numbers(&best, "mean_accuracy")[0].unwrap() - 0.85).abs() < 1e-12);
        assert_eq!(numbers(&best, "test_accuracy"), [Some(0.7), None]);
        assert_eq!(numbers(&best, "seconds"), [3., 4.].map(Some)); // b: 2 s and 4 s, a: 4 s
    }

    #[test]
    fn a_bad_line_is_named_with_file_and_line() {
        let folder = logs();
        let file = folder.path().join("a.jsonl");
        let good = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, good + "{\"model\": \"a\", \"seed\": 1}\n").unwrap();
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("{}:4: expected an epoch", file.display())),
            "{error}"
        );
        assert!(error.contains("missing field `epoch`"), "{error}");
    }

    #[test]
    fn a_loss_that_was_no_number_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.jsonl");
        let line = r#"{"model": "a", "seed": 1, "epoch": 1, "seconds": 2.0, "loss": null, "accuracy": 0.1, "validation_loss": null, "validation_accuracy": 0.1, "parameters": 9}"#;
        std::fs::write(&file, line).unwrap();
        let runs = read(&file).unwrap();
        assert_eq!(numbers(&runs, "loss"), [None]);
        assert_eq!(numbers(&runs, "accuracy"), [Some(0.1)]);
    }

    #[test]
    fn nothing_to_read_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("no log in this folder") && error.contains(".jsonl"),
            "{error}"
        );
        let error = read(folder.path().join("gone.jsonl"))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("gone.jsonl: cannot read this log"),
            "{error}"
        );
    }
}
