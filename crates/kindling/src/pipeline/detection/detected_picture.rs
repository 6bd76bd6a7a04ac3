//! A picture and what was found in it.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use candle_core::{Device, Tensor};
use image::{ImageFormat, RgbImage, imageops};
use serde_json::json;

use super::Count;
use crate::{
    Error, Result,
    boxes::Detection,
    data::{brightness, detection::Letterbox},
    plot::{BoxedImages, Figure, draw_boxes},
};

/// A figure shows a picture with so many pixels on its longer side: more only make notebooks larger.
const SHOWN: usize = 440;

/// A picture, the boxes that were found in it, and how many objects of each class that makes.
///
/// As the last value of a notebook's cell it is shown with its boxes.
#[derive(Clone)]
pub struct DetectedPicture {
    pub(super) name: String,
    pub(super) picture: RgbImage,
    pub(super) classes: Vec<String>,
    pub(super) found: Vec<Detection>,
    /// For each box how likely it is right; nothing where that is not known.
    pub(super) probabilities: Vec<f64>,
    pub(super) counts: Vec<Count>,
    pub(super) coverage: Option<f64>,
}

impl DetectedPicture {
    /// The boxes, surest first, in the picture's own pixels.
    #[must_use]
    pub fn found(&self) -> &[Detection] {
        &self.found
    }

    /// What the classes are called.
    #[must_use]
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// How many objects of each class there are; nothing where the weights know nothing of counting.
    #[must_use]
    pub fn counts(&self) -> &[Count] {
        &self.counts
    }

    /// In which share of pictures the true number lies between [`Count::at_least`] and [`Count::at_most`].
    #[must_use]
    pub fn coverage(&self) -> Option<f64> {
        self.coverage
    }

    /// The counts in words, a line for each class.
    #[must_use]
    pub fn counts_in_words(&self) -> Vec<String> {
        let share = self.coverage.unwrap_or_default();
        let line = |count: &Count| {
            format!(
                "{}: {:.1} expected, {} to {} in {:.0} % of pictures",
                self.classes[count.class],
                count.expected,
                count.at_least,
                count.at_most,
                100.0 * share
            )
        };
        self.counts.iter().map(line).collect()
    }

    /// The picture with labelled boxes, as a figure.
    pub fn plot(&self) -> Result<Figure> {
        let size = (
            self.picture.height() as usize,
            self.picture.width() as usize,
        );
        let side = SHOWN.min(size.0.max(size.1));
        let letterbox = Letterbox::new(size, (side, side))?;
        let (height, width) = letterbox.scaled();
        let filter = imageops::FilterType::Triangle;
        let small = imageops::resize(&self.picture, width as u32, height as u32, filter);
        let pixels: Vec<f32> = small.into_raw().into_iter().map(brightness).collect();
        let pixels = Tensor::from_vec(pixels, (height, width, 3), &Device::Cpu)?;
        let found = self.found.iter().map(|found| Detection {
            corners: letterbox.to_sheet(found.corners),
            ..*found
        });
        let found: Vec<Detection> = found.collect();
        BoxedImages::new("")
            .image(&pixels, self.to_string())
            .detections(&found, &self.classes)
            .draw()
    }

    /// Shows the picture in a notebook; the evcxr kernel calls this for the last value of a cell.
    pub fn evcxr_display(&self) {
        match self.plot() {
            Ok(figure) => figure.evcxr_display(),
            Err(error) => println!("{self}\n{error}"),
        }
    }

    /// The picture with labelled boxes, in its own size.
    #[must_use]
    pub fn drawn(&self) -> RgbImage {
        let mut picture = self.picture.clone();
        draw_boxes(&mut picture, &self.found, &self.classes);
        picture
    }

    /// Writes the picture with labelled boxes to a PNG file, and all numbers to a JSON file beside it of the same name; each is written whole or not at all.
    ///
    /// Returns the name of the JSON file.
    pub fn save(&self, file: impl AsRef<Path>) -> Result<PathBuf> {
        let file = file.as_ref();
        let beside = file.with_extension("json");
        let mut bytes = std::io::Cursor::new(Vec::new());
        let drawn = self.drawn().write_to(&mut bytes, ImageFormat::Png);
        drawn.map_err(|error| Error::Argument(format!("{}: {error}", self.name)))?;
        write(file, bytes.get_ref())?;
        write(&beside, format!("{}\n", self.json()).as_bytes())?;
        Ok(beside)
    }

    /// Everything in JSON: `picture`, `width`, `height`, `objects` and, where it is known, `counts`.
    ///
    /// Each object has its `class`, its `score`, its `corners` `[x1, y1, x2, y2]` in the picture's own pixels and, where it is known, the
    /// `probability` that it is right.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        let objects = self.found.iter().enumerate().map(|(place, found)| {
            let mut object = json!({
                "class": self.classes[found.class],
                "score": found.score,
                "corners": found.corners,
            });
            if let Some(probability) = self.probabilities.get(place) {
                object["probability"] = json!(probability);
            }
            object
        });
        let mut all = json!({
            "picture": self.name,
            "width": self.picture.width(),
            "height": self.picture.height(),
            "objects": objects.collect::<Vec<_>>(),
        });
        if let Some(coverage) = self.coverage {
            let counts = self.counts.iter().map(|count| {
                json!({
                    "class": self.classes[count.class],
                    "expected": count.expected,
                    "deviation": count.deviation,
                    "at_least": count.at_least,
                    "at_most": count.at_most,
                })
            });
            all["counts"] = json!(counts.collect::<Vec<_>>());
            all["coverage"] = json!(coverage);
        }
        all
    }
}

/// Writes a file beside its place and then moves it there, so that it is whole or not there.
fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |source| Error::File {
        path: file.display().to_string(),
        source,
    };
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let written = fs::write(&part, bytes).and_then(|()| fs::rename(&part, file));
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    written.map_err(failed)
}

impl fmt::Display for DetectedPicture {
    /// How many boxes of each class: `14 RBC, 1 WBC`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of_class = |class| self.found.iter().filter(move |found| found.class == class);
        let counted = self.classes.iter().enumerate();
        let counted = counted.map(|(class, name)| (of_class(class).count(), name));
        let words = counted.filter(|(count, _)| *count > 0);
        let words: Vec<String> = words
            .map(|(count, name)| format!("{count} {name}"))
            .collect();
        match words.is_empty() {
            true => write!(f, "nothing found"),
            false => write!(f, "{}", words.join(", ")),
        }
    }
}

impl fmt::Debug for DetectedPicture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (width, height) = self.picture.dimensions();
        write!(f, "{} ({height} × {width}): {self}", self.name)
    }
}
