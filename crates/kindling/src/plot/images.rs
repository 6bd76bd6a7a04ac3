//! Pictures: examples of a data set, the weights of a filter.

use candle_core::Tensor;

use super::{
    canvas::{Align, Canvas, Paint, Type},
    figure::Figure,
    frame::bounds,
    png::Picture,
    points::values,
    style::{INK, TICK_SIZE, TITLE_SIZE, WIDTH},
    text,
};
use crate::{Error, Result};

/// A grid of pictures, each with a label below it.
///
/// A picture is a tensor `(height, width)` in grey or `(height, width, 3)` in red, green and blue; channels may also come
/// first, `(3, height, width)`. Zero is black and one
/// is white; when any number of the figure lies outside, the lowest is black and the highest is white.
#[derive(Debug, Clone)]
#[must_use]
pub struct Images {
    title: String,
    columns: Option<usize>,
    range: Option<(f64, f64)>,
    pictures: Vec<(Pixels, String)>,
    problem: Option<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Pixels {
    channels: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    /// Row by row; the channels of a pixel side by side.
    values: Vec<f64>,
}

impl Images {
    /// A grid without pictures.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            columns: None,
            range: None,
            pictures: Vec::new(),
            problem: None,
        }
    }

    /// Sets how many pictures are side by side.
    pub fn columns(mut self, columns: usize) -> Self {
        self.columns = Some(columns);
        self
    }

    /// Sets which numbers are black and white.
    pub fn range(mut self, black: f64, white: f64) -> Self {
        self.range = Some((black, white));
        self
    }

    /// Adds a picture `(height, width)` or `(height, width, 3)`. A line break in the label starts a second line.
    pub fn image(mut self, pixels: &Tensor, label: impl Into<String>) -> Self {
        let index = self.pictures.len();
        match Pixels::new(pixels) {
            Ok(pixels) => self.pictures.push((pixels, label.into())),
            Err(problem) => self.fail(format!("picture {index}: {problem}")),
        }
        self
    }

    /// Adds all pictures of a batch `(pictures, height, width)` or `(pictures, height, width, 3)`, with one label each.
    pub fn tensor<L: AsRef<str>>(mut self, batch: &Tensor, labels: impl AsRef<[L]>) -> Self {
        let labels = labels.as_ref();
        match batch.dims() {
            [count, _, _] | [count, _, _, _] if *count == labels.len() => {
                for (index, label) in labels.iter().enumerate() {
                    match batch.get(index) {
                        Ok(pixels) => self = self.image(&pixels, label.as_ref()),
                        Err(error) => self.fail(format!("picture {index}: {error}")),
                    }
                }
            }
            dims @ ([_, _, _] | [_, _, _, _]) => {
                self.fail(format!("expected one label for each of {} pictures, found {} labels", dims[0], labels.len()));
            }
            dims => self.fail(format!("expected a batch (pictures, height, width) or (pictures, height, width, 3), found shape {dims:?}")),
        }
        self
    }

    /// Draws the figure.
    pub fn draw(&self) -> Result<Figure> {
        let fail =
            |problem: String| Err(Error::Plot(format!("images {:?}: {problem}", self.title)));
        if let Some(problem) = &self.problem {
            return fail(problem.clone());
        }
        let count = self.pictures.len();
        if count == 0 {
            return fail("no data; add pictures with .image(&tensor, label)".to_owned());
        }
        let columns = self.columns.unwrap_or_else(|| count.min(8));
        if !(1..=64).contains(&columns) || count > 400 {
            return fail(format!(
                "expected 1 to 64 columns and at most 400 pictures, found {columns} columns and {count} pictures"
            ));
        }
        let (black, white) = match self.range {
            Some((black, white)) if black.is_finite() && white.is_finite() && black < white => {
                (black, white)
            }
            Some((black, white)) => {
                return fail(format!(
                    "range: expected black < white, found {black} and {white}"
                ));
            }
            None => self.found_range(),
        };
        let gap = if columns > 16 { 4.0 } else { 10.0 };
        let size = ((WIDTH - gap * (columns as f64 + 1.0)) / columns as f64).min(112.0);
        let lines = self
            .pictures
            .iter()
            .map(|(_, label)| label.lines().count())
            .max()
            .unwrap_or(0);
        let tallest = self
            .pictures
            .iter()
            .map(|(pixels, _)| size * pixels.height as f64 / pixels.width as f64)
            .fold(0.0, f64::max);
        let step = (size + gap, tallest + 17.0 * lines as f64 + gap);
        let top = if self.title.is_empty() { gap } else { 40.0 };
        let rows = count.div_ceil(columns);
        let used = step.0 * columns.min(count) as f64 - gap;
        let left = ((WIDTH - used) / 2.0).max(0.0);
        let mut canvas = Canvas::new(WIDTH, top + step.1 * rows as f64);
        canvas.text(
            (left, 24.0),
            &self.title,
            Type {
                bold: true,
                ..Type::new(TITLE_SIZE, Align::Start)
            },
        );
        for (index, (pixels, label)) in self.pictures.iter().enumerate() {
            let corner = (
                left + step.0 * (index % columns) as f64,
                top + step.1 * (index / columns) as f64,
            );
            let high = size * pixels.height as f64 / pixels.width as f64;
            let picture = pixels.picture(black, white).data_uri();
            let picture = picture
                .map_err(|error| Error::Plot(format!("images {:?}: {error}", self.title)))?;
            canvas.picture(corner, (size, high), &picture);
            canvas.rectangle(
                corner,
                (size, high),
                0.0,
                None,
                Some((Paint(INK, 0.5), 1.0)),
            );
            for (line, words) in label.lines().enumerate() {
                let words = shortened(words, size + gap - 2.0);
                let below = corner.1 + high + 15.0 + 16.0 * line as f64;
                canvas.text(
                    (corner.0 + size / 2.0, below),
                    &words,
                    Type::new(TICK_SIZE, Align::Middle),
                );
            }
        }
        Ok(canvas.finish(&self.title))
    }

    fn fail(&mut self, problem: String) {
        self.problem.get_or_insert(problem);
    }

    fn found_range(&self) -> (f64, f64) {
        let (low, high) = bounds(
            self.pictures
                .iter()
                .flat_map(|(pixels, _)| &pixels.values)
                .copied(),
        );
        match (low, high) {
            _ if low >= 0.0 && high <= 1.0 => (0.0, 1.0),
            _ if low < high => (low, high),
            _ => (low - 0.5, high + 0.5),
        }
    }
}

