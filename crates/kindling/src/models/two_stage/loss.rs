//! What both stages should have said, compared with what they said.

use candle_core::{DType, Tensor};

use super::{
    FirstStage, TwoStageDetector,
    assign::{ANCHORS, REGIONS},
    parts::{TwoStageLosses, box_loss, pick},
    postprocess::REGION_WEIGHTS,
    sampling::{BoxSampling, Sample, tensor},
};
use crate::{
    Error, Result,
    boxes::{BoxCoder, Object, Role, area, rows},
    data::{Random, detection::objects_of},
    ops::{cross_entropy, focal_loss},
};

/// Which anchors the first stage learns from (Ren et al., 2015, section 3.1.3).
const SAMPLED_ANCHORS: BoxSampling = BoxSampling {
    boxes: 256,
    on_objects: 0.5,
};

/// Which regions the second stage learns from (Girshick, 2015, section 2.3).
const SAMPLED_REGIONS: BoxSampling = BoxSampling {
    boxes: 64,
    on_objects: 0.25,
};

// ANCHOR: loss
/// The loss of a [`TwoStageDetector`], for [`Training::sampled_loss`](crate::train::Training::sampled_loss).
///
/// Each stage has a cross-entropy for what a box shows and a [`smooth_l1`](crate::ops::smooth_l1) for where its edges are (Ren et al., 2015, equation 1; Girshick, 2015,
/// equation 1), each over a random sample of boxes. Targets `(batch, objects, 6)` come from a [`DetectionLoader`](crate::data::detection::DetectionLoader).
///
/// ```
/// use kindling::{data::detection::{DetectionLoader, Scenes}, models::{Model, TwoStageDetector, TwoStageDetectorConfig, TwoStageDetectorLoss}, optim::AdamW, train::Training};
/// let scenes = Scenes::default().draw(8, 0)?;
/// let loader = DetectionLoader::new(&scenes, 4, 1)?;
/// let model = TwoStageDetector::new(&TwoStageDetectorConfig::default(), 0)?;
/// let loss = TwoStageDetectorLoss::new(&model)?;
/// let history = Training::new(Box::new(AdamW::new(model.parameters(), 0.001)?))
///     .sampled_loss(move |outputs, targets, random| loss.forward(outputs, targets, random))
///     .fit(&model, &loader, &loader)?;
/// assert!(history.epochs[0].loss.is_finite());
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct TwoStageDetectorLoss {
    model: TwoStageDetector,
    anchors: Vec<[f32; 4]>,
    sampled_anchors: BoxSampling,
    sampled_regions: BoxSampling,
}

impl TwoStageDetectorLoss {
    /// For this model, whose second stage it runs: its weights are shared, not copied.
    pub fn new(model: &TwoStageDetector) -> Result<Self> {
        Ok(Self {
            model: model.clone(),
            anchors: model.rpn.anchors()?,
            sampled_anchors: SAMPLED_ANCHORS,
            sampled_regions: SAMPLED_REGIONS,
        })
    }

    /// How many boxes of each picture both stages learn from, instead of the papers' numbers: 256 anchors, half of them on objects, and 64
    /// regions, a quarter of them on objects.
    #[must_use]
    pub fn sampling(self, anchors: BoxSampling, regions: BoxSampling) -> Self {
        Self {
            sampled_anchors: anchors,
            sampled_regions: regions,
            ..self
        }
    }

    /// The sum of the four parts, a scalar, from the model's outputs, targets `(batch, objects, 6)`, and the chance that draws the samples.
    pub fn forward(
        &self,
        outputs: &Tensor,
        targets: &Tensor,
        random: &mut Random,
    ) -> Result<Tensor> {
        self.parts(outputs, targets, random)?.sum()
    }

    /// The four parts.
    pub fn parts(
        &self,
        outputs: &Tensor,
        targets: &Tensor,
        random: &mut Random,
    ) -> Result<TwoStageLosses> {
        let pictures = objects_of(targets)?;
        let first = self.model.split(outputs)?;
        self.check(&pictures, first.objectness.dim(0)?)?;
        let (objectness, anchors) = self.first_stage(&first, &pictures, random)?;
        let (classes, regions) = self.second_stage(&first, &pictures, random)?;
        Ok(TwoStageLosses {
            objectness,
            anchors,
            classes,
            regions,
        })
    }

