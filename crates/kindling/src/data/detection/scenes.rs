//! A generator of scenes: shapes and digits on a cluttered ground, each with its exact box.
//!
//! What is left out: light and shade, perspective, things that hide most of each other. A box is the smallest rectangle around all pixels that
//! its thing covers at least half.

use std::ops::RangeInclusive;

use rayon::prelude::*;

use super::{
    DetectionSet,
    sprites::{self, Sprite, Thing},
};
use crate::{
    Error, Result,
    boxes::{Object, area, intersection},
    data::{
        Random,
        shapes::{colour, difference},
    },
};

/// How often a place is looked for before a scene does with fewer objects.
const TRIES: usize = 30;

/// Two things share at most this part of the smaller one's box.
const SHARED: f32 = 0.15;

/// What lies in a scene.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SceneObjects {
    /// Disc, square, triangle, cross and star.
    #[default]
    Shapes,
    /// The digits 0 to 9.
    Digits,
    /// Both, shapes first.
    Both,
}

/// Draws pictures with exact boxes from a seed; by default 128 × 128 pixels with 1 to 6 shapes of 12 to 48 pixels.
///
/// ```
/// use kindling::data::detection::{SceneObjects, Scenes};
/// let scenes = Scenes::default().size(96, 96).objects(SceneObjects::Digits).draw(4, 0)?;
/// assert_eq!(format!("{scenes:?}").contains("4 pictures of 96 × 96"), true);
/// assert_eq!(scenes.classes().len(), 10);
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Scenes {
    size: (usize, usize),
    objects: SceneObjects,
    count: RangeInclusive<usize>,
    sizes: RangeInclusive<f64>,
    clutter: bool,
}

impl Default for Scenes {
    fn default() -> Self {
        Self {
            size: (128, 128),
            objects: SceneObjects::default(),
            count: 1..=6,
            sizes: 12.0..=48.0,
            clutter: true,
        }
    }
}

impl Scenes {
    /// Height and width of the pictures.
    #[must_use]
    pub fn size(self, height: usize, width: usize) -> Self {
        Self {
            size: (height, width),
            ..self
        }
    }

    /// What lies in them.
    #[must_use]
    pub fn objects(self, objects: SceneObjects) -> Self {
        Self { objects, ..self }
    }

    /// How many objects a picture has; fewer where no more find a place.
    #[must_use]
    pub fn count(self, count: RangeInclusive<usize>) -> Self {
        Self { count, ..self }
    }

    /// How large objects are, in pixels.
    #[must_use]
    pub fn sizes(self, sizes: RangeInclusive<f64>) -> Self {
        Self { sizes, ..self }
    }

    /// Whether lines, spots and noise lie behind the objects.
    #[must_use]
    pub fn clutter(self, clutter: bool) -> Self {
        Self { clutter, ..self }
    }

    /// Draws `count` scenes. Each depends on the seed and its own number alone.
    pub fn draw(&self, count: usize, seed: u64) -> Result<DetectionSet> {
        self.check()?;
        let things = match self.objects {
            SceneObjects::Shapes => sprites::shapes(),
            SceneObjects::Digits => sprites::digits(),
            SceneObjects::Both => [sprites::shapes(), sprites::digits()].concat(),
        };
        let scenes: Vec<(Vec<u8>, Vec<Object>)> = (0..count)
            .into_par_iter()
            .map(|number| self.scene(&things, &mut Random::for_step(seed, 0, number as u64)))
            .collect();
        let (pixels, objects): (Vec<Vec<u8>>, Vec<Vec<Object>>) = scenes.into_iter().unzip();
        let classes = things.into_iter().map(|(name, _)| name).collect();
        DetectionSet::new(pixels.concat(), self.size, objects, classes)
    }

    fn check(&self) -> Result<()> {
        let (smallest, largest) = (*self.sizes.start(), *self.sizes.end());
        let room = self.size.0.min(self.size.1) as f64 / 1.5; // things are turned
        let problem = if !(smallest >= 6.0 && smallest <= largest && largest <= room) {
            format!(
                "sizes: expected 6 or more pixels, and at most two thirds of the picture's {} × {}, found {smallest} to {largest}",
                self.size.0, self.size.1
            )
        } else if self.count.is_empty() {
            format!(
                "count: expected a range such as 1..=6, found {:?}",
                self.count
            )
        } else {
            return Ok(());
        };
        Err(Error::Argument(problem))
    }

