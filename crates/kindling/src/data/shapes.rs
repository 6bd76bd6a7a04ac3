//! A generator of coloured shapes, for where real photographs are not to be had.
//!
//! Each class is a rule that says which points are inside. A picture chooses colours, place, size and angle at random, and
//! adds a second, smaller patch and noise. Left out: everything that makes photographs hard.

use super::{Pictures, Random};
use crate::Result;

const SIDE: usize = 32;

/// Each pixel is judged at so many points across and down, which makes smooth edges.
const FINE: usize = 3;

/// From a point, about -1 to 1 in both directions, to whether it is inside.
pub(super) type Rule = fn(f64, f64) -> bool;

/// The shapes and what they are called.
pub(super) const SHAPES: [(&str, Rule); 10] = [
    ("disc", |x, y| x.hypot(y) < 0.9),
    ("ring", |x, y| (0.55..0.95).contains(&x.hypot(y))),
    ("square", |x, y| x.abs().max(y.abs()) < 0.8),
    ("frame", |x, y| (0.5..0.85).contains(&x.abs().max(y.abs()))),
    ("triangle", |x, y| y < 0.7 && y > 2.0 * x.abs() - 0.9),
    ("cross", |x, y| {
        x.abs().min(y.abs()) < 0.25 && x.abs().max(y.abs()) < 0.95
    }),
    ("star", |x, y| {
        x.hypot(y) < 0.62 + 0.33 * (5.0 * x.atan2(y)).cos()
    }),
    ("moon", |x, y| {
        x.hypot(y) < 0.9 && (x - 0.45).hypot(y) > 0.75
    }),
    ("bars", |x, y| {
        x.abs().max(y.abs()) < 0.9 && (2.2 * x + 10.0).rem_euclid(1.0) < 0.5
    }),
    ("heart", |x, y| {
        let (x, y) = (1.25 * x, -1.25 * y + 0.1);
        (x * x + y * y - 0.6).powi(3) < x * x * y.powi(3)
    }),
];

/// Draws `count` pictures, each shape as often as any other, in random order.
pub(super) fn draw(count: usize, seed: u64) -> Result<Pictures> {
    let mut random = Random::new(seed);
    let shapes = SHAPES.len();
    let mut labels: Vec<u32> = (0..count)
        .map(|position| (position % shapes) as u32)
        .collect();
    random.shuffle(&mut labels);
    let mut pixels = Vec::with_capacity(count * 3 * SIDE * SIDE);
    for &label in &labels {
        draw_shape(SHAPES[label as usize].1, &mut random, &mut pixels);
    }
    let classes = SHAPES.map(|(name, _)| name.to_owned()).to_vec();
    Pictures::new(pixels, labels, (SIDE, SIDE, 3), classes)
}

fn draw_shape(inside: Rule, random: &mut Random, pixels: &mut Vec<u8>) {
    let (paper, patch) = (colour(random), colour(random));
    let mut ink = colour(random);
    while difference(ink, paper) < 90.0 {
        ink = colour(random);
    }
    let shape = Placement::random(random, 7.0, 13.0);
    let disc = Placement::random(random, 2.0, 5.0);
    for row in 0..SIDE {
        for column in 0..SIDE {
            let mut mean = [0.0; 3];
            for part in 0..FINE * FINE {
                let at =
                    |pixel: usize, part: usize| pixel as f64 + (part as f64 + 0.5) / FINE as f64;
                let point = (at(column, part % FINE), at(row, part / FINE));
                let (x, y) = shape.apply(point);
                let (u, v) = disc.apply(point);
                let colour = match (inside(x, y), u.hypot(v) < 1.0) {
                    (true, _) => ink,
                    (false, true) => patch,
                    (false, false) => paper,
                };
                for (mean, colour) in mean.iter_mut().zip(colour) {
                    *mean += colour / (FINE * FINE) as f64;
                }
            }
            pixels.extend(mean.map(|value| (value + 12.0 * random.next_normal()) as u8));
        }
    }
}

pub(super) fn colour(random: &mut Random) -> [f64; 3] {
    [0; 3].map(|_| 255.0 * random.next_f64())
}

pub(super) fn difference(one: [f64; 3], other: [f64; 3]) -> f64 {
    let squares = one.iter().zip(other).map(|(a, b)| (a - b).powi(2));
    squares.sum::<f64>().sqrt()
}

/// Where a shape lies: from pixels to its own coordinates.
struct Placement {
    centre: (f64, f64),
    cosine: f64,
    sine: f64,
}

impl Placement {
    /// A radius between these, fully inside the picture, turned by up to 20 degrees.
    fn random(random: &mut Random, smallest: f64, largest: f64) -> Self {
        let mut between = |low: f64, high: f64| low + (high - low) * random.next_f64();
        let radius = between(smallest, largest);
        let (low, high) = (radius, SIDE as f64 - radius);
        let (sine, cosine) = between(-0.35, 0.35).sin_cos();
        Self {
            centre: (between(low, high), between(low, high)),
            cosine: cosine / radius,
            sine: sine / radius,
        }
    }

    fn apply(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let (x, y) = (x - self.centre.0, y - self.centre.1);
        (
            self.cosine * x + self.sine * y,
            self.cosine * y - self.sine * x,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_decides_and_classes_are_equally_frequent() {
        let pictures = draw(50, 1).unwrap();
        let pixels = |seed| draw(10, seed).unwrap().picture(9).to_vec();
        assert_eq!(pixels(4), pixels(4));
        assert_ne!(pixels(4), pixels(5));
        for class in 0..10 {
            let count = pictures.labels().iter().filter(|label| **label == class);
            assert_eq!(count.count(), 5);
        }
    }

    #[test]
    fn each_picture_has_more_than_one_colour() {
        let pictures = draw(100, 2).unwrap();
        for position in 0..100 {
            let picture = pictures.picture(position);
            let (low, high) = (picture.iter().min(), picture.iter().max());
            assert!(high > low.map(|low| low.saturating_add(50)).as_ref());
        }
    }
}
