//! `cargo course predict detect`: boxes in your own pictures, and how many objects they make.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use course_program::output;
use kindling::{
    pipeline::{DetectedPicture, DetectionPipeline},
    train::places,
};

use super::NamedDetector;
use crate::registry::{find_kind, of_kind};

/// Find objects in pictures.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Pictures: JPEG, PNG, GIF, BMP, TIFF, WebP or PNM
    #[arg(required = true, value_name = "PICTURE")]
    pictures: Vec<PathBuf>,

    /// The detector; by default the first that has weights
    #[arg(long)]
    model: Option<String>,

    /// The file of its weights
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,

    /// The score that a box needs, from 0 to 1; by default boxes are shown that are more likely right than wrong
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true)]
    threshold: Option<f64>,

    /// Write <NAME>.detected.png and <NAME>.detected.json into this folder
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    out: PathBuf,

    /// Also print how many objects of each class there are, and how sure that is
    #[arg(long)]
    count: bool,

    /// Print a line of JSON for each picture
    #[arg(long)]
    json: bool,
}

/// Runs `cargo course predict detect`.
pub fn run(args: &Args) -> Result<ExitCode> {
    let mut detector = DetectionPipeline::open(weights(args)?)?;
    if let Some(threshold) = args.threshold {
        detector = detector.threshold(threshold).context("--threshold")?;
    }
    // All pictures first: with a bad one among them, nothing is printed or written.
    let targets = targets(&args.pictures, &args.out)?;
    let found = args.pictures.iter().map(|file| detector.detect(file));
    let found: Vec<DetectedPicture> = found.collect::<kindling::Result<_>>()?;
    if args.count && found.iter().any(|found| found.coverage().is_none()) {
        bail!(
            "--count: these weights know nothing of counting; train them with `cargo course train`"
        );
    }
    fs::create_dir_all(&args.out).with_context(|| {
        format!(
            "--out {}: this folder cannot be written",
            args.out.display()
        )
    })?;
    for (found, target) in found.iter().zip(&targets) {
        let beside = found.save(target)?;
        if args.json {
            output::print(&found.json().to_string())?;
            continue;
        }
        output::print(&format!("{found:?}"))?;
        if args.count {
            for line in found.counts_in_words() {
                output::print(&format!("  {line}"))?;
            }
        }
        output::print(&format!("  {} and {}", target.display(), beside.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The named weights, or those of the first detector that has any; without any, the first detector's, whose absence is then explained.
fn weights(args: &Args) -> Result<PathBuf> {
    if let Some(name) = &args.model {
        let named: &NamedDetector = find_kind(name, |name| format!("detector `{name}`"))?;
        return Ok(places::find_weights(named.name, args.weights.clone())?);
    }
    let found = of_kind::<NamedDetector>()
        .map(|named| places::find_weights(named.name, args.weights.clone()));
    let mut found: Vec<_> = found.collect();
    let ready = found.iter().position(Result::is_ok).unwrap_or(0);
    Ok(found.swap_remove(ready)?)
}

/// Where each picture's result goes; two pictures of one name would overwrite each other.
fn targets(pictures: &[PathBuf], out: &Path) -> Result<Vec<PathBuf>> {
    let mut seen = BTreeSet::new();
    let target = |file: &PathBuf| {
        let Some(stem) = file.file_stem() else {
            bail!("{}: expected the name of a file", file.display());
        };
        let mut name = stem.to_owned();
        name.push(".detected.png");
        if !seen.insert(name.clone()) {
            bail!(
                "{}: another picture has the same name; look at them one after the other, with another --out",
                file.display()
            );
        }
        Ok(out.join(name))
    };
    pictures.iter().map(target).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_have_names_of_their_own() {
        let pictures = ["a/x.png", "b/y.jpg"].map(PathBuf::from);
        let found = targets(&pictures, Path::new("out")).unwrap();
        assert_eq!(
            found,
            ["out/x.detected.png", "out/y.detected.png"].map(PathBuf::from)
        );
        let same = ["a/x.png", "b/x.jpg"].map(PathBuf::from);
        assert!(
            targets(&same, Path::new("out"))
                .unwrap_err()
                .to_string()
                .contains("same name")
        );
        assert!(targets(&[PathBuf::from("..")], Path::new("out")).is_err());
    }
}
