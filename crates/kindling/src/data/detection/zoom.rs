//! A picture shown larger or smaller, somewhere on its sheet, with its boxes.

use crate::{
    boxes::{Object, Role, area},
    data::Random,
};

/// The grey beside a picture that became smaller, as on a [`Letterbox`](super::Letterbox)'s sheet.
const GREY: f32 = 128.0 / 255.0;

/// An object of which less than this share is left may be found or not.
const ENOUGH: f32 = 0.4;

/// Where on its sheet of `(height, width)` a picture is shown, and by which factor larger.
#[derive(Debug, Clone, Copy)]
pub(super) struct Zoom {
    factor: f32,
    /// Where its upper left corner comes to lie: `(down, right)`.
    corner: (f32, f32),
    size: (usize, usize),
}

impl Zoom {
    /// A factor from `1 / (1 + share)` to `1 + share`, larger as often as smaller, and a place at which the sheet is as full as can be.
    pub(super) fn draw(share: f64, size: (usize, usize), random: &mut Random) -> Self {
        let power = 2.0 * random.next_f64() - 1.0;
        let factor = (1.0 + share).powf(power) as f32;
        // Negative where the picture is larger than the sheet.
        let room = |side: usize| side as f32 * (1.0 - factor);
        let mut place = |side: usize| room(side) * random.next_f64() as f32;
        Self {
            factor,
            corner: (place(size.0), place(size.1)),
            size,
        }
    }

    /// Moves the pixels `(height, width, 3)` and the objects; what is nowhere to be seen is taken away.
    pub(super) fn apply(&self, pixels: &mut [f32], objects: &mut Vec<Object>) {
        self.move_pixels(pixels);
        let (height, width) = (self.size.0 as f32, self.size.1 as f32);
        objects.retain_mut(|object| {
            let [x1, y1, x2, y2] = object.corners;
            let across = |x: f32| x * self.factor + self.corner.1;
            let down = |y: f32| y * self.factor + self.corner.0;
            let moved = [across(x1), down(y1), across(x2), down(y2)];
            let [x1, y1, x2, y2] = moved;
            let seen = [
                x1.clamp(0.0, width),
                y1.clamp(0.0, height),
                x2.clamp(0.0, width),
                y2.clamp(0.0, height),
            ];
            if object.role == Role::Counted && area(seen) < ENOUGH * area(moved) {
                object.role = Role::Ignored;
            }
            object.corners = seen;
            area(seen) > 0.0
        });
    }

    fn move_pixels(&self, pixels: &mut [f32]) {
        let (height, width) = self.size;
        let source = pixels.to_vec();
        let columns: Vec<Option<Between>> = (0..width)
            .map(|column| self.source(column, self.corner.1, width))
            .collect();
        for (row, line) in pixels.chunks_exact_mut(width * 3).enumerate() {
            let Some(rows) = self.source(row, self.corner.0, height) else {
                line.fill(GREY);
                continue;
            };
            let upper = &source[rows.first * width * 3..][..width * 3];
            let lower = &source[rows.second * width * 3..][..width * 3];
            for (pixel, columns) in line.as_chunks_mut::<3>().0.iter_mut().zip(&columns) {
                let Some(columns) = columns else {
                    *pixel = [GREY; 3];
                    continue;
                };
                let of_line = |line: &[f32], colour: usize| {
                    columns.mix(
                        line[columns.first * 3 + colour],
                        line[columns.second * 3 + colour],
                    )
                };
                *pixel = std::array::from_fn(|colour| {
                    rows.mix(of_line(upper, colour), of_line(lower, colour))
                });
            }
        }
    }

    /// The two pixels of a side of `count` that this one lies between; nothing outside the picture.
    fn source(&self, place: usize, corner: f32, count: usize) -> Option<Between> {
        let position = (place as f32 + 0.5 - corner) / self.factor;
        if !(0.0..=count as f32).contains(&position) {
            return None;
        }
        let position = (position - 0.5).clamp(0.0, (count - 1) as f32);
        let first = position as usize;
        Some(Between {
            first,
            second: (first + 1).min(count - 1),
            share: position - first as f32,
        })
    }
}

