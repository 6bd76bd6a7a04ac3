//! A table of numbers as colours: a confusion matrix, an attention map.

use plotters::style::RGBColor;

use super::{
    axis::Axis,
    canvas::{Align, Canvas, Paint, Type},
    figure::Figure,
    frame::{Frame, Plot, bounds},
    png::Picture,
    style::{INK, TICK_SIZE, diverging, letters_on, sequential},
    text,
};
use crate::{Error, Result};

/// A heat map: row `i` of the table is row `i` of the figure, from the top.
///
/// Colours go from pale (lowest) to deep blue (highest); when there are numbers on both sides of zero, from orange over
/// white at zero to blue. Numbers are written into the cells as long as they fit.
#[derive(Debug, Clone)]
#[must_use]
pub struct Heatmap {
    title: String,
    rows: Vec<Vec<f64>>,
    labels: (Vec<String>, Vec<String>),
    axes: (String, String),
    logarithmic: bool,
}

impl Heatmap {
    /// A heat map of `rows`, with one label for each column (`x_labels`) and each row (`y_labels`).
    pub fn new<X: AsRef<str>, Y: AsRef<str>>(
        title: impl Into<String>,
        rows: &[Vec<f64>],
        x_labels: &[X],
        y_labels: &[Y],
    ) -> Self {
        let x_labels = x_labels
            .iter()
            .map(|label| label.as_ref().to_owned())
            .collect();
        let y_labels = y_labels
            .iter()
            .map(|label| label.as_ref().to_owned())
            .collect();
        Self {
            title: title.into(),
            rows: rows.to_vec(),
            labels: (x_labels, y_labels),
            axes: (String::new(), String::new()),
            logarithmic: false,
        }
    }

    /// Names the axes, such as `"predicted"` and `"true"`.
    pub fn axes(mut self, x: impl Into<String>, y: impl Into<String>) -> Self {
        self.axes = (x.into(), y.into());
        self
    }

    /// Colours by the logarithm of one plus the number, so that small counts are seen beside large ones.
    pub fn log_color(mut self) -> Self {
        self.logarithmic = true;
        self
    }

    /// Draws the figure.
    pub fn draw(&self) -> Result<Figure> {
        let name = format!("heatmap {:?}", self.title);
        self.check(&name)?;
        let (columns, rows) = (self.labels.0.len(), self.labels.1.len());
        let (low, high) = bounds(self.rows.iter().flatten().copied());
        let scale = |value: f64| {
            if self.logarithmic {
                value.abs().ln_1p().copysign(value)
            } else {
                value
            }
        };
        let most = scale(high.abs().max(low.abs()));
        let shade = |value: f64| {
            if low < 0.0 && high > 0.0 {
                return diverging(scale(value) / most);
            }
            let (from, to) = (scale(low), scale(high));
            sequential(if to > from {
                (scale(value) - from) / (to - from)
            } else {
                0.0
            })
        };
        let x = Axis::named(&self.labels.0).thinned(TICK_SIZE, 600.0);
        let y = Axis::named(&self.labels.1).reversed();
        // Cells are as high as their labels need, and a tall table is a tall figure.
        let height = 110.0 + (rows as f64 * 28.0).clamp(295.0, 640.0);
        let mut frame = Frame::new(&self.title, (x, y), (&self.axes.0, &self.axes.1));
        frame.height = height;
        frame.grid = (false, false);
        frame.right = 74.0;
        let mut picture = Ok(());
        let figure = frame.draw(
            |_| Ok(()),
            |canvas, plot| {
                let cell = (
                    (plot.right - plot.left) / columns as f64,
                    (plot.bottom - plot.top) / rows as f64,
                );
                if columns * rows > 400 {
                    picture = self.picture(canvas, plot, &shade);
                } else {
                    self.cells(canvas, plot, cell, &shade);
                }
                bar(canvas, plot, (low, high), &shade);
            },
        )?;
        picture.map_err(|error| Error::Plot(format!("{name}: {error}")))?;
        Ok(figure)
    }

