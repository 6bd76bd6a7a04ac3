//! Mean average precision: how many of the found boxes are right, and how many of the objects are found, in one number.

use std::fmt;

use super::box_matching::{Verdict, pascal_verdicts, verdicts};
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
/// surest boxes count. All numbers are those of the Python package `pycocotools`; [`pascal`](Self::pascal) counts as Pascal VOC does.
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
    rule: Rule,
    pictures: usize,
    classes: Vec<Collected>,
}

/// Whose score it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Coco,
    Pascal,
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
    /// At the threshold 0.5, the mean over classes: COCO's `AP50`.
    ///
    /// Pascal VOC's score has the same threshold and other rules; [`MeanAveragePrecision::pascal`] follows them. Most often the two are less than
    /// a point apart; where an object is difficult, a second box on it is wrong here and does not count there.
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
    /// For each threshold the average precision.
    averages: Vec<f64>,
}

impl MeanAveragePrecision {
    /// Nothing collected yet.
    #[must_use]
    pub fn new(classes: usize) -> Self {
        Self {
            rule: Rule::Coco,
            pictures: 0,
            classes: vec![Collected::default(); classes],
        }
    }

    /// Nothing collected yet; counts as the development kit of Pascal VOC does from 2010 on (Everingham et al., 2010).
    ///
    /// A found box is given to the object of its class that it overlaps most. When that is difficult, the box does not count, however many there
    /// are on it; when a surer box has found it, the box is wrong. The average precision is the area under the curve, and all boxes
    /// count. Edges are numbers as everywhere here: the kit adds a pixel to each side, which matters for the smallest boxes.
    ///
    /// ```
    /// use kindling::{boxes::{Detection, Object, Role}, metrics::MeanAveragePrecision};
    /// let at = |x: f32| [x, 0.0, x + 10.0, 10.0];
    /// let difficult = Object { role: Role::Ignored, ..Object::new(at(50.0), 0) };
    /// let found = [(at(50.0), 0.9), (at(51.0), 0.8), (at(0.0), 0.7)]; // two boxes on the difficult object
    /// let found = found.map(|(corners, score)| Detection { corners, class: 0, score });
    /// let (mut coco, mut pascal) = (MeanAveragePrecision::new(1), MeanAveragePrecision::pascal(1));
    /// for metric in [&mut coco, &mut pascal] {
    ///     metric.add(&found, &[Object::new(at(0.0), 0), difficult])?;
    /// }
    /// assert_eq!((coco.score()?.at_50, pascal.score()?.at_50), (0.5, 1.0));
    /// # Ok::<(), kindling::Error>(())
    /// ```
    #[must_use]
    pub fn pascal(classes: usize) -> Self {
        Self {
            rule: Rule::Pascal,
            ..Self::new(classes)
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
            if self.rule == Rule::Coco {
                found.truncate(MOST);
            }
            let objects: Vec<Object> = objects
                .iter()
                .filter(|object| object.class == class)
                .copied()
                .collect();
            let counted = objects.iter().filter(|object| object.role == Role::Counted);
            collected.objects += counted.count();
            let verdicts = match self.rule {
                Rule::Coco => verdicts(&found, &objects, &thresholds),
                Rule::Pascal => pascal_verdicts(&found, &objects, &thresholds),
            };
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
            .map(|class| (class.objects > 0).then(|| class.precision(self.rule)))
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
            at_75: over_classes(&|class| class.averages[5]),
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
    fn precision(&self, rule: Rule) -> ClassPrecision {
        let mut order: Vec<usize> = (0..self.found.len()).collect();
        order.sort_by(|&one, &other| self.found[other].0.total_cmp(&self.found[one].0));
        let curve = |threshold: usize| {
            let verdicts = order.iter().map(|&number| self.found[number].1[threshold]);
            curve(verdicts, self.objects)
        };
        let curves: Vec<Curve> = (0..THRESHOLDS).map(curve).collect();
        let of_curve = |curve: &Curve| match rule {
            Rule::Coco => average(&curve.precisions),
            Rule::Pascal => curve.area,
        };
        let averages: Vec<f64> = curves.iter().map(of_curve).collect();
        ClassPrecision {
            mean: average(&averages),
            at_50: averages[0],
            averages,
            recalls: curves.iter().map(|curve| curve.recall).collect(),
            precisions: curves.into_iter().map(|curve| curve.precisions).collect(),
        }
    }
}

/// Precision against recall, where each recall has the largest precision that it or a higher one has.
struct Curve {
    /// The largest recall.
    recall: f64,
    /// At the 101 recalls.
    precisions: Vec<f64>,
    /// Under the curve through all points.
    area: f64,
}

fn curve(verdicts: impl Iterator<Item = Verdict>, objects: usize) -> Curve {
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
    let (mut area, mut reached) = (0.0, 0.0);
    for (recall, precision) in &points {
        area += (recall - reached) * precision;
        reached = *recall;
    }
    Curve {
        recall: reached,
        precisions: (0..RECALLS).map(read).collect(),
        area,
    }
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
    fn pascal_takes_the_area_and_any_number_of_boxes() {
        let pictures = pictures(4);
        let coco = score(&pictures);
        let mut pascal = MeanAveragePrecision::pascal(3);
        for (found, objects) in &pictures {
            pascal.add(found, objects).unwrap();
        }
        let difference = pascal.score().unwrap().at_50 - coco.at_50;
        assert!(difference.abs() < 0.05, "{difference}");

        let square = |x: f32| [x, 0.0, x + 10.0, 10.0];
        let objects = [Object::new(square(0.0), 0), Object::new(square(50.0), 0)];
        let found = |corners, score| Detection {
            corners,
            class: 0,
            score,
        };
        let mut metric = MeanAveragePrecision::pascal(1);
        let boxes = [(square(0.0), 0.9), (square(90.0), 0.8), (square(50.0), 0.7)];
        metric
            .add(
                &boxes.map(|(corners, score)| found(corners, score)),
                &objects,
            )
            .unwrap();
        let score = metric.score().unwrap();
        let expected = 0.5 + 0.5 * 2.0 / 3.0;
        assert!((score.at_50 - expected).abs() < 1e-12, "{score:?}");
        assert!((score.at_75 - expected).abs() < 1e-12, "{score:?}");
        // The right box is the 151st.
        let mut boxes = vec![found(square(90.0), 0.8); 150];
        boxes.push(found(square(0.0), 0.7));
        for (mut metric, expected) in [
            (MeanAveragePrecision::pascal(1), 1.0 / 151.0),
            (MeanAveragePrecision::new(1), 0.0),
        ] {
            metric.add(&boxes, &objects[..1]).unwrap();
            let score = metric.score().unwrap();
            assert!((score.at_50 - expected).abs() < 1e-12, "{score:?}");
        }
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
