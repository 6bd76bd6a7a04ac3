//! How many objects of each class a picture shows, and how sure that number is.

use serde::{Deserialize, Serialize};

use super::ScoreCurve;
use crate::{
    Error, Result,
    boxes::{Detection, Object, Role},
    metrics::{Verdict, verdicts},
};

/// A box is right when it overlaps an object by so much.
const OVERLAP: f64 = 0.5;

/// How many objects of a class a picture shows.
///
/// Each box is an object with its probability, beside objects that no box is on: a Poisson-binomial number and a Poisson number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Count {
    /// The number of the class.
    pub class: usize,
    /// The mean of the number of objects.
    pub expected: f64,
    /// Its standard deviation, if boxes are right or wrong independently of each other.
    pub deviation: f64,
    /// The true number is at least this …
    pub at_least: usize,
    /// … and at most this, in the share of pictures that [`Counting::coverage`] says.
    pub at_most: usize,
}

/// What turns boxes into counts, learned from pictures that the detector was not trained on.
///
/// ```
/// use kindling::{boxes::{Detection, Object}, pipeline::Counting};
/// // In each picture two objects are found and one is missed; a third box is on nothing.
/// let objects = vec![Object::new([0.0, 0.0, 9.0, 9.0], 0), Object::new([20.0, 0.0, 29.0, 9.0], 0), Object::new([40.0, 0.0, 49.0, 9.0], 0)];
/// let found = |left: f32, score: f32| Detection { corners: [left, 0.0, left + 9.0, 9.0], class: 0, score };
/// let found = vec![found(0.0, 0.9), found(20.0, 0.8), found(70.0, 0.1)];
/// let counting = Counting::fit(1, &vec![(found.clone(), objects); 30], 0.9)?;
/// let counts = counting.count(&found);
/// assert!((counts[0].expected - 3.0).abs() < 0.1);
/// assert!(counts[0].at_least <= 3 && 3 <= counts[0].at_most);
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Counting {
    classes: Vec<ClassCounting>,
    coverage: f64,
}

/// What is known of one class.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct ClassCounting {
    curve: ScoreCurve,
    /// The mean number of objects in a picture that no box is on.
    missed: f64,
    /// How many standard deviations the true number may be away.
    deviations: f64,
}

impl Counting {
    /// From what a detector found in pictures, with low scores as well, and what is in them.
    ///
    /// The curve from scores to probabilities and the number of missed objects come first. Then intervals are made so wide that the share `coverage` of
    /// pictures would have their true number inside: how far it was away, in standard deviations, is put in order and read off (split
    /// conformal prediction: Lei et al., 2018, section 5.2).
    pub fn fit(
        classes: usize,
        pictures: &[(Vec<Detection>, Vec<Object>)],
        coverage: f64,
    ) -> Result<Self> {
        if !(0.0..1.0).contains(&coverage) {
            return Err(Error::Argument(format!(
                "coverage: expected a share from 0 up to, but not including, 1, found {coverage}"
            )));
        }
        if pictures.is_empty() {
            return Err(Error::Argument(
                "pictures: expected at least one to learn counting from, found none".to_owned(),
            ));
        }
        let classes = (0..classes).map(|class| ClassCounting::fit(class, pictures, coverage));
        Ok(Self {
            classes: classes.collect(),
            coverage,
        })
    }

    /// In which share of pictures the true number of a class lies in its interval.
    #[must_use]
    pub fn coverage(&self) -> f64 {
        self.coverage
    }

    /// How many classes it counts.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes.len()
    }

    /// How likely this box is right; nothing when its class is unknown.
    #[must_use]
    pub fn probability(&self, found: &Detection) -> Option<f64> {
        let class = self.classes.get(found.class)?;
        Some(class.curve.probability(found.score))
    }

    /// For each class the score from which on a box is more likely right than wrong.
    #[must_use]
    pub fn even_scores(&self) -> Vec<f64> {
        let classes = self.classes.iter();
        classes.map(|class| class.curve.even_score()).collect()
    }

    /// The count of each class in a picture; `found` holds boxes with low scores as well.
    #[must_use]
    pub fn count(&self, found: &[Detection]) -> Vec<Count> {
        let classes = self.classes.iter().enumerate();
        classes
            .map(|(class, known)| {
                let found = found.iter().filter(|found| found.class == class);
                known.count(class, found)
            })
            .collect()
    }
}

impl ClassCounting {
    fn fit(class: usize, pictures: &[(Vec<Detection>, Vec<Object>)], coverage: f64) -> Self {
        let of_class = pictures
            .iter()
            .map(|(found, objects)| Judged::new(class, found, objects));
        let pictures: Vec<Judged> = of_class.collect();
        let boxes = pictures.iter().flat_map(|picture| picture.boxes.iter());
        let missed: usize = pictures.iter().map(Judged::missed).sum();
        let mut known = Self {
            curve: ScoreCurve::fit(boxes.map(|(found, right)| (found.score, *right))),
            // Half an object more: that none was missed so far does not mean that none ever is.
            missed: (missed as f64 + 0.5) / pictures.len() as f64,
            deviations: 0.0,
        };
        let away = pictures.iter().map(|picture| {
            let (mean, variance) = known.moments(picture.boxes.iter().map(|(found, _)| found));
            (picture.objects as f64 - mean).abs() / variance.sqrt()
        });
        let mut away: Vec<f64> = away.collect();
        away.sort_by(f64::total_cmp);
        let place = (coverage * (away.len() + 1) as f64).ceil() as usize;
        known.deviations = away[place.clamp(1, away.len()) - 1];
        known
    }

