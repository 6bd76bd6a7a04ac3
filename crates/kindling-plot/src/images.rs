//! Pictures: examples of a data set, the weights of a filter.

use candle_core::Tensor;

use super::{
    figure::Figure,
    frame::bounds,
    picture_grid::{Grid, Shown, failed},
    pixels::Pixels,
};
use crate::Result;

/// Many small pictures.
const GRID: Grid = Grid {
    most_columns: 64,
    usual_columns: 8,
    most: 400,
    widest: 112.0,
};

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
        if let Some(problem) = &self.problem {
            return Err(failed(&self.title, problem));
        }
        let range = match self.range {
            Some((black, white)) if black.is_finite() && white.is_finite() && black < white => {
                (black, white)
            }
            Some((black, white)) => {
                let problem = format!("range: expected black < white, found {black} and {white}");
                return Err(failed(&self.title, problem));
            }
            None => self.found_range(),
        };
        let pictures = self.pictures.iter();
        let pictures = pictures.map(|(pixels, caption)| Shown { pixels, caption });
        let pictures: Vec<Shown> = pictures.collect();
        GRID.draw(&self.title, self.columns, &pictures, range, |_, _, _| {})
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
