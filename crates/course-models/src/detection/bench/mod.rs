//! `cargo course bench detect`: how many pictures a second our detectors learn from and look at, beside the same detectors in PyTorch, and
//! on request how good all of them are.
//!
//! All sides start from the same weights and take the same steps on the same batches, which lie in a folder. Each is a process of its
//! own, one after the other, some rounds over; medians are compared. A peer that is not installed is named and left out; one that computes
//! something else is refused.

mod report;
mod side;
mod work;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use course_program::{
    bench::{Bench, Measured, Options},
    output,
};
use kindling::{
    data::{Loader, detection::DetectionLoader},
    models::DetectorArchitecture,
    train::save_weights,
};

use self::{
    report::{Sides, object, table},
    work::Work,
};
use super::{
    NamedDetector,
    data::{AnnotationOptions, Parts},
    evaluate::open,
};
use crate::{options::DataOptions, registry::of_kind, weights::Trained};

const OWN: [&str; 1] = ["ours"];
const PEERS: [&str; 2] = ["pytorch", "pytorch_best"];

/// How many different batches there are, over and over.
const BATCHES: usize = 4;

/// How far the losses and scores of two sides may be apart before any training, and how far their mean average precision.
const TOLERANCE: f64 = 1e-3;
const TOLERANCE_OF_QUALITY: f64 = 5e-3;

/// What to measure, and how long.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    options: Options,

    /// How many training steps each turn takes; it looks at as many pictures, one by one, as it has trained on
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,

    /// Also measure mean average precision on the test set, with the weights that `cargo course eval` would take
    #[arg(long)]
    quality: bool,

    /// A Python that has torch, torchvision and, for --quality, pycocotools (in a virtual environment: pip install torch torchvision pycocotools)
    #[arg(long, value_name = "FILE", default_value = "python3")]
    python: PathBuf,

    /// Scenes drawn by a program instead of BCCD's photographs
    #[arg(long)]
    builtin: bool,

    /// What one side learns from: a folder with weights and batches
    #[arg(long, hide = true)]
    work: Option<PathBuf>,
}

/// Runs the benchmark.
pub fn run(args: &Args) -> Result<ExitCode> {
    if let (Some(side), Some(folder)) = (&args.options.side, &args.work) {
        let turn = match (side.as_str(), args.quality) {
            ("ours", false) => side::speed(folder)?,
            ("ours", true) => side::quality(folder)?,
            _ => bail!("--side: expected ours, found {side}"),
        };
        output::print(&turn.to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    let (mut models, mut pictures) = (Vec::new(), String::new());
    for named in of_kind::<NamedDetector>() {
        let parts = Parts::load(named.size, &args.data(), &AnnotationOptions::default())?;
        let title = named.name.trim_start_matches("detect-");
        let sides = Sides {
            quality: args.quality.then(|| args.quality(named)).transpose()?,
            speed: args.speed(named, &parts)?,
        };
        models.push((title, sides.report()));
        pictures = parts.name;
    }
    if args.options.json {
        let report = object(models, &pictures);
        output::print(&serde_json::to_string_pretty(&report)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    for line in table(&models) {
        output::print(&line)?;
    }
    output::print(&format!("pictures: {pictures}"))?;
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn data(&self) -> DataOptions {
        DataOptions {
            builtin: self.builtin,
            ..DataOptions::default()
        }
    }

    /// Times all sides, from random weights and on the first batches that the recipe would train on.
    fn speed(&self, named: &NamedDetector, parts: &Parts) -> Result<Measured> {
        let folder = tempfile::tempdir().context("no folder for the batches")?;
        let work = Work::new(named, parts.classes().len(), self.steps as usize);
        let loader = DetectionLoader::new(&parts.training, named.recipe.batch_size, 0)?;
        work.write(loader.batches(1, 0)?.take(BATCHES), folder.path())?;
        let detector = work.architecture.build(0)?;
        save_weights(detector.as_ref(), work::weights(folder.path()), &[])?;
        let script = script(&work.architecture, include_str!("peers/speed.py"));
        let bench = self.bench(folder.path(), &script);
        let measured = bench.measure(&self.options)?;
        let agree = |key, tolerance| measured.agree(key, tolerance).context(named.name);
        agree("parameters", 0.0)?;
        agree("loss", TOLERANCE)?;
        agree("surest", TOLERANCE)?;
        Ok(measured)
    }

    /// Judges ours and PyTorch's with trained weights, by all pictures of the test set; the same on each run.
    fn quality(&self, named: &NamedDetector) -> Result<Measured> {
        let folder = tempfile::tempdir().context("no folder for the pictures")?;
        let Trained { file, .. } = Trained::find(named.name, None)?;
        let (detector, parts) = open(&file, (&self.data(), &AnnotationOptions::default()))?;
        let work = Work::new(named, detector.classes().len(), 0);
        let loader = DetectionLoader::new(&parts.test, named.recipe.batch_size, 0)?;
        work.write(loader.batches(1, 0)?, folder.path())?;
        fs::copy(&file, work::weights(folder.path())).context("no copy of the weights")?;
        let script = script(&work.architecture, include_str!("peers/quality.py"));
        let mut bench = self.bench(folder.path(), &script);
        bench.own_arguments.push("--quality".into());
        bench.peers = &PEERS[..1]; // the other way computes the same
        let once = Options {
            rounds: 1,
            ..self.options.clone()
        };
        let measured = bench.measure(&once)?;
        for key in ["map_50", "map"] {
            let agreed = measured.agree(key, TOLERANCE_OF_QUALITY);
            agreed.context(named.name)?;
        }
        Ok(measured)
    }

    /// All sides at this folder.
    fn bench<'a>(&'a self, folder: &Path, script: &'a str) -> Bench<'a> {
        Bench {
            command: "bench-detect",
            own: &OWN,
            own_arguments: vec!["--work".into(), folder.into()],
            peers: &PEERS,
            peer_arguments: vec![folder.into()],
            script,
            python: &self.python,
        }
    }
}

/// What a peer runs: the backbone, this detector on it, and what is to be done with it.
fn script(architecture: &DetectorArchitecture, task: &str) -> String {
    let detector = match architecture {
        DetectorArchitecture::OneStage(_) => include_str!("peers/one_stage.py"),
        DetectorArchitecture::TwoStage(_) => include_str!("peers/two_stage.py"),
    };
    [include_str!("peers/backbone.py"), detector, task].join("\n")
}
