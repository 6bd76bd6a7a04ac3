//! Changes to training pictures that leave their meaning as it is.

use serde::Serialize;

use super::{Random, pictures::brightness};
use crate::{Error, Result};

/// What happens at random to each picture each time it is shown; by default nothing.
///
/// ```
/// use kindling::data::Augment;
/// let augment = Augment::default().crop(4).flip().cutout(8).mixup(0.2);
/// assert!(augment.check().is_ok());
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Augment {
    crop: usize,
    flip: bool,
    rotate: f64,
    zoom: f64,
    cutout: usize,
    mixup: f64,
}

impl Augment {
    /// Moves by up to so many pixels in each direction; what comes in from outside is black.
    #[must_use]
    pub fn crop(self, pixels: usize) -> Self {
        Self {
            crop: pixels,
            ..self
        }
    }

    /// Mirrors every second picture, left to right.
    #[must_use]
    pub fn flip(self) -> Self {
        Self { flip: true, ..self }
    }

    /// Turns by up to so many degrees to either side.
    #[must_use]
    pub fn rotate(self, degrees: f64) -> Self {
        Self {
            rotate: degrees,
            ..self
        }
    }

    /// Makes larger or smaller by up to this share, such as 0.1.
    #[must_use]
    pub fn zoom(self, share: f64) -> Self {
        Self {
            zoom: share,
            ..self
        }
    }

    /// Greys out a square with sides of so many pixels (DeVries and Taylor, 2017).
    #[must_use]
    pub fn cutout(self, pixels: usize) -> Self {
        Self {
            cutout: pixels,
            ..self
        }
    }

    /// Blends each picture with another one of its batch, and their labels alike (Zhang et al., 2018); their share is
    /// drawn from the Beta distribution with both parameters `alpha`.
    #[must_use]
    pub fn mixup(self, alpha: f64) -> Self {
        Self {
            mixup: alpha,
            ..self
        }
    }

    /// Names the setting that makes no sense, if there is one.
    pub fn check(&self) -> Result<()> {
        let problem = match self {
            Self { rotate, .. } if !(0.0..=180.0).contains(rotate) => {
                format!("rotate: expected degrees from 0 to 180, found {rotate}")
            }
            Self { zoom, .. } if !(0.0..1.0).contains(zoom) => {
                format!("zoom: expected a share from 0 up to, but not including, 1, found {zoom}")
            }
            Self { mixup, .. } if !(0.0..=1.0).contains(mixup) => {
                format!("mixup: expected alpha from 0 to 1, found {mixup}")
            }
            _ => return Ok(()),
        };
        Err(Error::Argument(problem))
    }

    /// How much of each picture is its own, when batches are blended.
    pub(super) fn blend(&self, random: &mut Random) -> Option<f32> {
        (self.mixup > 0.0).then(|| beta(self.mixup, random) as f32)
    }

    /// Writes the changed picture `(height, width, channels)` as numbers from 0 to 1.
    pub(super) fn apply(
        &self,
        picture: &[u8],
        (height, width, channels): (usize, usize, usize),
        random: &mut Random,
        changed: &mut [f32],
    ) {
        let mut shift = || random.below(2 * self.crop + 1) as f64 - self.crop as f64;
        let (down, right) = (shift(), shift());
        let mirrored = self.flip && random.below(2) == 1;
        let mut between = |most: f64| most * (2.0 * random.next_f64() - 1.0);
        let (angle, zoom) = (between(self.rotate).to_radians(), 1.0 + between(self.zoom));
        let shape = (height, width, channels);
        if self.rotate == 0.0 && self.zoom == 0.0 {
            let (down, right) = (down as isize, right as isize);
            shifted(picture, shape, (down, right), mirrored, changed);
        } else {
            turned(
                picture,
                shape,
                (down, right),
                (angle, zoom),
                mirrored,
                changed,
            );
        }
        if self.cutout > 0 {
            let (row, column) = (random.below(height), random.below(width));
            cut_out(changed, shape, (row, column), self.cutout);
        }
    }
}

/// Whole pixels move without being blended.
fn shifted(
    picture: &[u8],
    (height, width, channels): (usize, usize, usize),
    (down, right): (isize, isize),
    mirrored: bool,
    changed: &mut [f32],
) {
    changed.fill(0.0);
    for row in 0..height {
        let Some(from) = row.checked_add_signed(down).filter(|row| *row < height) else {
            continue;
        };
        for column in 0..width {
            let to = if mirrored { width - 1 - column } else { column };
            let Some(column) = column
                .checked_add_signed(right)
                .filter(|column| *column < width)
            else {
                continue;
            };
            let pixel = &picture[(from * width + column) * channels..][..channels];
            let place = &mut changed[(row * width + to) * channels..][..channels];
            for (place, &byte) in place.iter_mut().zip(pixel) {
                *place = brightness(byte);
            }
        }
    }
}

