//! What all detectors can do, whatever they are made of.

use std::fmt::Debug;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::{
    Model, OneStageDetector, OneStageDetectorConfig, OneStageDetectorLoss, TwoStageDetector,
    TwoStageDetectorConfig, TwoStageDetectorLoss,
};
use crate::{Result, boxes::Detection, data::Random};

/// From outputs and targets `(batch, objects, 6)` to a loss `()`, at random where it looks only at a sample.
pub type DetectionObjective = Box<dyn Fn(&Tensor, &Tensor, &mut Random) -> Result<Tensor>>;

/// A model that finds objects in pictures of one size, and can be trained to.
///
/// ```
/// use kindling::{data::{Loader, detection::{DetectionLoader, Scenes}}, models::{OneStageDetector, OneStageDetectorConfig, ObjectDetector}};
/// use kindling::{data::Random, optim::AdamW, train::Training};
/// let scenes = Scenes::default().draw(4, 0)?;
/// let detector: Box<dyn ObjectDetector> = Box::new(OneStageDetector::new(&OneStageDetectorConfig::default(), 0)?);
/// let loader = DetectionLoader::new(&scenes, 2, 0)?;
/// let objective = detector.objective()?;
/// for batch in loader.batches(1, 0)? {
///     let (images, targets) = batch?;
///     let mut random = Random::new(0);
///     let outputs = detector.forward_training(&images, &mut random)?;
///     assert!(objective(&outputs, &targets, &mut random)?.to_scalar::<f32>()? > 0.0);
/// }
/// # Ok::<(), kindling::Error>(())
/// ```
pub trait ObjectDetector: Model + Debug {
    /// Height and width of its pictures.
    fn image(&self) -> (usize, usize);

    /// How many classes it tells apart.
    fn classes(&self) -> usize;

    /// What training makes small.
    fn objective(&self) -> Result<DetectionObjective>;

    /// What is in each of the images `(batch, height, width, 3)`, surest first.
    ///
    /// A box needs a score above `threshold`; of boxes of one class that overlap by more than `overlap` the surest stays.
    fn detect(&self, images: &Tensor, threshold: f64, overlap: f64) -> Result<Vec<Vec<Detection>>>;
}

impl ObjectDetector for OneStageDetector {
    fn image(&self) -> (usize, usize) {
        self.config().pyramid.image
    }

    fn classes(&self) -> usize {
        self.config().classes
    }

    fn objective(&self) -> Result<DetectionObjective> {
        let loss = OneStageDetectorLoss::new(self.config())?;
        Ok(Box::new(move |outputs, targets, _| {
            loss.forward(outputs, targets)
        }))
    }

    fn detect(&self, images: &Tensor, threshold: f64, overlap: f64) -> Result<Vec<Vec<Detection>>> {
        Self::detect(self, images, threshold, overlap)
    }
}

impl ObjectDetector for TwoStageDetector {
    fn image(&self) -> (usize, usize) {
        self.config().pyramid.image
    }

    fn classes(&self) -> usize {
        self.config().classes
    }

    fn objective(&self) -> Result<DetectionObjective> {
        let loss = TwoStageDetectorLoss::new(self)?;
        Ok(Box::new(move |outputs, targets, random| {
            loss.forward(outputs, targets, random)
        }))
    }

    fn detect(&self, images: &Tensor, threshold: f64, overlap: f64) -> Result<Vec<Vec<Detection>>> {
        Self::detect(self, images, threshold, overlap)
    }
}

/// A detector before it has weights: which one, and its sizes.
///
/// ```
/// use kindling::models::{DetectorArchitecture, OneStageDetectorConfig};
/// let detector = DetectorArchitecture::OneStage(OneStageDetectorConfig::default()).build(0)?;
/// assert_eq!(detector.classes(), 5);
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum DetectorArchitecture {
    /// A [`OneStageDetector`].
    OneStage(OneStageDetectorConfig),
    /// A [`TwoStageDetector`].
    TwoStage(TwoStageDetectorConfig),
}

impl DetectorArchitecture {
    /// A detector with random weights.
    pub fn build(&self, seed: u64) -> Result<Box<dyn ObjectDetector>> {
        Ok(match self {
            Self::OneStage(config) => Box::new(OneStageDetector::new(config, seed)?),
            Self::TwoStage(config) => Box::new(TwoStageDetector::new(config, seed)?),
        })
    }
}
