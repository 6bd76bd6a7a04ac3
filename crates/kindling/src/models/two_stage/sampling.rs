//! A few boxes of a picture, drawn at random so that the background does not drown the objects.

use candle_core::{Device, Tensor};

use super::assign::Match;
use crate::{Result, boxes::Object, data::Random};

// ANCHOR: sample
/// How many boxes of each picture a stage learns from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoxSampling {
    /// So many boxes, at most.
    pub boxes: usize,
    /// At most this share of them on objects.
    pub on_objects: f64,
}

impl BoxSampling {
    /// All boxes, so that chance plays no part.
    pub const ALL: Self = Self {
        boxes: usize::MAX,
        on_objects: 1.0,
    };
}

/// Boxes of all pictures of a batch that a loss looks at.
#[derive(Debug, Default)]
pub(super) struct Sample {
    /// The picture of each box, and its place among the picture's boxes.
    pub(super) places: Vec<(usize, usize)>,
    pub(super) boxes: Vec<[f32; 4]>,
    /// What each should show; nothing is the background.
    pub(super) objects: Vec<Option<Object>>,
}

impl Sample {
    /// Draws some boxes of a picture (Ren et al., 2015, section 3.1.3).
    pub(super) fn draw(
        &mut self,
        (picture, boxes): (usize, &[[f32; 4]]),
        matches: &[Match],
        sampling: BoxSampling,
        random: &mut Random,
    ) {
        let (mut on_objects, mut background) = (Vec::new(), Vec::new());
        for (place, found) in matches.iter().enumerate() {
            match *found {
                Match::Object(object) => on_objects.push((place, Some(object))),
                Match::Nothing => background.push((place, None)),
                Match::Ignore => {}
            }
        }
        random.shuffle(&mut on_objects);
        random.shuffle(&mut background);
        on_objects.truncate((sampling.boxes as f64 * sampling.on_objects) as usize);
        background.truncate(sampling.boxes.saturating_sub(on_objects.len()));
        for (place, object) in on_objects.into_iter().chain(background) {
            self.places.push((picture, place));
            self.boxes.push(boxes[place]);
            self.objects.push(object);
        }
    }
    // ANCHOR_END: sample

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// The boxes on objects: their numbers in the sample, themselves, and the objects.
    pub(super) fn positives(&self) -> Positives {
        let mut positives = Positives::default();
        for (number, object) in self.objects.iter().enumerate() {
            if let Some(object) = object {
                positives.numbers.push(number);
                positives.boxes.push(self.boxes[number]);
                positives.objects.push(*object);
            }
        }
        positives
    }
}

/// The boxes of a sample that lie on objects.
#[derive(Debug, Default)]
pub(super) struct Positives {
    pub(super) numbers: Vec<usize>,
    pub(super) boxes: Vec<[f32; 4]>,
    pub(super) objects: Vec<Object>,
}

/// Boxes as a tensor `(boxes, 4)`.
pub(super) fn tensor(boxes: &[[f32; 4]]) -> Result<Tensor> {
    let shape = (boxes.len(), 4);
    Ok(Tensor::from_slice(
        boxes.as_flattened(),
        shape,
        &Device::Cpu,
    )?)
}