/// Looks up each pixel where it comes from, between four others.
fn turned(
    picture: &[u8],
    (height, width, channels): (usize, usize, usize),
    (down, right): (f64, f64),
    (angle, zoom): (f64, f64),
    mirrored: bool,
    changed: &mut [f32],
) {
    let (sine, cosine) = angle.sin_cos();
    let middle = |side: usize| (side as f64 - 1.0) / 2.0;
    let (middle_row, middle_column) = (middle(height), middle(width));
    let at = |row: f64, column: f64, channel: usize| {
        let inside = row >= 0.0 && column >= 0.0 && row < height as f64 && column < width as f64;
        let position = || (row as usize * width + column as usize) * channels + channel;
        if inside {
            brightness(picture[position()])
        } else {
            0.0
        }
    };
    for row in 0..height {
        for column in 0..width {
            let (y, mut x) = (row as f64 - middle_row, column as f64 - middle_column);
            x = if mirrored { -x } else { x };
            let from_row = middle_row + (cosine * y - sine * x) / zoom + down;
            let from_column = middle_column + (cosine * x + sine * y) / zoom + right;
            let (top, left) = (from_row.floor(), from_column.floor());
            let (v, u) = ((from_row - top) as f32, (from_column - left) as f32);
            for channel in 0..channels {
                let upper = (1.0 - u) * at(top, left, channel) + u * at(top, left + 1.0, channel);
                let lower = (1.0 - u) * at(top + 1.0, left, channel)
                    + u * at(top + 1.0, left + 1.0, channel);
                changed[(row * width + column) * channels + channel] =
                    (1.0 - v) * upper + v * lower;
            }
        }
    }
}

/// Greys a square around a point, as far as it lies inside.
fn cut_out(
    changed: &mut [f32],
    (height, width, channels): (usize, usize, usize),
    (row, column): (usize, usize),
    side: usize,
) {
    let reach = |middle: usize, limit: usize| {
        let start = middle.saturating_sub(side / 2);
        start..(middle + side.div_ceil(2)).min(limit)
    };
    for row in reach(row, height) {
        let columns = reach(column, width);
        let start = (row * width + columns.start) * channels;
        changed[start..start + columns.len() * channels].fill(0.5);
    }
}

/// A number from the Beta distribution with both parameters `alpha`, at most 1 (Jöhnk, 1964).
fn beta(alpha: f64, random: &mut Random) -> f64 {
    loop {
        let (x, y) = (
            random.next_f64().powf(1.0 / alpha),
            random.next_f64().powf(1.0 / alpha),
        );
        if x + y > 0.0 && x + y <= 1.0 {
            return x / (x + y);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: (usize, usize, usize) = (5, 5, 1);

    /// A picture that is black but for the pixel at row 1, column 3.
    fn dot() -> Vec<u8> {
        let mut picture = vec![0; 25];
        picture[5 + 3] = 255;
        picture
    }

    fn places(augment: Augment) -> std::collections::BTreeSet<(usize, usize)> {
        let mut places = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let mut changed = vec![0.0; 25];
            augment.apply(&dot(), SHAPE, &mut Random::new(seed), &mut changed);
            let lit = changed.iter().position(|&value| value > 0.99);
            places.extend(lit.map(|place| (place / 5, place % 5)));
        }
        places
    }

    #[test]
    fn nothing_is_changed_by_default() {
        assert_eq!(places(Augment::default()), [(1, 3)].into());
    }

    #[test]
    fn flip_mirrors_left_and_right() {
        assert_eq!(places(Augment::default().flip()), [(1, 1), (1, 3)].into());
    }

    #[test]
    fn crop_moves_by_at_most_its_pixels() {
        let moved = places(Augment::default().crop(1));
        let all = (0..3).flat_map(|row| (2..5).map(move |column| (row, column)));
        assert_eq!(moved, all.collect());
    }

    #[test]
    fn a_turn_keeps_the_ink() {
        let augment = Augment::default().rotate(10.0);
        for seed in 0..50 {
            let mut changed = vec![0.0; 25];
            augment.apply(&dot(), SHAPE, &mut Random::new(seed), &mut changed);
            let ink: f32 = changed.iter().sum();
            assert!((0.8..1.2).contains(&ink), "{ink}");
        }
        // By 180 degrees a picture stands on its head.
        let mut changed = vec![0.0; 25];
        let half = (std::f64::consts::PI, 1.0);
        turned(&dot(), SHAPE, (0.0, 0.0), half, false, &mut changed);
        assert!(changed[3 * 5 + 1] > 0.99);
    }

    #[test]
    fn cutout_greys_a_square() {
        let mut changed = vec![1.0; 25];
        cut_out(&mut changed, SHAPE, (0, 4), 3);
        let grey = changed.iter().filter(|value| **value == 0.5).count();
        assert_eq!(grey, 4);
    }

    #[test]
    fn beta_is_symmetric_and_wide_for_a_small_alpha() {
        let mut random = Random::new(1);
        let drawn: Vec<f64> = (0..20_000).map(|_| beta(0.2, &mut random)).collect();
        let mean = drawn.iter().sum::<f64>() / 2e4;
        let variance = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 2e4;
        assert!((mean - 0.5).abs() < 0.01, "{mean}");
        // The variance of Beta(a, a) is 1 / (4 (2 a + 1)).
        assert!((variance - 1.0 / 5.6).abs() < 0.005, "{variance}");
    }

    #[test]
    fn settings_without_sense_are_named() {
        for (augment, name) in [
            (Augment::default().rotate(-1.0), "rotate"),
            (Augment::default().zoom(1.0), "zoom"),
            (Augment::default().mixup(f64::NAN), "mixup"),
        ] {
            assert!(augment.check().unwrap_err().to_string().starts_with(name));
        }
    }
}
