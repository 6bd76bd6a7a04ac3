//! A generator of digit pictures, for where the real MNIST is not to be had.
//!
//! Each digit is a few curves through hand-placed points. A picture bends the points a little, tilts, stretches and
//! shifts the whole at random, and draws the curves with a round pen. Left out: the many other ways to write each digit.

use candle_core::{Device, Tensor};

use super::{Examples, Random};
use crate::Result;

pub(super) const SIDE: usize = 28;

/// A point of a stroke; x to the right and y down, both from -1 to 1.
type Point = (f64, f64);

/// The strokes of the digits 0 to 9: smooth curves through these points.
const STROKES: [&[&[Point]]; 10] = [
    &[&[
        (0.0, -1.0),
        (-0.55, -0.5),
        (-0.55, 0.5),
        (0.0, 1.0),
        (0.55, 0.5),
        (0.55, -0.5),
        (0.0, -1.0),
    ]],
    &[&[(-0.25, -0.65), (0.05, -1.0), (0.05, 0.0), (0.05, 1.0)]],
    &[&[
        (-0.5, -0.6),
        (0.0, -1.0),
        (0.5, -0.55),
        (0.1, 0.2),
        (-0.55, 0.95),
        (-0.1, 0.9),
        (0.6, 0.95),
    ]],
    &[&[
        (-0.5, -0.8),
        (0.05, -1.0),
        (0.45, -0.55),
        (-0.1, -0.05),
        (0.5, 0.45),
        (0.05, 1.0),
        (-0.55, 0.75),
    ]],
    &[
        &[
            (-0.25, -1.0),
            (-0.5, -0.1),
            (-0.5, 0.15),
            (0.1, 0.15),
            (0.6, 0.1),
        ],
        &[(0.3, -0.7), (0.25, 0.2), (0.2, 1.0)],
    ],
    &[&[
        (0.5, -0.95),
        (-0.1, -0.95),
        (-0.4, -0.9),
        (-0.45, -0.2),
        (0.1, -0.3),
        (0.5, 0.3),
        (0.1, 0.95),
        (-0.5, 0.8),
    ]],
    &[&[
        (0.35, -1.0),
        (-0.3, -0.3),
        (-0.45, 0.5),
        (0.0, 1.0),
        (0.45, 0.55),
        (0.1, 0.05),
        (-0.4, 0.4),
    ]],
    &[&[
        (-0.55, -0.85),
        (0.0, -0.9),
        (0.5, -0.9),
        (0.2, -0.1),
        (-0.1, 1.0),
    ]],
    &[&[
        (0.4, -0.75),
        (-0.1, -1.0),
        (-0.4, -0.6),
        (0.35, 0.3),
        (0.1, 0.95),
        (-0.35, 0.65),
        (0.1, -0.05),
        (0.4, -0.75),
    ]],
    &[&[
        (0.4, -0.6),
        (-0.05, -1.0),
        (-0.4, -0.5),
        (0.0, -0.1),
        (0.4, -0.6),
        (0.35, 0.2),
        (0.2, 1.0),
    ]],
];

/// Draws `count` pictures, each digit as often as any other, in random order.
pub(super) fn draw(count: usize, seed: u64) -> Result<Examples> {
    let mut random = Random::new(seed);
    let mut labels: Vec<u32> = (0..count).map(|position| (position % 10) as u32).collect();
    random.shuffle(&mut labels);
    let mut pixels = vec![0_f32; count * SIDE * SIDE];
    for (picture, &digit) in pixels.chunks_exact_mut(SIDE * SIDE).zip(&labels) {
        draw_digit(picture, STROKES[digit as usize], &mut random);
    }
    let images = Tensor::from_vec(pixels, (count, SIDE, SIDE), &Device::Cpu)?; // (examples, 28, 28)
    Examples::new(images, Tensor::from_vec(labels, count, &Device::Cpu)?)
}

/// One picture of this digit, `(28, 28)`, from 0 to 1.
pub(super) fn picture(digit: usize, random: &mut Random) -> Vec<f32> {
    let mut picture = vec![0.0; SIDE * SIDE];
    draw_digit(&mut picture, STROKES[digit % STROKES.len()], random);
    picture
}

fn draw_digit(picture: &mut [f32], strokes: &[&[Point]], random: &mut Random) {
    let place = Placement::random(random);
    let pen = between(random, 0.9, 1.7);
    for stroke in strokes {
        let bent: Vec<Point> = stroke
            .iter()
            .map(|&(x, y)| {
                place.apply((
                    x + 0.06 * random.next_normal(),
                    y + 0.06 * random.next_normal(),
                ))
            })
            .collect();
        for ends in smooth(&bent).windows(2) {
            draw_segment(picture, ends[0], ends[1], pen);
        }
    }
}

/// Turns, slants, stretches and shifts: from stroke coordinates to pixels.
struct Placement {
    x: (f64, f64),
    y: (f64, f64),
    centre: Point,
}

