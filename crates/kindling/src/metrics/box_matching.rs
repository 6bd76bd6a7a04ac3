//! Which found boxes are right: each is given to the object that it overlaps most, the surest box first.

use crate::boxes::{Detection, Object, Role};

/// What became of a found box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the surest box on an object that has to be found.
    Right,
    /// It is on nothing, or on an object that a surer box has found.
    Wrong,
    /// It is on something that does not count.
    Neither,
}

/// For each threshold the verdicts on `found`, which is sorted, surest first. Found boxes and objects are of one class.
///
/// An object that counts is preferred to one that does not; only a crowd takes more than one box (`COCOeval.evaluateImg`).
pub(crate) fn verdicts(
    found: &[Detection],
    objects: &[Object],
    thresholds: &[f64],
) -> Vec<Vec<Verdict>> {
    let counted = objects.iter().filter(|object| object.role == Role::Counted);
    let others = objects.iter().filter(|object| object.role != Role::Counted);
    let objects: Vec<&Object> = counted.chain(others).collect();
    let overlaps: Vec<Vec<f64>> = found
        .iter()
        .map(|found| {
            objects
                .iter()
                .map(|object| overlap(found, object))
                .collect()
        })
        .collect();
    let at = |&threshold: &f64| {
        let mut taken = vec![false; objects.len()];
        let mut verdict = |overlaps: &Vec<f64>| {
            let chosen = choose(overlaps, &objects, &taken, threshold);
            let Some(chosen) = chosen else {
                return Verdict::Wrong;
            };
            taken[chosen] = true;
            match objects[chosen].role {
                Role::Counted => Verdict::Right,
                Role::Ignored | Role::Crowd => Verdict::Neither,
            }
        };
        overlaps.iter().map(&mut verdict).collect()
    };
    thresholds.iter().map(at).collect()
}

/// For each threshold the verdicts on `found` as Pascal VOC's development kit gives them (`VOCevaldet.m`).
///
/// A box is given to the object that it overlaps most, whether that counts or not, and whether a surer box has found it or not. Any number of boxes
/// on an object that does not count is neither right nor wrong.
pub(crate) fn pascal_verdicts(
    found: &[Detection],
    objects: &[Object],
    thresholds: &[f64],
) -> Vec<Vec<Verdict>> {
    let nearest: Vec<Option<(usize, f64)>> = found
        .iter()
        .map(|found| {
            let overlaps = objects.iter().map(|object| overlap(found, object));
            // Of two that it overlaps the same, the first.
            let best = |best: Option<(usize, f64)>, this: (usize, f64)| match best {
                Some(best) if best.1 >= this.1 => Some(best),
                _ => Some(this),
            };
            overlaps.enumerate().fold(None, best)
        })
        .collect();
    let at = |&threshold: &f64| {
        let mut taken = vec![false; objects.len()];
        let mut verdict = |nearest: &Option<(usize, f64)>| {
            let Some((chosen, _)) = nearest.filter(|(_, overlap)| *overlap >= threshold) else {
                return Verdict::Wrong;
            };
            match (
                objects[chosen].role,
                std::mem::replace(&mut taken[chosen], true),
            ) {
                (Role::Ignored | Role::Crowd, _) => Verdict::Neither,
                (Role::Counted, false) => Verdict::Right,
                (Role::Counted, true) => Verdict::Wrong,
            }
        };
        nearest.iter().map(&mut verdict).collect()
    };
    thresholds.iter().map(at).collect()
}

/// The object that a box is given to: the last of those that it overlaps most.
fn choose(overlaps: &[f64], objects: &[&Object], taken: &[bool], threshold: f64) -> Option<usize> {
    let mut best = threshold.min(1.0 - 1e-10);
    let mut chosen: Option<usize> = None;
    for (number, (&overlap, object)) in overlaps.iter().zip(objects).enumerate() {
        if taken[number] && object.role != Role::Crowd {
            continue;
        }
        // Those that count come first: a match among them is not given up for one that does not.
        if object.role != Role::Counted
            && chosen.is_some_and(|chosen| objects[chosen].role == Role::Counted)
        {
            break;
        }
        if overlap >= best {
            best = overlap;
            chosen = Some(number);
        }
    }
    chosen
}

