//! Mean average precision: how many of the found boxes are right, and how many of the objects are found, in one number.

use std::fmt;

use super::box_matching::{Verdict, verdicts};
use crate::{
    Error, Result,
    boxes::{Detection, Object, Role},
    plot::{Figure, Lines},
};

/// How many found boxes of a class count in one picture.
const MOST: usize = 100;

/// At so many recalls, 0 to 1, a precision is read off.
const RECALLS: usize = 101;

/// The overlaps at which a box is right: 0.5, 0.55, …, 0.95.
const THRESHOLDS: usize = 10;

/// Collects what was found in each picture, then computes the score of a detector as COCO does (Lin et al., 2014).
///
/// A found box is right when it overlaps an object of its class, that no surer box has found, by a threshold. Going through all boxes of
/// a class, surest first, gives a precision for each recall; their mean at 101 recalls is the average precision. Per class and picture the 100
/// surest boxes count.
///
/// ```
/// use kindling::{boxes::{Detection, Object}, metrics::MeanAveragePrecision};
/// let mut metric = MeanAveragePrecision::new(1);
/// let objects = [Object::new([0.0, 0.0, 10.0, 10.0], 0), Object::new([50.0, 0.0, 60.0, 10.0], 0)];
/// metric.add(&[Detection { corners: [0.0, 0.0, 10.0, 9.0], class: 0, score: 0.8 }], &objects)?;
/// let score = metric.score()?;
/// assert_eq!(score.at_50, 51.0 / 101.0); // one of two is found, without a wrong one
/// assert!((score.mean - 0.9 * score.at_50).abs() < 1e-12); // at 0.95 the box is no longer right
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct MeanAveragePrecision {
    pictures: usize,
    classes: Vec<Collected>,
}

/// What is known of a class.
#[derive(Debug, Clone, Default)]
struct Collected {
    /// How many objects there are to find.
    objects: usize,
    /// Score and, for each threshold, verdict of each found box.
    found: Vec<(f32, [Verdict; THRESHOLDS])>,
}

/// The quality of a detector.
#[derive(Clone, PartialEq)]
pub struct DetectionScore {
    /// The mean over thresholds 0.5 to 0.95 and classes: the score of COCO.
    pub mean: f64,
    /// At the threshold 0.5, the mean over classes: the score of Pascal VOC.
    pub at_50: f64,
    /// At the threshold 0.75, the mean over classes.
    pub at_75: f64,
    /// Each class; nothing where it has no objects that count.
    pub classes: Vec<Option<ClassPrecision>>,
}

/// How well one class is found.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassPrecision {
    /// The mean over thresholds 0.5 to 0.95.
    pub mean: f64,
    /// At the threshold 0.5.
    pub at_50: f64,
    /// The share of objects that are found at all, for each threshold 0.5, 0.55, …, 0.95.
    pub recalls: Vec<f64>,
    /// For each threshold the precisions at the recalls 0, 0.01, …, 1.
    pub precisions: Vec<Vec<f64>>,
}

impl MeanAveragePrecision {
    /// Nothing collected yet.
    #[must_use]
    pub fn new(classes: usize) -> Self {
        Self {
            pictures: 0,
            classes: vec![Collected::default(); classes],
        }
    }

    /// Adds a picture: what a model found in it, and what there is.
    pub fn add(&mut self, found: &[Detection], objects: &[Object]) -> Result<()> {
        self.check(found, objects)?;
        let thresholds = thresholds();
        for (class, collected) in self.classes.iter_mut().enumerate() {
            let mut found: Vec<Detection> = found
                .iter()
                .filter(|found| found.class == class)
                .copied()
                .collect();
            found.sort_by(|one, other| other.score.total_cmp(&one.score));
            found.truncate(MOST);
            let objects: Vec<Object> = objects
                .iter()
                .filter(|object| object.class == class)
                .copied()
                .collect();
            let counted = objects.iter().filter(|object| object.role == Role::Counted);
            collected.objects += counted.count();
            let verdicts = verdicts(&found, &objects, &thresholds);
            let of_box = |(number, found): (usize, &Detection)| {
                let at = |threshold: usize| verdicts[threshold][number];
                (found.score, std::array::from_fn(at))
            };
            collected.found.extend(found.iter().enumerate().map(of_box));
        }
        self.pictures += 1;
        Ok(())
    }