/// Two neighbours, and how near to the second.
#[derive(Debug, Clone, Copy)]
struct Between {
    first: usize,
    second: usize,
    share: f32,
}

impl Between {
    fn mix(&self, first: f32, second: f32) -> f32 {
        first + self.share * (second - first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Black, with a white rectangle around which the object's box is.
    fn picture(size: (usize, usize), [x1, y1, x2, y2]: [usize; 4]) -> (Vec<f32>, Vec<Object>) {
        let mut pixels = vec![0.0; size.0 * size.1 * 3];
        for row in y1..y2 {
            pixels[(row * size.1 + x1) * 3..(row * size.1 + x2) * 3].fill(1.0);
        }
        let corners = [x1, y1, x2, y2].map(|edge| edge as f32);
        (pixels, vec![Object::new(corners, 0)])
    }

    #[test]
    fn the_box_stays_around_the_white_pixels() {
        let size = (40, 60);
        for seed in 0..60 {
            let (mut pixels, mut objects) = picture(size, [20, 12, 35, 24]);
            let zoom = Zoom::draw(0.8, size, &mut Random::new(seed));
            zoom.apply(&mut pixels, &mut objects);
            let white = |place: usize| pixels[place * 3] > 0.75;
            let places: Vec<usize> = (0..40 * 60).filter(|&place| white(place)).collect();
            let Some(object) = objects.first() else {
                assert!(places.is_empty(), "seed {seed}");
                continue;
            };
            let columns = || places.iter().map(|place| place % 60);
            let rows = || places.iter().map(|place| place / 60);
            let (Some(left), Some(top)) = (columns().min(), rows().min()) else {
                assert!(area(object.corners) < 16.0, "seed {seed}");
                continue;
            };
            let found = [
                left,
                top,
                columns().max().unwrap() + 1,
                rows().max().unwrap() + 1,
            ];
            for (edge, found) in object.corners.iter().zip(found) {
                assert!(
                    (edge - found as f32).abs() < 1.6,
                    "seed {seed}: {object:?} {found:?}"
                );
            }
        }
    }

    #[test]
    fn a_factor_of_one_changes_nothing() {
        let (mut pixels, mut objects) = picture((10, 12), [3, 2, 8, 6]);
        let (before, object) = (pixels.clone(), objects[0]);
        Zoom::draw(0.0, (10, 12), &mut Random::new(3)).apply(&mut pixels, &mut objects);
        assert_eq!((pixels, objects[0]), (before, object));
    }

    #[test]
    fn what_is_cut_off_need_not_be_found_and_what_is_gone_is_gone() {
        let zoom = Zoom {
            factor: 2.0,
            corner: (0.0, 0.0),
            size: (10, 10),
        };
        let objects = [
            [0.0, 0.0, 4.0, 4.0],
            [4.0, 0.0, 8.0, 4.0],
            [6.0, 6.0, 9.0, 9.0],
        ];
        let mut objects = objects.map(|corners| Object::new(corners, 0)).to_vec();
        zoom.apply(&mut vec![0.0; 300], &mut objects);
        assert_eq!(objects.len(), 2);
        assert_eq!(
            (objects[0].corners, objects[0].role),
            ([0.0, 0.0, 8.0, 8.0], Role::Counted)
        );
        assert_eq!(
            (objects[1].corners, objects[1].role),
            ([8.0, 0.0, 10.0, 8.0], Role::Ignored)
        );
        // Half as large, in the lower right corner of a grey sheet.
        let zoom = Zoom {
            factor: 0.5,
            corner: (5.0, 5.0),
            size: (10, 10),
        };
        let mut pixels = vec![1.0; 300];
        zoom.apply(&mut pixels, &mut Vec::new());
        assert_eq!(pixels[0], GREY);
        assert_eq!(pixels.iter().filter(|&&colour| colour == 1.0).count(), 75);
    }
}