impl Placement {
    fn random(random: &mut Random) -> Self {
        let (sin, cos) = between(random, -0.25, 0.25).sin_cos();
        let (width, height) = (between(random, 6.5, 9.5), between(random, 7.5, 9.5));
        let slant = between(random, -0.3, 0.3);
        let centre = (
            13.5 + between(random, -1.5, 1.5),
            13.5 + between(random, -1.5, 1.5),
        );
        Self {
            x: (width * cos, -height * (sin + slant)),
            y: (width * sin, height * cos),
            centre,
        }
    }

    fn apply(&self, (x, y): Point) -> Point {
        (
            self.centre.0 + self.x.0 * x + self.x.1 * y,
            self.centre.1 + self.y.0 * x + self.y.1 * y,
        )
    }
}

fn between(random: &mut Random, low: f64, high: f64) -> f64 {
    low + (high - low) * random.next_f64()
}

/// Points on a smooth curve through the given ones (Catmull and Rom, 1974), four to a stretch.
fn smooth(points: &[Point]) -> Vec<Point> {
    const STEPS: usize = 4;
    let at = |index: usize| points[index.min(points.len() - 1)];
    let mut curve = Vec::with_capacity(points.len() * STEPS);
    for index in 0..points.len() - 1 {
        let (before, from, to, after) = (
            at(index.saturating_sub(1)),
            at(index),
            at(index + 1),
            at(index + 2),
        );
        let blend = |a: f64, b: f64, c: f64, d: f64, t: f64| {
            b + 0.5
                * t
                * ((c - a) + t * ((2.0 * a - 5.0 * b + 4.0 * c - d) + t * (3.0 * (b - c) + d - a)))
        };
        for step in 0..STEPS {
            let t = step as f64 / STEPS as f64;
            curve.push((
                blend(before.0, from.0, to.0, after.0, t),
                blend(before.1, from.1, to.1, after.1, t),
            ));
        }
    }
    curve.push(at(points.len() - 1));
    curve
}

/// Inks each pixel by how much of it lies under a round pen of this radius, moved from one point to the other.
fn draw_segment(picture: &mut [f32], from: Point, to: Point, pen: f64) {
    let (rows, columns) = (reach(from.1, to.1, pen), reach(from.0, to.0, pen));
    for row in rows {
        for column in columns.clone() {
            let ink = (pen + 0.5 - distance((column as f64, row as f64), from, to)).clamp(0.0, 1.0)
                as f32;
            let pixel = &mut picture[row * SIDE + column];
            *pixel = pixel.max(ink);
        }
    }
}

/// The rows or columns that the pen can touch on its way between two coordinates.
fn reach(from: f64, to: f64, pen: f64) -> std::ops::Range<usize> {
    let low = (from.min(to) - pen - 1.0).clamp(0.0, SIDE as f64);
    let high = (from.max(to) + pen + 2.0).clamp(0.0, SIDE as f64);
    low as usize..high as usize
}

/// How far a point is from the nearest point of a segment.
fn distance(point: Point, from: Point, to: Point) -> f64 {
    let (x, y) = (to.0 - from.0, to.1 - from.1);
    let along =
        ((point.0 - from.0) * x + (point.1 - from.1) * y) / (x * x + y * y).max(f64::MIN_POSITIVE);
    let along = along.clamp(0.0, 1.0);
    (point.0 - from.0 - along * x).hypot(point.1 - from.1 - along * y)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_have_ink_and_a_background() {
        let examples = draw(200, 1).unwrap();
        let means = examples
            .images
            .mean((1, 2))
            .unwrap()
            .to_vec1::<f32>()
            .unwrap();
        assert!(
            means.iter().all(|mean| (0.04..0.35).contains(mean)),
            "{means:?}"
        );
        let all = examples
            .images
            .flatten_all()
            .unwrap()
            .to_vec1::<f32>()
            .unwrap();
        assert!(all.iter().all(|pixel| (0.0..=1.0).contains(pixel)));
    }

    #[test]
    fn each_digit_comes_equally_often() {
        let mut labels = draw(100, 3).unwrap().labels.to_vec1::<u32>().unwrap();
        labels.sort_unstable();
        assert!(
            labels
                .chunks(10)
                .enumerate()
                .all(|(digit, same)| same == [digit as u32; 10])
        );
    }

    #[test]
    fn the_seed_decides_the_pictures() {
        let pixels = |seed| {
            draw(3, seed)
                .unwrap()
                .images
                .flatten_all()
                .unwrap()
                .to_vec1::<f32>()
                .unwrap()
        };
        assert_eq!(pixels(5), pixels(5));
        assert_ne!(pixels(5), pixels(6));
    }

    #[test]
    fn no_pictures_are_possible() {
        assert!(draw(0, 0).unwrap().is_empty());
    }
}