    fn check(&self, found: &[Detection], objects: &[Object]) -> Result<()> {
        let picture = self.pictures;
        let found = found
            .iter()
            .map(|found| ("a found box", found.class, found.corners, found.score));
        let objects = objects
            .iter()
            .map(|object| ("an object", object.class, object.corners, 0.0));
        for (what, class, corners, score) in found.chain(objects) {
            if class >= self.classes.len() {
                return Err(Error::Argument(format!(
                    "picture {picture}: {what}: expected classes below {}, found {class}",
                    self.classes.len()
                )));
            }
            if score.is_nan() || corners.iter().any(|edge| !edge.is_finite()) {
                return Err(Error::Argument(format!(
                    "picture {picture}: {what}: expected finite numbers, found the box {corners:?} with the score {score}"
                )));
            }
        }
        Ok(())
    }

    /// The score over all pictures so far; there must be something to find in them.
    pub fn score(&self) -> Result<DetectionScore> {
        let classes: Vec<Option<ClassPrecision>> = self
            .classes
            .iter()
            .map(|class| (class.objects > 0).then(|| class.precision()))
            .collect();
        let known: Vec<&ClassPrecision> = classes.iter().flatten().collect();
        if known.is_empty() {
            return Err(Error::Argument(format!(
                "mean average precision: expected objects to be found, there are none in {} pictures",
                self.pictures
            )));
        }
        let over_classes = |measure: &dyn Fn(&ClassPrecision) -> f64| {
            let sum: f64 = known.iter().map(|class| measure(class)).sum();
            sum / known.len() as f64
        };
        Ok(DetectionScore {
            mean: over_classes(&|class| class.mean),
            at_50: over_classes(&|class| class.at_50),
            at_75: over_classes(&|class| average(&class.precisions[5])),
            classes,
        })
    }
}

fn thresholds() -> [f64; THRESHOLDS] {
    let (first, last) = (0.5, 0.95);
    let step = (last - first) / (THRESHOLDS - 1) as f64;
    std::array::from_fn(|number| first + number as f64 * step)
}

fn average(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len().max(1) as f64
}

impl Collected {
    fn precision(&self) -> ClassPrecision {
        let mut order: Vec<usize> = (0..self.found.len()).collect();
        order.sort_by(|&one, &other| self.found[other].0.total_cmp(&self.found[one].0));
        let curve = |threshold: usize| {
            let verdicts = order.iter().map(|&number| self.found[number].1[threshold]);
            curve(verdicts, self.objects)
        };
        let (recalls, precisions): (Vec<f64>, Vec<Vec<f64>>) = (0..THRESHOLDS).map(curve).unzip();
        let averages: Vec<f64> = precisions.iter().map(|curve| average(curve)).collect();
        ClassPrecision {
            mean: average(&averages),
            at_50: averages[0],
            recalls,
            precisions,
        }
    }
}

/// The largest recall, and for each of the 101 recalls the largest precision that it or a higher one has.
fn curve(verdicts: impl Iterator<Item = Verdict>, objects: usize) -> (f64, Vec<f64>) {
    let (mut right, mut wrong) = (0_usize, 0_usize);
    let mut points: Vec<(f64, f64)> = Vec::new(); // recall and precision after each box that counts
    for verdict in verdicts {
        match verdict {
            Verdict::Right => right += 1,
            Verdict::Wrong => wrong += 1,
            Verdict::Neither => continue,
        }
        let recall = right as f64 / objects as f64;
        points.push((recall, right as f64 / (right + wrong) as f64));
    }
    for number in (1..points.len()).rev() {
        points[number - 1].1 = points[number - 1].1.max(points[number].1);
    }
    let read = |recall: usize| {
        let recall = recall as f64 / (RECALLS - 1) as f64;
        let place = points.partition_point(|(found, _)| *found < recall);
        points.get(place).map_or(0.0, |(_, precision)| *precision)
    };
    let highest = points.last().map_or(0.0, |(recall, _)| *recall);
    (highest, (0..RECALLS).map(read).collect())
}

impl DetectionScore {
    /// Precision against recall at the threshold 0.5, a curve for each class.
    pub fn plot(&self, classes: &[String]) -> Result<Figure> {
        if classes.len() != self.classes.len() {
            return Err(Error::Argument(format!(
                "classes: expected {} names, found {}",
                self.classes.len(),
                classes.len()
            )));
        }
        let mut figure = Lines::new("Precision and recall").axes("recall", "precision");
        for (name, class) in classes.iter().zip(&self.classes) {
            if let Some(class) = class {
                let recall = |number: usize| number as f64 / (RECALLS - 1) as f64;
                let points = class.precisions[0].iter().enumerate();
                let points: Vec<(f64, f64)> = points
                    .map(|(number, &precision)| (recall(number), precision))
                    .collect();
                figure = figure.series(name, points);
            }
        }
        figure.draw()
    }
}