    fn first_stage(
        &self,
        first: &FirstStage,
        pictures: &[Vec<Object>],
        random: &mut Random,
    ) -> Result<(Tensor, Tensor)> {
        let mut sample = Sample::default();
        for (picture, objects) in pictures.iter().enumerate() {
            let matches = ANCHORS.matches(&self.anchors, objects);
            sample.draw(
                (picture, &self.anchors),
                &matches,
                self.sampled_anchors,
                random,
            );
        }
        let anchors = self.anchors.len();
        let places = sample.places.iter();
        let rows: Vec<u32> = places
            .map(|(picture, place)| (picture * anchors + place) as u32)
            .collect();
        let yes = sample
            .objects
            .iter()
            .map(|object| f32::from(u8::from(object.is_some())));
        let truth: Vec<f32> = yes.collect();
        let positives = sample.positives();
        let moved = positives.numbers.iter().map(|&number| rows[number]);
        let deltas = pick(&first.deltas.flatten(0, 1)?, moved.collect())?;
        let logits = pick(&first.objectness.flatten_all()?, rows)?;
        let truth = Tensor::new(truth, logits.device())?;
        let count = sample.len().max(1) as f64;
        Ok((
            (focal_loss(&logits, &truth, None, 0.0)?.sum_all()? / count)?,
            box_loss(&deltas, &positives, &BoxCoder::default(), count)?,
        ))
    }

    fn second_stage(
        &self,
        first: &FirstStage,
        pictures: &[Vec<Object>],
        random: &mut Random,
    ) -> Result<(Tensor, Tensor)> {
        let mut sample = Sample::default();
        for (picture, objects) in pictures.iter().enumerate() {
            let proposals = self.model.propose(first, picture)?;
            let mut regions = rows(&proposals, "proposals")?;
            // The truth is proposed too: else a first stage that knows nothing yet would show the second no objects.
            let counted = objects.iter().filter(|object| object.role == Role::Counted);
            let counted = counted.map(|object| object.corners);
            regions.extend(counted.filter(|corners| area(*corners) > 0.0));
            let matches = REGIONS.matches(&regions, objects);
            sample.draw((picture, &regions), &matches, self.sampled_regions, random);
        }
        if sample.len() == 0 {
            let none = Tensor::zeros((), DType::F32, first.objectness.device())?;
            return Ok((none.clone(), none));
        }
        let images: Vec<usize> = sample.places.iter().map(|(picture, _)| *picture).collect();
        let regions = tensor(&sample.boxes)?;
        let (logits, deltas) = self.model.head.forward(&first.levels, &regions, &images)?;
        let background = self.model.config.classes;
        let labels = sample
            .objects
            .iter()
            .map(|object| object.map_or(background, |object| object.class));
        let labels: Vec<u32> = labels.map(|label| label as u32).collect();
        let positives = sample.positives();
        let pairs = positives.numbers.iter().zip(&positives.objects);
        let of_class = pairs.map(|(number, object)| (number * background + object.class) as u32);
        let deltas = pick(&deltas.reshape(((), 4))?, of_class.collect())?;
        Ok((
            cross_entropy(&logits, &Tensor::new(labels, logits.device())?, 0.0)?,
            box_loss(
                &deltas,
                &positives,
                &BoxCoder::new(REGION_WEIGHTS)?,
                sample.len() as f64,
            )?,
        ))
    }
    // ANCHOR_END: loss

    fn check(&self, pictures: &[Vec<Object>], batch: usize) -> Result<()> {
        if pictures.len() != batch {
            return Err(Error::Argument(format!(
                "targets: expected those of {batch} pictures, found {}",
                pictures.len()
            )));
        }
        let classes = self.model.config.classes;
        match pictures
            .iter()
            .flatten()
            .find(|object| object.class >= classes)
        {
            None => Ok(()),
            Some(object) => Err(Error::Argument(format!(
                "targets: expected classes below {classes}, found {}",
                object.class
            ))),
        }
    }
}