    /// Mean and variance of the number of objects.
    fn moments<'a>(&self, found: impl Iterator<Item = &'a Detection>) -> (f64, f64) {
        let start = (self.missed, self.missed); // a Poisson number's variance is its mean
        found.fold(start, |(mean, variance), found| {
            let sure = self.curve.probability(found.score);
            (mean + sure, variance + sure * (1.0 - sure))
        })
    }

    fn count<'a>(&self, class: usize, found: impl Iterator<Item = &'a Detection>) -> Count {
        let (expected, variance) = self.moments(found);
        let deviation = variance.sqrt();
        let away = self.deviations * deviation;
        // Where no whole number lies between the two, the nearest one does.
        let nearest = expected.round();
        let at_least = (expected - away).ceil().min(nearest).max(0.0);
        let at_most = (expected + away).floor().max(nearest);
        Count {
            class,
            expected,
            deviation,
            at_least: at_least as usize,
            at_most: at_most as usize,
        }
    }
}

/// The boxes of one class in a picture, and whether each is right.
struct Judged {
    boxes: Vec<(Detection, bool)>,
    /// How many objects there are.
    objects: usize,
}

impl Judged {
    fn new(class: usize, found: &[Detection], objects: &[Object]) -> Self {
        let found = found.iter().filter(|found| found.class == class);
        let mut found: Vec<Detection> = found.copied().collect();
        found.sort_by(|one, other| other.score.total_cmp(&one.score));
        let objects = objects.iter().filter(|object| object.class == class);
        let objects: Vec<Object> = objects.copied().collect();
        let mut verdicts = verdicts(&found, &objects, &[OVERLAP]);
        let verdicts = verdicts.pop().unwrap_or_default();
        let boxes = found.into_iter().zip(verdicts);
        let boxes = boxes.filter(|(_, verdict)| *verdict != Verdict::Neither);
        let counted = objects.iter().filter(|object| object.role == Role::Counted);
        Self {
            boxes: boxes
                .map(|(found, verdict)| (found, verdict == Verdict::Right))
                .collect(),
            objects: counted.count(),
        }
    }

    /// How many objects no box is on.
    fn missed(&self) -> usize {
        self.objects - self.boxes.iter().filter(|(_, right)| *right).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Random;

    /// Pictures with up to 20 objects; the higher the score the likelier a box is right, and some objects have no box.
    fn pictures(count: usize, seed: u64) -> Vec<(Vec<Detection>, Vec<Object>)> {
        let mut random = Random::new(seed);
        let picture = |_| {
            let (mut found, mut objects) = (Vec::new(), Vec::new());
            for place in 0..1 + random.below(30) {
                let left = 20.0 * place as f32;
                let corners = [left, 0.0, left + 10.0, 10.0];
                let score = random.next_f64() as f32;
                if random.next_f64() < f64::from(score * score) {
                    objects.push(Object::new(corners, 0));
                }
                // Scores near 0 are not shown, so that some objects are missed.
                if score > 0.1 {
                    found.push(Detection {
                        corners,
                        class: 0,
                        score,
                    });
                }
            }
            (found, objects)
        };
        (0..count).map(picture).collect()
    }

    #[test]
    fn intervals_hold_the_true_number_as_often_as_they_say() {
        let known = pictures(400, 1);
        for coverage in [0.5, 0.8, 0.95] {
            let counting = Counting::fit(1, &known, coverage).unwrap();
            let unseen = pictures(1_000, 2);
            let inside = unseen.iter().filter(|(found, objects)| {
                let [count] = counting.count(found)[..] else {
                    return false;
                };
                (count.at_least..=count.at_most).contains(&objects.len())
            });
            let share = inside.count() as f64 / unseen.len() as f64;
            // Only whole numbers can be inside, so small intervals hold more than they must.
            assert!(share > coverage - 0.04, "{coverage}: {share}");
            assert!(share < coverage + 0.25, "{coverage}: {share}");
        }
    }

    #[test]
    fn the_mean_of_counts_is_that_of_the_objects() {
        let counting = Counting::fit(1, &pictures(400, 3), 0.9).unwrap();
        let unseen = pictures(1_000, 4);
        let expected: f64 = unseen
            .iter()
            .map(|(found, _)| counting.count(found)[0].expected)
            .sum();
        let objects: usize = unseen.iter().map(|(_, objects)| objects.len()).sum();
        let ratio = expected / objects as f64;
        assert!((ratio - 1.0).abs() < 0.05, "{ratio}");
    }

    #[test]
    fn an_empty_picture_and_a_class_without_objects_have_counts() {
        let counting = Counting::fit(2, &pictures(30, 5), 0.9).unwrap();
        let counts = counting.count(&[]);
        assert_eq!(counts.len(), 2);
        assert_eq!((counts[1].at_least, counts[1].at_most), (0, 0));
        assert!(counts[0].expected > 0.0 && counts[0].at_least == 0);
        let unknown = Detection {
            corners: [0.0, 0.0, 1.0, 1.0],
            class: 7,
            score: 0.5,
        };
        assert_eq!(counting.probability(&unknown), None);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let error = |coverage| {
            Counting::fit(1, &pictures(3, 0), coverage)
                .unwrap_err()
                .to_string()
        };
        assert!(error(1.0).starts_with("coverage"));
        assert!(error(f64::NAN).starts_with("coverage"));
        let none = Counting::fit(1, &[], 0.9).unwrap_err().to_string();
        assert!(none.starts_with("pictures"));
    }
}
