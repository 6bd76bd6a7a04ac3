//! How good a detector is: mean average precision, and how often its counts are right.

use anyhow::Result;
use candle_core::Tensor;
use kindling::{
    boxes::{Detection, Object, Role},
    data::detection::DetectionSet,
    metrics::{DetectionScore, MeanAveragePrecision},
    models::ObjectDetector,
    pipeline::{Counting, LARGEST_OVERLAP, LOWEST_SCORE},
};

/// The share of pictures whose true count shall lie in its interval.
pub const COVERAGE: f64 = 0.9;

/// Pictures that are looked at at once.
const TOGETHER: usize = 8;

/// For each picture of a set what was found in it, with low scores as well, and what is there.
#[derive(Debug, Default)]
pub struct Judged(Vec<(Vec<Detection>, Vec<Object>)>);

impl Judged {
    pub fn new(detector: &dyn ObjectDetector, set: &DetectionSet) -> Result<Self> {
        let mut judged = Self::default();
        for start in (0..set.len()).step_by(TOGETHER) {
            let end = set.len().min(start + TOGETHER);
            let images = set.images(start..end)?;
            let objects = (start..end).map(|picture| set.objects(picture).to_vec());
            judged.look(detector, &images, objects.collect())?;
        }
        Ok(judged)
    }

    /// Looks at more pictures `(batch, height, width, 3)`, and remembers what is in each of them.
    pub fn look(
        &mut self,
        detector: &dyn ObjectDetector,
        images: &Tensor,
        objects: Vec<Vec<Object>>,
    ) -> Result<()> {
        let found = detector.detect(images, LOWEST_SCORE, LARGEST_OVERLAP)?;
        self.0.extend(found.into_iter().zip(objects));
        Ok(())
    }

    /// Mean average precision.
    pub fn score(&self, classes: usize) -> Result<DetectionScore> {
        let mut metric = MeanAveragePrecision::new(classes);
        for (found, objects) in &self.0 {
            metric.add(found, objects)?;
        }
        Ok(metric.score()?)
    }

    /// What turns boxes into counts, if these pictures were not trained on.
    pub fn counting(&self, classes: usize) -> Result<Counting> {
        Ok(Counting::fit(classes, &self.0, COVERAGE)?)
    }

    /// For each class the share of pictures whose true count lies in its interval, and by how much the expected count is wrong in the mean.
    pub fn counted(&self, counting: &Counting) -> Vec<Counted> {
        let of_class = |class: usize| {
            let (mut inside, mut error) = (0, 0.0);
            for (found, objects) in &self.0 {
                let is_counted =
                    |object: &&Object| object.class == class && object.role == Role::Counted;
                let there = objects.iter().filter(is_counted).count();
                let count = counting.count(found)[class];
                inside += usize::from((count.at_least..=count.at_most).contains(&there));
                error += (count.expected - there as f64).abs();
            }
            let pictures = self.0.len() as f64;
            Counted {
                inside: inside as f64 / pictures,
                error: error / pictures,
            }
        };
        (0..counting.classes()).map(of_class).collect()
    }
}

/// How good the counts of a class are.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    /// The share of pictures whose true count lies in its interval.
    pub inside: f64,
    /// The mean distance of the expected count from the true one.
    pub error: f64,
}

/// The measures in words: `mAP@0.5 80.00 %, mAP@0.5:0.95 …; AP@0.5 of RBC …`.
pub fn score_in_words(score: &DetectionScore, classes: &[String]) -> String {
    let each = classes
        .iter()
        .zip(&score.classes)
        .map(|(name, class)| match class {
            Some(class) => format!("{name} {:.2} %", 100.0 * class.at_50),
            None => format!("{name}: no objects"),
        });
    format!(
        "mAP@0.5 {:.2} %, mAP@0.5:0.95 {:.2} %; AP@0.5 of {}",
        100.0 * score.at_50,
        100.0 * score.mean,
        each.collect::<Vec<_>>().join(", ")
    )
}

/// How good the counts are, in words.
pub fn counts_in_words(counted: &[Counted], classes: &[String]) -> String {
    let each = classes.iter().zip(counted).map(|(name, counted)| {
        format!(
            "{name} {:.1} % (wrong by {:.2} in the mean)",
            100.0 * counted.inside,
            counted.error
        )
    });
    format!(
        "pictures whose count lies in its {:.0} % interval: {}",
        100.0 * COVERAGE,
        each.collect::<Vec<_>>().join(", ")
    )
}