    fn cells(
        &self,
        canvas: &mut Canvas,
        plot: Plot,
        cell: (f64, f64),
        shade: &dyn Fn(f64) -> RGBColor,
    ) {
        let widest = self
            .rows
            .iter()
            .flatten()
            .map(|value| text::width(&text::short(*value), TICK_SIZE))
            .fold(0.0, f64::max);
        let written = widest + 4.0 <= cell.0 && TICK_SIZE + 2.0 <= cell.1;
        for (row, values) in self.rows.iter().enumerate() {
            for (column, &value) in values.iter().enumerate() {
                let corner = (
                    plot.left + cell.0 * column as f64,
                    plot.top + cell.1 * row as f64,
                );
                let ground = shade(value);
                canvas.rectangle(
                    (corner.0 + 0.7, corner.1 + 0.7),
                    (cell.0 - 1.4, cell.1 - 1.4),
                    1.5,
                    Some(Paint::solid(ground)),
                    None,
                );
                if written {
                    let middle = (
                        corner.0 + cell.0 / 2.0,
                        corner.1 + cell.1 / 2.0 + TICK_SIZE * 0.36,
                    );
                    let letters = letters_on(ground);
                    canvas.text(
                        middle,
                        &text::short(value),
                        Type {
                            color: letters,
                            ..Type::new(TICK_SIZE, Align::Middle)
                        },
                    );
                }
            }
        }
    }

    /// Many cells are one picture, of which each cell is a pixel.
    fn picture(
        &self,
        canvas: &mut Canvas,
        plot: Plot,
        shade: &dyn Fn(f64) -> RGBColor,
    ) -> std::io::Result<()> {
        let pixels = self
            .rows
            .iter()
            .flatten()
            .flat_map(|&value| {
                let RGBColor(red, green, blue) = shade(value);
                [red, green, blue]
            })
            .collect();
        let picture = Picture {
            width: self.labels.0.len(),
            height: self.rows.len(),
            channels: 3,
            pixels,
        };
        canvas.picture(
            (plot.left, plot.top),
            (plot.right - plot.left, plot.bottom - plot.top),
            &picture.data_uri()?,
        );
        Ok(())
    }

    fn check(&self, name: &str) -> Result<()> {
        let fail = |problem: String| Err(Error::Plot(format!("{name}: {problem}")));
        let (columns, rows) = (self.labels.0.len(), self.labels.1.len());
        if rows == 0 || columns == 0 {
            return fail("expected at least one row and one column, found none".to_owned());
        }
        if rows > 512 || columns > 512 {
            return fail(format!(
                "expected at most 512 rows and columns, found {rows} and {columns}"
            ));
        }
        if self.rows.len() != rows {
            return fail(format!(
                "expected one label for each of {} rows, found {rows} labels",
                self.rows.len()
            ));
        }
        for (row, values) in self.rows.iter().enumerate() {
            if values.len() != columns {
                return fail(format!(
                    "row {row} has {} numbers, expected one for each of {columns} labels",
                    values.len()
                ));
            }
            if let Some(column) = values.iter().position(|value| !value.is_finite()) {
                return fail(format!(
                    "row {row}, column {column} is {}, expected a finite number",
                    values[column]
                ));
            }
        }
        Ok(())
    }
}

/// The scale to the right: which colour is which number.
fn bar(canvas: &mut Canvas, plot: Plot, (low, high): (f64, f64), shade: &dyn Fn(f64) -> RGBColor) {
    const STRIPES: usize = 32;
    let (left, wide, long) = (plot.right + 14.0, 12.0, plot.bottom - plot.top);
    let stripe = long / STRIPES as f64;
    for index in 0..STRIPES {
        let value = low + (high - low) * (index as f64 + 0.5) / STRIPES as f64;
        let top = plot.bottom - stripe * (index as f64 + 1.0);
        canvas.rectangle(
            (left, top),
            (wide, stripe + 0.3),
            0.0,
            Some(Paint::solid(shade(value))),
            None,
        );
    }
    canvas.rectangle(
        (left, plot.top),
        (wide, long),
        0.0,
        None,
        Some((Paint(INK, 0.4), 1.0)),
    );
    for (value, y) in [(low, plot.bottom), (high, plot.top + 9.0)] {
        canvas.text(
            (left + wide + 5.0, y),
            &text::short(value),
            Type::new(TICK_SIZE, Align::Start),
        );
    }
}