    fn scene(&self, things: &[(String, Thing)], random: &mut Random) -> (Vec<u8>, Vec<Object>) {
        let paper = colour(random);
        let mut canvas = Canvas::new(self.size, paper, random);
        if self.clutter {
            canvas.clutter(random);
        }
        let mut objects: Vec<Object> = Vec::new();
        let wanted = self.count.start() + random.below(self.count.end() - self.count.start() + 1);
        for _ in 0..wanted {
            let class = random.below(things.len());
            if let Some((object, sprite, corner)) =
                self.placed(things[class].1, class, &objects, random)
            {
                let mut ink = colour(random);
                while difference(ink, paper) < 110.0 {
                    ink = colour(random);
                }
                canvas.stamp(&sprite, corner, ink);
                objects.push(object);
            }
        }
        (canvas.finish(self.clutter, random), objects)
    }

    /// A thing at a free place; nothing when none is found.
    fn placed(
        &self,
        thing: Thing,
        class: usize,
        others: &[Object],
        random: &mut Random,
    ) -> Option<(Object, Sprite, (usize, usize))> {
        let (smallest, largest) = (*self.sizes.start(), *self.sizes.end());
        (0..TRIES).find_map(|_| {
            // By logarithm: as many small things as large ones.
            let size = smallest * (largest / smallest).powf(random.next_f64());
            let sprite = thing.draw(size, random)?;
            let (down, right) = (
                self.size.0.checked_sub(sprite.height)?,
                self.size.1.checked_sub(sprite.width)?,
            );
            let (row, column) = (random.below(down + 1), random.below(right + 1));
            let edges = [column, row, column + sprite.width, row + sprite.height];
            let corners = edges.map(|edge| edge as f32);
            let free = others.iter().all(|other| {
                let smaller = area(corners).min(area(other.corners));
                intersection(corners, other.corners) <= SHARED * smaller
            });
            free.then(|| (Object::new(corners, class), sprite, (row, column)))
        })
    }
}

/// A picture that is being painted.
struct Canvas {
    height: usize,
    width: usize,
    pixels: Vec<[f64; 3]>,
}

impl Canvas {
    /// Paper whose colour changes a little from one side to the other.
    fn new((height, width): (usize, usize), paper: [f64; 3], random: &mut Random) -> Self {
        let mut slope = || [0; 3].map(|_| 30.0 * (random.next_f64() - 0.5));
        let (across, down) = (slope(), slope());
        let pixel = |place: usize| {
            let x = (place % width) as f64 / width as f64 - 0.5;
            let y = (place / width) as f64 / height as f64 - 0.5;
            let mut pixel = paper;
            for (colour, (across, down)) in pixel.iter_mut().zip(across.iter().zip(down)) {
                *colour += across * x + down * y;
            }
            pixel
        };
        Self {
            height,
            width,
            pixels: (0..height * width).map(pixel).collect(),
        }
    }

    /// Thin lines and small spots, none of them a thing.
    fn clutter(&mut self, random: &mut Random) {
        for _ in 0..4 + random.below(5) {
            let mut point = || {
                (
                    self.width as f64 * random.next_f64(),
                    self.height as f64 * random.next_f64(),
                )
            };
            let (from, to) = (point(), point());
            let ink = colour(random);
            self.spot(from, to, 0.8, ink);
        }
        for _ in 0..6 + random.below(10) {
            let x = self.width as f64 * random.next_f64();
            let y = self.height as f64 * random.next_f64();
            let (radius, ink) = (0.8 + 1.4 * random.next_f64(), colour(random));
            self.spot((x, y), (x, y), radius, ink);
        }
    }

    /// All that is near a line, half covered.
    fn spot(&mut self, from: (f64, f64), to: (f64, f64), radius: f64, ink: [f64; 3]) {
        let (along_x, along_y) = (to.0 - from.0, to.1 - from.1);
        let length = (along_x * along_x + along_y * along_y).max(1e-9);
        for row in 0..self.height {
            for column in 0..self.width {
                let (x, y) = (column as f64 + 0.5 - from.0, row as f64 + 0.5 - from.1);
                let part = ((x * along_x + y * along_y) / length).clamp(0.0, 1.0);
                let distance = (x - part * along_x).hypot(y - part * along_y);
                let cover = (radius + 0.5 - distance).clamp(0.0, 1.0);
                if cover > 0.0 {
                    self.mix(row, column, ink, 0.5 * cover);
                }
            }
        }
    }