/// Intersection over union; for a crowd, over the found box alone, which may be anywhere inside it.
fn overlap(found: &Detection, object: &Object) -> f64 {
    let one = found.corners.map(f64::from);
    let other = object.corners.map(f64::from);
    let side = |from: f64, to: f64| (to - from).max(0.0);
    let area = |[x1, y1, x2, y2]: [f64; 4]| side(x1, x2) * side(y1, y2);
    let common = area([
        one[0].max(other[0]),
        one[1].max(other[1]),
        one[2].min(other[2]),
        one[3].min(other[3]),
    ]);
    let whole = match object.role {
        Role::Crowd => area(one),
        Role::Counted | Role::Ignored => area(one) + area(other) - common,
    };
    if common > 0.0 { common / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(x1: f32, x2: f32) -> Detection {
        Detection {
            corners: [x1, 0.0, x2, 10.0],
            class: 0,
            score: 0.5,
        }
    }

    fn object(x1: f32, x2: f32, role: Role) -> Object {
        Object {
            corners: [x1, 0.0, x2, 10.0],
            class: 0,
            role,
        }
    }

    #[test]
    fn an_object_is_found_once() {
        let objects = [object(0.0, 10.0, Role::Counted)];
        let boxes = [found(1.0, 11.0), found(0.0, 10.0), found(50.0, 60.0)];
        let verdicts = verdicts(&boxes, &objects, &[0.5, 0.9]);
        assert_eq!(
            verdicts[0],
            [Verdict::Right, Verdict::Wrong, Verdict::Wrong]
        );
        assert_eq!(
            verdicts[1],
            [Verdict::Wrong, Verdict::Right, Verdict::Wrong]
        );
    }

    #[test]
    fn a_crowd_takes_many_and_an_ignored_object_one() {
        let boxes = [found(0.0, 10.0), found(0.0, 10.0)];
        for (role, second) in [
            (Role::Crowd, Verdict::Neither),
            (Role::Ignored, Verdict::Wrong),
        ] {
            let objects = [object(0.0, 10.0, role)];
            let verdicts = verdicts(&boxes, &objects, &[0.5]);
            assert_eq!(verdicts[0], [Verdict::Neither, second], "{role:?}");
        }
        // Only the part of the box inside the crowd matters, however large the crowd is.
        let crowd = [object(0.0, 1e4, Role::Crowd)];
        let small = verdicts(&[found(20.0, 30.0)], &crowd, &[0.95]);
        assert_eq!(small[0], [Verdict::Neither]);
    }

    #[test]
    fn pascal_looks_at_the_nearest_object_alone() {
        use Verdict::{Neither, Right, Wrong};

        let objects = [
            object(0.0, 10.0, Role::Ignored),
            object(2.0, 12.0, Role::Counted),
        ];
        let boxes = [
            found(0.0, 10.0),
            found(0.0, 11.0),
            found(3.0, 12.0),
            found(2.0, 12.0),
        ];
        let verdicts = pascal_verdicts(&boxes, &objects, &[0.5, 0.95]);
        assert_eq!(verdicts[0], [Neither, Neither, Right, Wrong]);
        assert_eq!(verdicts[1], [Neither, Wrong, Wrong, Right]);
        assert_eq!(pascal_verdicts(&boxes[..1], &[], &[0.5])[0], [Wrong]);
    }

    #[test]
    fn an_object_that_counts_is_preferred() {
        let objects = [
            object(0.0, 10.0, Role::Ignored),
            object(2.0, 12.0, Role::Counted),
        ];
        let verdicts = verdicts(&[found(0.0, 10.0)], &objects, &[0.5]);
        assert_eq!(verdicts[0], [Verdict::Right]);
    }
}