impl Pixels {
    pub(super) fn new(tensor: &Tensor) -> std::result::Result<Self, String> {
        let (channels, height, width, channels_last) = match *tensor.dims() {
            [height, width] => (1, height, width, true),
            [height, width, channels @ (1 | 3)] => (channels, height, width, true),
            [channels @ (1 | 3), height, width] => (channels, height, width, false),
            ref dims => {
                return Err(format!(
                    "expected a tensor (height, width) or (height, width, 3), found shape {dims:?}"
                ));
            }
        };
        if height == 0 || width == 0 || height > 1_024 || width > 1_024 {
            return Err(format!(
                "expected 1 to 1024 pixels each way, found {height} × {width}"
            ));
        }
        let mut numbers = values(tensor)?;
        let size = height * width;
        if !channels_last {
            let pixels = (0..size).flat_map(|pixel| (0..channels).map(move |c| c * size + pixel));
            numbers = pixels.map(|place| numbers[place]).collect();
        }
        if let Some(place) = numbers.iter().position(|value| !value.is_finite()) {
            let pixel = place / channels;
            return Err(format!(
                "the pixel in row {}, column {} is {}, expected a finite number",
                pixel / width,
                pixel % width,
                numbers[place]
            ));
        }
        Ok(Self {
            channels,
            height,
            width,
            values: numbers,
        })
    }

    pub(super) fn picture(&self, black: f64, white: f64) -> Picture {
        let shade = |value: &f64| {
            ((value - black) / (white - black) * 255.0)
                .round()
                .clamp(0.0, 255.0) as u8
        };
        Picture {
            width: self.width,
            height: self.height,
            channels: self.channels,
            pixels: self.values.iter().map(shade).collect(),
        }
    }
}

/// The text, cut with an ellipsis where it is wider than `room`.
pub(super) fn shortened(words: &str, room: f64) -> String {
    if text::width(words, TICK_SIZE) <= room {
        return words.to_owned();
    }
    let mut kept = String::new();
    for character in words.chars() {
        if text::width(&kept, TICK_SIZE) + TICK_SIZE * 2.0 > room {
            break;
        }
        kept.push(character);
    }
    kept + "…"
}
