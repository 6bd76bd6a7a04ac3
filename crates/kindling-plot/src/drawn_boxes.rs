//! Labelled boxes drawn into a picture's own pixels, for a file that any program can show.

use font8x8::UnicodeFonts;
use image::{Rgb, RgbImage};
use kindling_base::boxes::Detection;
use plotters::style::RGBColor;

use super::style::{color, letters_on};

/// A letter is so many dots high and wide.
const LETTER: u32 = 8;

/// Edges are one pixel thick for each such part of a picture's longer side, and so are a letter's dots.
const FINE: u32 = 480;

/// What is drawn for a letter that the font lacks.
const UNKNOWN: [u8; 8] = [0x7e, 0x42, 0x42, 0x42, 0x42, 0x42, 0x7e, 0];

/// Draws what a model found into the picture: each box in the colour of its class, with the name of the class and the score.
///
/// A class without a name is named by its number. What lies outside the picture is cut.
///
/// ```
/// use image::RgbImage;
/// use kindling_base::boxes::Detection;
/// use kindling_plot::draw_boxes;
/// let mut picture = RgbImage::new(64, 48);
/// let found = Detection { corners: [10.0, 20.0, 40.0, 40.0], class: 0, score: 0.9 };
/// draw_boxes(&mut picture, &[found], &["cell".to_owned()]);
/// assert_ne!(picture.get_pixel(10, 30), picture.get_pixel(25, 30)); // an edge, and what is inside
/// ```
pub fn draw_boxes(picture: &mut RgbImage, found: &[Detection], classes: &[String]) {
    let dot = (picture.width().max(picture.height()) / FINE).max(1);
    for found in found {
        let Edges {
            left,
            top,
            right,
            bottom,
        } = Edges::of(picture, found.corners);
        let thick = 2 * dot;
        let paint = color(found.class);
        fill(picture, (left, top), (right - left, thick), paint);
        fill(picture, (left, top), (thick, bottom - top), paint);
        fill(
            picture,
            (left, bottom.saturating_sub(thick)),
            (right - left, thick),
            paint,
        );
        fill(
            picture,
            (right.saturating_sub(thick), top),
            (thick, bottom - top),
            paint,
        );
    }
    // Names come last, so that no edge goes through them.
    for found in found {
        let number = || found.class.to_string();
        let name = classes.get(found.class).cloned().unwrap_or_else(number);
        let label = format!("{name} {:.2}", found.score);
        draw_label(
            picture,
            Edges::of(picture, found.corners),
            &label,
            dot,
            color(found.class),
        );
    }
}

/// A box in whole pixels, inside the picture.
#[derive(Debug, Clone, Copy)]
struct Edges {
    left: u32,
    top: u32,
    right: u32,
    bottom: u32,
}

impl Edges {
    fn of(picture: &RgbImage, corners: [f32; 4]) -> Self {
        // A cast cuts what is negative, and takes 0 for what is no number.
        let [left, top, right, bottom] = corners.map(|edge| edge.round() as u32);
        let (right, bottom) = (right.min(picture.width()), bottom.min(picture.height()));
        Self {
            left: left.min(right),
            top: top.min(bottom),
            right,
            bottom,
        }
    }
}

/// Letters on a ground above the box, or inside it at the picture's upper edge.
fn draw_label(picture: &mut RgbImage, edges: Edges, label: &str, dot: u32, ground: RGBColor) {
    let wide = label.chars().count() as u32 * LETTER * dot + 2 * dot;
    let high = (LETTER + 2) * dot;
    let left = edges.left.min(picture.width().saturating_sub(wide));
    let top = match edges.top >= high {
        true => edges.top - high,
        false => edges.top,
    };
    fill(picture, (left, top), (wide, high), ground);
    let ink = letters_on(ground);
    for (place, letter) in label.chars().enumerate() {
        let rows = font8x8::BASIC_FONTS.get(letter);
        let rows = rows.or_else(|| font8x8::LATIN_FONTS.get(letter));
        for (row, dots) in rows.unwrap_or(UNKNOWN).into_iter().enumerate() {
            for column in (0..LETTER).filter(|column| dots >> column & 1 == 1) {
                let x = left + dot + (place as u32 * LETTER + column) * dot;
                let y = top + dot + row as u32 * dot;
                fill(picture, (x, y), (dot, dot), ink);
            }
        }
    }
}

fn fill(
    picture: &mut RgbImage,
    (left, top): (u32, u32),
    (wide, high): (u32, u32),
    paint: RGBColor,
) {
    let RGBColor(red, green, blue) = paint;
    for y in top..top.saturating_add(high).min(picture.height()) {
        for x in left..left.saturating_add(wide).min(picture.width()) {
            picture.put_pixel(x, y, Rgb([red, green, blue]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(corners: [f32; 4], size: (u32, u32)) -> RgbImage {
        let mut picture = RgbImage::new(size.0, size.1);
        let found = Detection {
            corners,
            class: 1,
            score: 0.5,
        };
        draw_boxes(&mut picture, &[found], &["one".to_owned()]);
        picture
    }

    fn painted(picture: &RgbImage, x: u32, y: u32) -> bool {
        let RGBColor(red, green, blue) = color(1);
        *picture.get_pixel(x, y) == Rgb([red, green, blue])
    }

    #[test]
    fn all_four_edges_are_drawn_and_the_inside_is_left() {
        let picture = drawn([20.0, 40.0, 60.0, 70.0], (100, 100));
        for (x, y) in [(20, 55), (59, 55), (40, 40), (40, 69)] {
            assert!(painted(&picture, x, y), "{x} {y}");
        }
        assert_eq!(picture.get_pixel(40, 55), &Rgb([0, 0, 0]));
        assert_eq!(picture.get_pixel(62, 55), &Rgb([0, 0, 0]));
        // The label's ground is above the box.
        assert!(painted(&picture, 20, 31));
    }

    #[test]
    fn what_lies_outside_or_is_no_number_does_no_harm() {
        for corners in [
            [-50.0, -50.0, 500.0, 500.0],
            [90.0, 90.0, 10.0, 10.0],
            [f32::NAN, 0.0, f32::INFINITY, 5.0],
            [99.5, 99.5, 100.0, 100.0],
        ] {
            drawn(corners, (100, 100));
            drawn(corners, (1, 1));
        }
        // A letter that the font lacks is a frame.
        let mut picture = RgbImage::new(100, 30);
        let found = Detection {
            corners: [0.0, 12.0, 90.0, 28.0],
            class: 0,
            score: 1.0,
        };
        draw_boxes(&mut picture, &[found], &["猫".to_owned()]);
    }
}