    fn stamp(&mut self, sprite: &Sprite, (row, column): (usize, usize), ink: [f64; 3]) {
        for (place, &cover) in sprite.cover.iter().enumerate() {
            let (down, right) = (place / sprite.width, place % sprite.width);
            self.mix(row + down, column + right, ink, f64::from(cover));
        }
    }

    fn mix(&mut self, row: usize, column: usize, ink: [f64; 3], cover: f64) {
        for (colour, ink) in self.pixels[row * self.width + column].iter_mut().zip(ink) {
            *colour += cover * (ink - *colour);
        }
    }

    fn finish(self, noise: bool, random: &mut Random) -> Vec<u8> {
        let strength = if noise { 8.0 } else { 0.0 };
        let colours = self.pixels.into_iter().flatten();
        // Numbers beyond 0 and 255 become these.
        let byte = |colour: f64| (colour + strength * random.next_normal()).round() as u8;
        colours.map(byte).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Scenes {
        Scenes::default().objects(SceneObjects::Both)
    }

    #[test]
    fn a_scene_depends_on_the_seed_and_its_number_alone() {
        let (few, many) = (all().draw(3, 5).unwrap(), all().draw(6, 5).unwrap());
        for picture in 0..3 {
            assert_eq!(few.picture(picture), many.picture(picture));
            assert_eq!(few.objects(picture), many.objects(picture));
        }
        assert_ne!(few.picture(0), all().draw(1, 6).unwrap().picture(0));
        assert_ne!(many.picture(0), many.picture(1));
    }

    /// On plain paper nothing outside a box differs from it; that the thing reaches all edges is tested where it is drawn.
    #[test]
    fn boxes_are_exact() {
        let one = all().clutter(false).count(1..=1);
        let set = one.size(64, 80).sizes(10.0..=40.0).draw(60, 2).unwrap();
        for picture in 0..set.len() {
            let [object] = set.objects(picture) else {
                panic!("one object, found {:?}", set.objects(picture));
            };
            let [x1, y1, x2, y2] = object.corners.map(|edge| edge as usize);
            let pixels = set.picture(picture);
            let at = |row: usize, column: usize| &pixels[(row * 80 + column) * 3..][..3];
            let differs = |row: usize, column: usize| {
                // Paper changes by at most 30 over the picture, ink by 110 or more.
                let paper = at(if y1 > 32 { 0 } else { 63 }, if x1 > 40 { 0 } else { 79 });
                let squares = at(row, column).iter().zip(paper);
                let squares = squares.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
                squares.sum::<f64>().sqrt() > 53.0
            };
            for (row, column) in (0..64).flat_map(|row| (0..80).map(move |column| (row, column))) {
                let inside = (y1..y2).contains(&row) && (x1..x2).contains(&column);
                assert!(inside || !differs(row, column), "picture {picture}");
            }
            let seen = (y1..y2).flat_map(|row| (x1..x2).map(move |column| (row, column)));
            assert!(seen.filter(|&(row, column)| differs(row, column)).count() > 9);
        }
    }

    #[test]
    fn every_class_occurs_and_things_hardly_overlap() {
        let set = all().draw(100, 1).unwrap();
        assert!(
            set.counts().iter().all(|&count| count > 5),
            "{:?}",
            set.counts()
        );
        for picture in 0..set.len() {
            let objects = set.objects(picture);
            assert!((1..=6).contains(&objects.len()));
            for (number, one) in objects.iter().enumerate() {
                for other in &objects[..number] {
                    let smaller = area(one.corners).min(area(other.corners));
                    assert!(intersection(one.corners, other.corners) <= SHARED * smaller);
                }
            }
        }
    }

    #[test]
    fn impossible_scenes_are_refused() {
        for scenes in [
            Scenes::default().size(20, 200),
            Scenes::default().sizes(3.0..=9.0),
            Scenes::default().sizes(f64::NAN..=9.0),
            Scenes::default().sizes(20.0..=10.0),
            #[allow(clippy::reversed_empty_ranges)]
            Scenes::default().count(3..=1),
        ] {
            assert!(scenes.draw(1, 0).is_err(), "{scenes:?}");
        }
        assert!(Scenes::default().draw(0, 0).unwrap().is_empty());
    }
}
