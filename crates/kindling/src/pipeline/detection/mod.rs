//! From a picture file to what is in it: boxes, pictures with boxes drawn on, counts.

mod calibration;
mod counting;
mod detected_picture;
mod picture;
mod weights;

use std::{fmt, path::Path};

use candle_core::{Device, Tensor};
use image::RgbImage;

use crate::{
    Error, Result,
    boxes::Detection,
    data::{brightness, detection::Letterbox},
    models::{DetectorArchitecture, ObjectDetector},
};

pub use calibration::ScoreCurve;
pub use counting::{Count, Counting};
pub use detected_picture::DetectedPicture;

/// Boxes with lower scores are not looked at, neither to be shown nor to be counted.
pub const LOWEST_SCORE: f64 = 0.05;

/// Of boxes of one class that overlap by more than this the surest stays.
pub const LARGEST_OVERLAP: f64 = 0.5;

/// The score from which on boxes are shown when nothing is known of how often they are right.
const PLAIN_THRESHOLD: f64 = 0.3;

/// Finds objects in pictures of any size, with the weights of a detector that the course trains.
///
/// ```no_run
/// use kindling::pipeline::detector;
/// let found = detector("detect-one-stage")?.detect("blood.png")?;
/// println!("{found:?}");
/// found.save("blood.detected.png")?;
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug)]
pub struct DetectionPipeline {
    network: Box<dyn ObjectDetector>,
    architecture: DetectorArchitecture,
    classes: Vec<String>,
    counting: Option<Counting>,
    threshold: Option<f64>,
}

/// The detector of this name, with the weights that were trained on this machine, else those that ship with the course.
pub fn detector(name: &str) -> Result<DetectionPipeline> {
    DetectionPipeline::open(crate::train::places::find_weights(name, None)?)
}

impl DetectionPipeline {
    /// A detector with random weights, and what its classes are called.
    pub fn new(
        architecture: DetectorArchitecture,
        classes: Vec<String>,
        seed: u64,
    ) -> Result<Self> {
        let network = architecture.build(seed)?;
        if network.classes() != classes.len() {
            return Err(Error::Argument(format!(
                "classes: expected {} names, as the detector tells apart, found {}",
                network.classes(),
                classes.len()
            )));
        }
        Ok(Self {
            network,
            architecture,
            classes,
            counting: None,
            threshold: None,
        })
    }

    /// Also counts, by what was learned from pictures that the detector was not trained on.
    pub fn counting(self, counting: Counting) -> Result<Self> {
        if counting.classes() != self.classes.len() {
            return Err(Error::Argument(format!(
                "counting: expected {} classes, found {}",
                self.classes.len(),
                counting.classes()
            )));
        }
        Ok(Self {
            counting: Some(counting),
            ..self
        })
    }

    /// Shows the boxes whose score is above `threshold`; otherwise those that are more likely right than wrong.
    pub fn threshold(self, threshold: f64) -> Result<Self> {
        if !(0.0..=1.0).contains(&threshold) {
            return Err(Error::Argument(format!(
                "threshold: expected a number from 0 to 1, found {threshold}"
            )));
        }
        Ok(Self {
            threshold: Some(threshold),
            ..self
        })
    }

    /// The network itself.
    #[must_use]
    pub fn network(&self) -> &dyn ObjectDetector {
        self.network.as_ref()
    }

    /// What the classes are called.
    #[must_use]
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// What is in the picture in this file, as [`open_picture`](crate::data::open_picture) reads it: boxes are in the pixels of the upright picture.
    ///
    /// Fails when there is no such file, when it is no picture or a damaged one, and when it is too small or too large to be looked at.
    pub fn detect(&self, file: impl AsRef<Path>) -> Result<DetectedPicture> {
        let file = file.as_ref();
        self.detect_in(&picture::read(file)?, &file.display().to_string())
    }

    /// What is in this picture; `name` is what it is called afterwards.
    pub fn detect_in(&self, picture: &RgbImage, name: &str) -> Result<DetectedPicture> {
        let mut all = self.boxes(picture)?;
        let counts = self.counting.as_ref().map(|counting| counting.count(&all));
        let thresholds = self.thresholds();
        all.retain(|found| f64::from(found.score) > thresholds[found.class]);
        let probability = |found| self.counting.as_ref()?.probability(found);
        Ok(DetectedPicture {
            name: name.to_owned(),
            picture: picture.clone(),
            classes: self.classes.clone(),
            probabilities: all.iter().filter_map(probability).collect(),
            found: all,
            counts: counts.unwrap_or_default(),
            coverage: self.counting.as_ref().map(Counting::coverage),
        })
    }

    /// All boxes in the picture's own pixels, those with low scores as well.
    fn boxes(&self, picture: &RgbImage) -> Result<Vec<Detection>> {
        let size = (picture.height() as usize, picture.width() as usize);
        let sheet = self.network.image();
        let letterbox = Letterbox::new(size, sheet)?;
        let pixels = letterbox.place(picture)?;
        let pixels: Vec<f32> = pixels.into_iter().map(brightness).collect();
        let images = Tensor::from_vec(pixels, (1, sheet.0, sheet.1, 3), &Device::Cpu)?; // (1, height, width, 3)
        let found = self.lowest_threshold();
        let found = self.network.detect(&images, found, LARGEST_OVERLAP)?;
        let in_picture = found.into_iter().flatten().map(|found| Detection {
            corners: letterbox.to_picture(found.corners),
            ..found
        });
        // On the grey beside the picture there is nothing to be found.
        let has_area = |found: &Detection| crate::boxes::area(found.corners) > 0.0;
        Ok(in_picture.filter(has_area).collect())
    }

    /// Counting needs boxes with low scores, and so may the person who asks.
    fn lowest_threshold(&self) -> f64 {
        self.threshold.unwrap_or(LOWEST_SCORE).min(LOWEST_SCORE)
    }

    /// For each class the score that a box needs to be shown.
    fn thresholds(&self) -> Vec<f64> {
        match (self.threshold, &self.counting) {
            (Some(threshold), _) => vec![threshold; self.classes.len()],
            (None, Some(counting)) => counting.even_scores(),
            (None, None) => vec![PLAIN_THRESHOLD; self.classes.len()],
        }
    }
}

impl fmt::Display for DetectionPipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (height, width) = self.network.image();
        let classes = self.classes.join(", ");
        write!(
            f,
            "{} for {classes}, at {height} × {width} pixels",
            self.network.name()
        )
    }
}

#[cfg(test)]
mod tests;
