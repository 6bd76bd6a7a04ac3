//! Things to put into a scene: which pixels each covers, and how much of them.

use crate::data::{
    Random,
    digits::{self, SIDE},
    shapes::{Rule, SHAPES},
};

/// Each pixel is judged at so many points across and down, which makes smooth edges.
const FINE: usize = 4;

/// A pixel belongs to a thing when at least half of it is covered.
pub(super) const HALF: f32 = 0.5;

/// The shapes that are easy to tell apart when they are small.
const CHOSEN: [&str; 5] = ["disc", "square", "triangle", "cross", "star"];

/// What can be drawn.
#[derive(Debug, Clone, Copy)]
pub(super) enum Thing {
    Shape(Rule),
    Digit(usize),
}

/// The shapes with their names.
pub(super) fn shapes() -> Vec<(String, Thing)> {
    let chosen = SHAPES.iter().filter(|(name, _)| CHOSEN.contains(name));
    chosen
        .map(|(name, rule)| ((*name).to_owned(), Thing::Shape(*rule)))
        .collect()
}

/// The digits with their names.
pub(super) fn digits() -> Vec<(String, Thing)> {
    (0..10)
        .map(|digit| (digit.to_string(), Thing::Digit(digit)))
        .collect()
}

/// How much of each pixel a thing covers, cut to the pixels that belong to it: each edge touches one of them.
#[derive(Debug, Clone)]
pub(super) struct Sprite {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) cover: Vec<f32>, // (height, width)
}

impl Thing {
    /// About `size` pixels high, turned and bent a little at random; nothing when it is too small to be seen.
    pub(super) fn draw(self, size: f64, random: &mut Random) -> Option<Sprite> {
        let side = (1.3 * size).ceil() as usize + 2; // room to turn
        let middle = side as f64 / 2.0;
        let mut inside: Box<dyn FnMut(f64, f64) -> f32> = match self {
            Self::Shape(rule) => {
                let (sine, cosine) = (0.7 * (random.next_f64() - 0.5)).sin_cos();
                let radius = size / 1.9; // shapes reach to about 0.95 of it
                Box::new(move |x, y| {
                    let (x, y) = ((x - middle) / radius, (y - middle) / radius);
                    f32::from(rule(cosine * x + sine * y, cosine * y - sine * x))
                })
            }
            Self::Digit(digit) => {
                let picture = digits::picture(digit, random);
                let scale = 20.0 / size; // of 28 pixels about 20 are digit
                let centre = SIDE as f64 / 2.0;
                Box::new(move |x, y| {
                    let at = |position: f64| (position - middle) * scale + centre - 0.5;
                    between(&picture, at(x), at(y))
                })
            }
        };
        let at = |pixel: usize, part: usize| pixel as f64 + (part as f64 + 0.5) / FINE as f64;
        let mut cover = Vec::with_capacity(side * side);
        for pixel in 0..side * side {
            let parts = (0..FINE * FINE)
                .map(|part| inside(at(pixel % side, part % FINE), at(pixel / side, part / FINE)));
            cover.push(parts.sum::<f32>() / (FINE * FINE) as f32);
        }
        cut(&cover, side)
    }
}

/// A digit's brightness between four pixels; black outside.
fn between(picture: &[f32], x: f64, y: f64) -> f32 {
    let (left, top) = (x.floor(), y.floor());
    let (u, v) = ((x - left) as f32, (y - top) as f32);
    let at = |column: f64, row: f64| {
        let limit = SIDE as f64;
        let inside = column >= 0.0 && row >= 0.0 && column < limit && row < limit;
        match inside {
            true => picture[row as usize * SIDE + column as usize],
            false => 0.0,
        }
    };
    let upper = (1.0 - u) * at(left, top) + u * at(left + 1.0, top);
    let lower = (1.0 - u) * at(left, top + 1.0) + u * at(left + 1.0, top + 1.0);
    (1.0 - v) * upper + v * lower
}

/// Leaves the smallest rectangle around the pixels that belong to the thing.
fn cut(cover: &[f32], side: usize) -> Option<Sprite> {
    let belongs = |row: usize, column: usize| cover[row * side + column] >= HALF;
    let mut rows = (0..side).filter(|&row| (0..side).any(|column| belongs(row, column)));
    let (top, bottom) = ends(&mut rows)?;
    let mut columns = (0..side).filter(|&column| (0..side).any(|row| belongs(row, column)));
    let (left, right) = ends(&mut columns)?;
    let lines = (top..=bottom).flat_map(|row| &cover[row * side + left..=row * side + right]);
    Some(Sprite {
        height: bottom + 1 - top,
        width: right + 1 - left,
        cover: lines.copied().collect(),
    })
}

/// The first and the last.
fn ends(numbers: &mut impl Iterator<Item = usize>) -> Option<(usize, usize)> {
    let first = numbers.next()?;
    Some((first, numbers.last().unwrap_or(first)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_edge_touches_the_thing() {
        let mut random = Random::new(1);
        for (name, thing) in [shapes(), digits()].concat() {
            for size in [8.0, 20.0, 45.5] {
                let sprite = thing.draw(size, &mut random).unwrap();
                let (height, width) = (sprite.height, sprite.width);
                assert!((height as f64) < 1.4 * size, "{name} {size}: {height}");
                assert!((height as f64) > 0.5 * size, "{name} {size}: {height}");
                let belongs =
                    |row: usize, column: usize| sprite.cover[row * width + column] >= HALF;
                for row in [0, height - 1] {
                    assert!((0..width).any(|column| belongs(row, column)), "{name}");
                }
                for column in [0, width - 1] {
                    assert!((0..height).any(|row| belongs(row, column)), "{name}");
                }
            }
        }
    }
}
