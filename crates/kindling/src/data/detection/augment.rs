//! Changes to training pictures that move their boxes along, or leave them where they are.

use serde::Serialize;

use super::zoom::Zoom;
use crate::{Error, Result, boxes::Object, data::Random};

/// How much each colour counts for the brightness of a pixel (ITU-R BT.601).
const BRIGHTNESS: [f32; 3] = [0.299, 0.587, 0.114];

/// What happens at random to each picture and its boxes each time it is shown; by default nothing.
///
/// ```
/// use kindling::data::detection::DetectionAugment;
/// let augment = DetectionAugment::default().flip().brightness(0.2).saturation(0.4);
/// assert!(augment.check().is_ok());
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct DetectionAugment {
    flip: bool,
    flip_vertically: bool,
    brightness: f64,
    contrast: f64,
    saturation: f64,
    zoom: f64,
}

impl DetectionAugment {
    /// Mirrors every second picture, left to right.
    #[must_use]
    pub fn flip(self) -> Self {
        Self { flip: true, ..self }
    }

    /// Mirrors every second picture, top to bottom: where there is no up and no down, as under a microscope.
    #[must_use]
    pub fn flip_vertically(self) -> Self {
        Self {
            flip_vertically: true,
            ..self
        }
    }

    /// Brighter or darker by up to this share, such as 0.2.
    #[must_use]
    pub fn brightness(self, share: f64) -> Self {
        Self {
            brightness: share,
            ..self
        }
    }

    /// Further from the picture's mean grey or nearer to it, by up to this share.
    #[must_use]
    pub fn contrast(self, share: f64) -> Self {
        Self {
            contrast: share,
            ..self
        }
    }

    /// More colour or less, by up to this share.
    #[must_use]
    pub fn saturation(self, share: f64) -> Self {
        Self {
            saturation: share,
            ..self
        }
    }

    /// Larger by up to this share, of which a part is then shown, or smaller by as much, anywhere on a grey sheet.
    ///
    /// An object of which too little is left may be found or not.
    #[must_use]
    pub fn zoom(self, share: f64) -> Self {
        Self {
            zoom: share,
            ..self
        }
    }

    /// Names the setting that makes no sense, if there is one.
    pub fn check(&self) -> Result<()> {
        let shares = [
            ("brightness", self.brightness),
            ("contrast", self.contrast),
            ("saturation", self.saturation),
            ("zoom", self.zoom),
        ];
        match shares
            .iter()
            .find(|(_, share)| !(0.0..=1.0).contains(share))
        {
            None => Ok(()),
            Some((name, share)) => Err(Error::Argument(format!(
                "{name}: expected a share from 0 to 1, found {share}"
            ))),
        }
    }

    /// Changes a picture `(height, width, 3)` of numbers from 0 to 1, and its boxes.
    pub(super) fn apply(
        &self,
        pixels: &mut [f32],
        (height, width): (usize, usize),
        objects: &mut Vec<Object>,
        random: &mut Random,
    ) {
        // Drawn always, so that one setting does not change the chance of another.
        let (across, down) = (random.below(2) == 1, random.below(2) == 1);
        let mut factor = |share: f64| 1.0 + (share * (2.0 * random.next_f64() - 1.0)) as f32;
        let factors = [self.brightness, self.contrast, self.saturation].map(&mut factor);
        if self.flip && across {
            for line in pixels.chunks_exact_mut(width * 3) {
                line.as_chunks_mut::<3>().0.reverse();
            }
            for object in objects.iter_mut() {
                let [x1, y1, x2, y2] = object.corners;
                object.corners = [width as f32 - x2, y1, width as f32 - x1, y2];
            }
        }
        if self.flip_vertically && down {
            let (upper, lower) = pixels.split_at_mut(height / 2 * width * 3);
            let from_below = lower.rchunks_exact_mut(width * 3);
            let lines = upper.chunks_exact_mut(width * 3).zip(from_below);
            lines.for_each(|(one, other)| one.swap_with_slice(other));
            for object in objects.iter_mut() {
                let [x1, y1, x2, y2] = object.corners;
                object.corners = [x1, height as f32 - y2, x2, height as f32 - y1];
            }
        }
        if (self.brightness, self.contrast, self.saturation) != (0.0, 0.0, 0.0) {
            colour(pixels, factors);
        }
        let zoom = Zoom::draw(self.zoom, (height, width), random);
        if self.zoom > 0.0 {
            zoom.apply(pixels, objects);
        }
    }
}

