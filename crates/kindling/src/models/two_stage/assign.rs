//! Which box should show which object.

use crate::boxes::{Object, Role, area, intersection, overlap};

/// A box that lies by more than this share in an object that need not be found is neither right nor wrong.
const IN_IGNORED: f32 = 0.5;

// ANCHOR: assign
/// What a box should show.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Match {
    /// This object.
    Object(Object),
    /// The background.
    Nothing,
    /// Whatever is said of it is neither right nor wrong.
    Ignore,
}

/// From which overlaps on a box shows an object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Matcher {
    /// A box that overlaps every object by less shows nothing.
    pub(super) low: f32,
    /// A box that overlaps an object by at least so much shows it.
    pub(super) high: f32,
    /// Whether the boxes that overlap an object most show theirs however little that is, so that no object is left without.
    pub(super) best: bool,
}

/// For anchors (Ren et al., 2015, section 3.1.2).
pub(super) const ANCHORS: Matcher = Matcher {
    low: 0.3,
    high: 0.7,
    best: true,
};

/// For the regions of the second stage (Girshick, 2015, section 2.3).
pub(super) const REGIONS: Matcher = Matcher {
    low: 0.5,
    high: 0.5,
    best: false,
};

impl Matcher {
    /// What each of the boxes should show: the object that it overlaps most, if that is enough.
    pub(super) fn matches(&self, boxes: &[[f32; 4]], objects: &[Object]) -> Vec<Match> {
        let (counted, others): (Vec<Object>, Vec<Object>) = objects
            .iter()
            .partition(|object| object.role == Role::Counted);
        let mut nearest: Vec<Option<(Object, f32)>> = vec![None; boxes.len()];
        let mut best = vec![false; boxes.len()];
        for object in counted.iter().filter(|object| area(object.corners) > 0.0) {
            let shares = boxes
                .iter()
                .map(|corners| overlap(*corners, object.corners));
            let shares: Vec<f32> = shares.collect();
            let most = shares.iter().copied().fold(0.0, f32::max);
            for (row, &share) in shares.iter().enumerate().filter(|(_, share)| **share > 0.0) {
                best[row] |= share == most;
                if nearest[row].is_none_or(|(_, known)| share > known) {
                    nearest[row] = Some((*object, share));
                }
            }
        }
        let chosen = nearest.iter().zip(best).zip(boxes);
        let chosen = chosen.map(|((nearest, best), corners)| match *nearest {
            Some((object, share)) if share >= self.high || (self.best && best) => {
                Match::Object(object)
            }
            Some((_, share)) if share >= self.low => Match::Ignore,
            _ if lies_in(*corners, &others) => Match::Ignore,
            _ => Match::Nothing,
        });
        chosen.collect()
    }
}
// ANCHOR_END: assign

fn lies_in(corners: [f32; 4], others: &[Object]) -> bool {
    let enough = IN_IGNORED * area(corners);
    let mut inside = others.iter();
    inside.any(|object| intersection(corners, object.corners) > enough)
}
