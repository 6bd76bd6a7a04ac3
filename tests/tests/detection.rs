//! The commands for detectors: trained, measured and used on pictures, and what wrong input is told.

use anyhow::{Context, Result};
use image::{Rgb, RgbImage};
use kindling_tests::{error, models, refusal, root, text};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A run of seconds on scenes drawn by a program, on so many threads.
fn train(out: &Path, threads: &str, more: &[&str]) -> Result<String> {
    let mut command = models(["train", "detect-one-stage", "--builtin", "--limit", "6"])?;
    command.args(["--epochs", "1", "--batch-size", "3"]);
    command.env("RAYON_NUM_THREADS", threads);
    let output = command.args(more).arg("--out").arg(out).output()?;
    assert!(output.status.success(), "{}", text(&output.stderr));
    Ok(text(&output.stdout))
}

/// A picture with a bright square on dark ground.
fn picture(folder: &Path, name: &str) -> Result<PathBuf> {
    let mut picture = RgbImage::from_pixel(200, 150, Rgb([30, 40, 60]));
    for (x, y) in (60..120).flat_map(|x| (40..100).map(move |y| (x, y))) {
        picture.put_pixel(x, y, Rgb([220, 210, 90]));
    }
    let file = folder.join(name);
    picture.save(&file)?;
    Ok(file)
}

#[test]
fn a_detector_is_trained_measured_and_used() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let said = train(folder.path(), "2", &["--seeds", "2", "--seed", "3"])?;
    assert!(said.contains("mAP@0.5 of 2 seeds: mean "), "{said}");
    assert!(said.contains("AP@0.5 of "), "{said}");
    let weights = folder.path().join("seed-3.safetensors");
    let mut command = models(["eval", "--builtin", "--limit", "6", "--json", "--weights"])?;
    let output = command.arg(&weights).output()?;
    let found: Value =
        serde_json::from_slice(&output.stdout).with_context(|| text(&output.stderr))?;
    assert_eq!(
        (&found["model"], &found["examples"]),
        (&"detect-one-stage".into(), &6.into())
    );
    let score = found["map_50"].as_f64().context("no score")?;
    assert!(
        said.contains(&format!("mAP@0.5 {:.2} %", 100.0 * score)),
        "{said} {found}"
    );
    assert_eq!(found["classes"].as_array().map(Vec::len), Some(5));

    let seen = picture(folder.path(), "square.png")?;
    let out = folder.path().join("found");
    let mut command = models(["predict", "detect", "--count", "--threshold", "0.01"])?;
    command.arg(&seen).arg("--weights").arg(&weights);
    let output = command.arg("--out").arg(&out).output()?;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    assert!(
        said.contains(" expected, ") && said.contains("90 % of pictures"),
        "{said}"
    );
    let drawn = image::open(out.join("square.detected.png"))?;
    assert_eq!((drawn.width(), drawn.height()), (200, 150));
    let json: Value = serde_json::from_slice(&std::fs::read(out.join("square.detected.json"))?)?;
    assert_eq!(json["counts"].as_array().map(Vec::len), Some(5));
    for object in json["objects"].as_array().context("no objects")? {
        let corners = object["corners"].as_array().context("no corners")?;
        let corners: Vec<f64> = corners.iter().filter_map(Value::as_f64).collect();
        assert!(
            corners.len() == 4 && corners[2] <= 200.0 && corners[3] <= 150.0,
            "{object}"
        );
    }
    Ok(())
}

#[test]
fn wrong_input_is_told_in_one_line_and_writes_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let weights = folder.path().join("seed-0.safetensors");
    train(folder.path(), "1", &[])?;
    let [words, dot, cut, good] = ["words.png", "dot.png", "cut.safetensors", "good.png"]
        .map(|name| folder.path().join(name));
    std::fs::write(&words, "words")?;
    RgbImage::new(1, 1).save(&dot)?;
    picture(folder.path(), "good.png")?;
    let whole = std::fs::read(&weights)?;
    std::fs::write(&cut, &whole[..whole.len() / 2])?;
    let other = root().join("data/weights/mnist-mlp.safetensors");
    let out = folder.path().join("out");
    let nowhere = Path::new("/nowhere.png");
    let cases = [
        (nowhere, &weights, "/nowhere.png: No such file"),
        (
            &words,
            &weights,
            "words.png: expected a picture (JPEG, PNG, GIF, BMP, TIFF, WebP or PNM), found text",
        ),
        (
            &dot,
            &weights,
            "dot.png: expected a picture of at least 8 × 8 pixels",
        ),
        (&good, &cut, "cut.safetensors: damaged"),
        (&good, &other, "found those of mnist-mlp"),
        (
            &good,
            &words,
            "words.png: damaged, or not a safetensors file",
        ),
        (
            &good,
            &folder.path().join("none"),
            "there is no such file of weights",
        ),
    ];
    for (seen, weights, expected) in cases {
        let mut command = models(["predict", "detect"])?;
        // A good picture first: not even that one is written.
        command.arg(&good).arg(seen).arg("--out").arg(&out);
        if seen == good {
            command = models(["predict", "detect"])?;
            command.arg(seen).arg("--out").arg(&out);
        }
        let message = refusal(command.arg("--weights").arg(weights))?;
        assert!(message.contains(expected), "{message}");
        assert!(!out.exists());
    }
    let predict = |more: &[&str]| -> Result<String> {
        let mut command = models(["predict", "detect"])?;
        error(command.arg(&good).args(more).arg("--weights").arg(&weights))
    };
    assert!(predict(&["--threshold", "1.5"])?.contains("threshold: expected a number from 0 to 1"));
    assert!(predict(&["--model", "mnist-mlp"])?.contains("there are: detect-one-stage"));
    let mut command = models(["eval", "detect-one-stage", "--builtin", "--weights"])?;
    let message = error(command.arg(&other))?;
    assert!(
        message.contains("weights of mnist-mlp, expected detect-one-stage"),
        "{message}"
    );
    Ok(())
}