impl fmt::Debug for DetectionScore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "DetectionScore {{ mean: {:.4}, at_50: {:.4}, at_75: {:.4}, of each class at 0.5: [",
            self.mean, self.at_50, self.at_75
        )?;
        for (number, class) in self.classes.iter().enumerate() {
            let comma = if number > 0 { ", " } else { "" };
            match class {
                Some(class) => write!(f, "{comma}{:.4}", class.at_50)?,
                None => write!(f, "{comma}no objects")?,
            }
        }
        write!(f, "] }}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Random;

    /// Pictures with objects, and boxes near them with scores that differ.
    fn pictures(seed: u64) -> Vec<(Vec<Detection>, Vec<Object>)> {
        let mut random = Random::new(seed);
        let picture = |_| {
            let count = random.below(6);
            let objects: Vec<Object> = (0..count)
                .map(|_| {
                    let mut edge = || random.below(80) as f32;
                    let (x, y) = (edge(), edge());
                    let sides = (8.0 + edge() / 4.0, 8.0 + edge() / 4.0);
                    Object::new([x, y, x + sides.0, y + sides.1], random.below(3))
                })
                .collect();
            let found = objects.iter().flat_map(|object| {
                let shift = random.next_f64() as f32 * 4.0;
                let moved = object.corners.map(|edge| edge + shift);
                [moved, object.corners].map(|corners| Detection {
                    corners,
                    class: object.class,
                    score: random.next_f64() as f32,
                })
            });
            (found.collect(), objects.clone())
        };
        (0..10).map(picture).collect()
    }

    fn score(pictures: &[(Vec<Detection>, Vec<Object>)]) -> DetectionScore {
        let mut metric = MeanAveragePrecision::new(3);
        for (found, objects) in pictures {
            metric.add(found, objects).unwrap();
        }
        metric.score().unwrap()
    }

    #[test]
    fn the_order_of_boxes_objects_and_pictures_does_not_matter() {
        let mut pictures = pictures(1);
        let expected = score(&pictures);
        let mut random = Random::new(2);
        random.shuffle(&mut pictures);
        for (found, objects) in &mut pictures {
            random.shuffle(found);
            random.shuffle(objects);
        }
        assert_eq!(score(&pictures), expected);
        assert!(expected.mean > 0.1 && expected.mean < expected.at_50);
    }

    #[test]
    fn perfect_boxes_score_one_and_none_score_zero() {
        let pictures = pictures(3);
        let exact = |score: f32| {
            let to_found = move |object: &Object| Detection {
                corners: object.corners,
                class: object.class,
                score,
            };
            let pictures = pictures
                .iter()
                .map(|(_, objects)| (objects.iter().map(to_found).collect(), objects.clone()));
            pictures.collect::<Vec<_>>()
        };
        assert_eq!(score(&exact(0.1)).mean, 1.0);
        let nothing: Vec<_> = exact(0.1)
            .into_iter()
            .map(|(_, objects)| (Vec::new(), objects))
            .collect();
        assert_eq!(score(&nothing).at_50, 0.0);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let object = Object::new([0.0, 0.0, 1.0, 1.0], 0);
        let mut metric = MeanAveragePrecision::new(1);
        let found = |corners, class, score| Detection {
            corners,
            class,
            score,
        };
        let [mut nan, good] = [[0.0, 0.0, 1.0, 1.0]; 2];
        nan[2] = f32::NAN;
        for (found, expected) in [
            (found(nan, 0, 0.5), "NaN"),
            (found(good, 0, f32::NAN), "NaN"),
            (found(good, 1, 0.5), "below 1, found 1"),
        ] {
            let error = metric.add(&[found], &[object]).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(metric.score().is_err());
        metric.add(&[found(good, 0, 0.5)], &[]).unwrap();
        assert!(
            metric
                .score()
                .unwrap_err()
                .to_string()
                .contains("1 pictures")
        );
        metric.add(&[], &[object]).unwrap();
        let score = metric.score().unwrap();
        assert_eq!(score.mean, 0.0);
        assert!(score.plot(&["thing".to_owned()]).is_ok());
        assert!(score.plot(&[]).is_err());
    }
}
