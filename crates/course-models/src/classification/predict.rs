//! `cargo course predict digits`: a trained classifier on your own pictures.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use candle_core::{D, Device, Tensor};
use candle_nn::ops::softmax;
use course_program::output;
use image::GrayImage;
use kindling::{models::Model, train::places};

use super::{
    Classifier,
    data::Subject,
    photo::{self, SIDE},
};
use crate::{
    registry::{find_kind, of_kind},
    weights::name_in,
};

/// Read handwritten digits.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Pictures: JPEG, PNG, GIF, BMP, TIFF, WebP or PNM
    #[arg(required = true, value_name = "PICTURE")]
    pictures: Vec<PathBuf>,

    /// The model; by default the best for digits that has weights
    #[arg(long)]
    model: Option<String>,

    /// The file of its weights
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,

    /// Also write what the network saw into this folder, a PNG for each picture
    #[arg(long, value_name = "FOLDER")]
    save: Option<PathBuf>,

    /// Print a line of JSON for each picture
    #[arg(long)]
    json: bool,
}

/// Runs `cargo course predict digits`.
pub fn run(args: Args) -> Result<ExitCode> {
    // All pictures first: with a bad one among them, nothing is printed or written.
    let seen: Vec<GrayImage> = args
        .pictures
        .iter()
        .map(|file| photo::read(file))
        .collect::<Result<_>>()?;
    let classifier = match (&args.model, &args.weights) {
        (Some(name), _) => classifier(name)?,
        (None, Some(file)) => classifier(&name_in(file)?)?,
        (None, None) => best_for_digits()?,
    };
    let (model, _) = classifier.open(args.weights)?;
    for (file, seen) in args.pictures.iter().zip(&seen) {
        let probabilities = probabilities(model.as_ref(), seen)?;
        if let Some(folder) = &args.save {
            save(folder, file, seen)?;
        }
        if args.json {
            let digit = most_likely(&probabilities).0;
            let line = serde_json::json!({
                "picture": file.display().to_string(),
                "model": classifier.name,
                "digit": digit,
                "probabilities": probabilities,
            });
            output::print(&line.to_string())?;
        } else {
            show(file, seen, &probabilities)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The classifier of this name.
fn classifier(name: &str) -> Result<&'static Classifier> {
    find_kind(name, |name| format!("model `{name}` that names pictures"))
}

/// The last classifier of digits that has weights; without any, the first, whose absence is then explained.
fn best_for_digits() -> Result<&'static Classifier> {
    let digits = || of_kind::<Classifier>().filter(|model| model.subject == Subject::Digits);
    let ready = digits().rfind(|model| places::find_weights(model.name, None).is_ok());
    let found = ready.or(digits().next());
    found.context("there is no model of digits")
}

/// The probability of each digit.
fn probabilities(model: &dyn Model, seen: &GrayImage) -> Result<Vec<f32>> {
    let pixels: Vec<f32> = seen
        .pixels()
        .map(|pixel| f32::from(pixel.0[0]) / 255.0)
        .collect();
    let side = SIDE as usize;
    let image = Tensor::from_vec(pixels, (1, side, side), &Device::Cpu)?; // (1, 28, 28)
    let logits = model.forward(&image)?; // (1, 10)
    Ok(softmax(&logits, D::Minus1)?.squeeze(0)?.to_vec1()?) // (10)
}

fn most_likely(probabilities: &[f32]) -> (usize, f32) {
    let numbered = probabilities.iter().copied().enumerate();
    numbered.fold(
        (0, 0.0),
        |best, next| if next.1 > best.1 { next } else { best },
    )
}

/// The verdict, what the network saw, and beside it how likely each digit is.
fn show(file: &Path, seen: &GrayImage, probabilities: &[f32]) -> Result<()> {
    let (digit, probability) = most_likely(probabilities);
    output::print(&format!(
        "{}: {digit} ({:.1} %)",
        file.display(),
        100.0 * probability
    ))?;
    for (row, picture) in drawn(seen).iter().enumerate() {
        let digit = row
            .checked_sub(2)
            .filter(|digit| *digit < probabilities.len());
        let words = digit.map_or(String::new(), |digit| {
            let share = probabilities[digit];
            let bar = "━".repeat((share * 30.0).round() as usize);
            format!("   {digit} {:>5.1} % {bar}", 100.0 * share)
        });
        output::print(&format!("  {picture}{words}"))?;
    }
    Ok(())
}

/// Two rows of pixels in each line of text.
fn drawn(seen: &GrayImage) -> Vec<String> {
    let inked = |x: u32, y: u32| seen.get_pixel(x, y).0[0] > 100;
    let line = |y: u32| {
        let symbols = (0..SIDE).map(|x| match (inked(x, y), inked(x, y + 1)) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => '·',
        });
        symbols.collect()
    };
    (0..SIDE).step_by(2).map(line).collect()
}

fn save(folder: &Path, file: &Path, seen: &GrayImage) -> Result<()> {
    let Some(stem) = file.file_stem() else {
        bail!("{}: expected the name of a file", file.display());
    };
    let mut name = stem.to_owned();
    name.push(".seen.png");
    let target = folder.join(name);
    fs::create_dir_all(folder)
        .with_context(|| format!("--save {}: this folder cannot be written", folder.display()))?;
    seen.save(&target)
        .with_context(|| target.display().to_string())
}