/// Brightness, then contrast, then saturation, each by its factor.
fn colour(pixels: &mut [f32], [brightness, contrast, saturation]: [f32; 3]) {
    let (pixels, _) = pixels.as_chunks_mut::<3>();
    let grey = |pixel: &[f32; 3]| -> f32 {
        let weighted = pixel.iter().zip(BRIGHTNESS);
        weighted.map(|(colour, weight)| colour * weight).sum()
    };
    for pixel in pixels.iter_mut() {
        *pixel = pixel.map(|colour| (colour * brightness).min(1.0));
    }
    let mean = pixels
        .iter()
        .map(|pixel| f64::from(grey(pixel)))
        .sum::<f64>();
    let mean = (mean / pixels.len().max(1) as f64) as f32;
    for pixel in pixels {
        let stretched = pixel.map(|colour| mean + contrast * (colour - mean));
        let grey = grey(&stretched);
        *pixel = stretched.map(|colour| (grey + saturation * (colour - grey)).clamp(0.0, 1.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two rows of three pixels, numbered in their red.
    fn picture() -> Vec<f32> {
        let numbers = (0..6).map(|number| number as f32 / 10.0);
        numbers.flat_map(|number| [number, 0.5, 0.25]).collect()
    }

    fn reds(pixels: &[f32]) -> Vec<f32> {
        pixels.chunks(3).map(|pixel| pixel[0] * 10.0).collect()
    }

    #[test]
    fn boxes_follow_what_is_in_them() {
        let augment = DetectionAugment::default().flip().flip_vertically();
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..40 {
            // The box is around pixel 5, lower right.
            let (mut pixels, mut objects) = (picture(), vec![Object::new([2.0, 1.0, 3.0, 2.0], 0)]);
            augment.apply(&mut pixels, (2, 3), &mut objects, &mut Random::new(seed));
            let [x1, y1, x2, y2] = objects[0].corners;
            assert_eq!((x2 - x1, y2 - y1), (1.0, 1.0));
            let place = y1 as usize * 3 + x1 as usize;
            assert!((reds(&pixels)[place] - 5.0).abs() < 1e-5, "seed {seed}");
            seen.insert(place);
        }
        assert_eq!(seen, [0, 2, 3, 5].into());
    }

    #[test]
    fn nothing_is_changed_by_default() {
        let (mut pixels, mut objects) = (picture(), vec![Object::new([0.0, 0.0, 1.0, 1.0], 0)]);
        let nothing = DetectionAugment::default();
        nothing.apply(&mut pixels, (2, 3), &mut objects, &mut Random::new(1));
        assert_eq!(
            (pixels, objects[0].corners),
            (picture(), [0.0, 0.0, 1.0, 1.0])
        );
    }

    #[test]
    fn colours_change_as_they_are_told() {
        let changed = |factors: [f32; 3]| {
            let mut pixels = vec![0.2, 0.4, 0.6, 0.4, 0.4, 0.4];
            colour(&mut pixels, factors);
            pixels
        };
        let near = |pixels: &[f32], expected: &[f32]| {
            let pairs = pixels.iter().zip(expected);
            assert!(
                pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-6),
                "{pixels:?} {expected:?}"
            );
        };
        near(&changed([1.0; 3]), &[0.2, 0.4, 0.6, 0.4, 0.4, 0.4]);
        near(&changed([2.0, 1.0, 1.0]), &[0.4, 0.8, 1.0, 0.8, 0.8, 0.8]);
        let grey = 0.299 * 0.2 + 0.587 * 0.4 + 0.114 * 0.6;
        near(&changed([1.0, 1.0, 0.0])[..3], &[grey; 3]);
        near(&changed([1.0, 0.0, 1.0]), &[(grey + 0.4) / 2.0; 6]);
    }

    #[test]
    fn settings_without_sense_are_named() {
        for (augment, name) in [
            (DetectionAugment::default().brightness(-0.1), "brightness"),
            (DetectionAugment::default().contrast(1.5), "contrast"),
            (
                DetectionAugment::default().saturation(f64::NAN),
                "saturation",
            ),
            (DetectionAugment::default().zoom(2.0), "zoom"),
        ] {
            assert!(augment.check().unwrap_err().to_string().starts_with(name));
        }
    }
}
