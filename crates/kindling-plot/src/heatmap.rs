//! A table of numbers as colours: a confusion matrix, an attention map.

use image::ImageResult;
use plotters::style::RGBColor;

use super::{
    axis::Axis,
    canvas::{Align, Canvas, Paint, Type},
    figure::Figure,
    frame::{Frame, Plot, bounds},
    png::Picture,
    style::{BLACK, INK, TICK_SIZE, WHITE, diverging, letters_on, sequential},
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
        let colors = Colors {
            low,
            high,
            logarithmic: self.logarithmic,
        };
        let x = Axis::named(&self.labels.0).thinned(TICK_SIZE, 600.0);
        // Cells are as high as their labels need, and a tall table is a tall figure.
        let height = 110.0 + (rows as f64 * 28.0).clamp(295.0, 640.0);
        let y = Axis::named(&self.labels.1)
            .every(15.0, height - 110.0)
            .reversed();
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
                    picture = self.picture(canvas, plot, &colors);
                } else {
                    self.cells(canvas, plot, cell, &colors);
                }
                colors.bar(canvas, plot);
            },
        )?;
        picture.map_err(|error| Error::Plot(format!("{name}: {error}")))?;
        Ok(figure)
    }

    fn cells(&self, canvas: &mut Canvas, plot: Plot, cell: (f64, f64), colors: &Colors) {
        let all: Vec<f64> = self.rows.iter().flatten().copied().collect();
        let decimals = text::decimals(&all);
        let label = |value: f64| text::number(value, decimals);
        let widest = all
            .iter()
            .map(|value| text::width(&label(*value), TICK_SIZE))
            .fold(0.0, f64::max);
        let written = widest + 4.0 <= cell.0 && TICK_SIZE + 2.0 <= cell.1;
        let mut numbers = Vec::new();
        for (row, values) in self.rows.iter().enumerate() {
            for (column, &value) in values.iter().enumerate() {
                let (x, y) = (
                    plot.left + cell.0 * column as f64,
                    plot.top + cell.1 * row as f64,
                );
                let ground = colors.shade(value);
                let size = (cell.0 - 1.4, cell.1 - 1.4);
                canvas.rectangle(
                    (x + 0.7, y + 0.7),
                    size,
                    0.0,
                    Some(Paint::solid(ground)),
                    None,
                );
                let middle = (x + cell.0 / 2.0, y + cell.1 / 2.0 + TICK_SIZE * 0.36);
                numbers.push((middle, value, letters_on(ground)));
            }
        }
        // One colour of letters after the other, so that each is one group.
        for color in [BLACK, WHITE] {
            let face = Type {
                color,
                ..Type::new(TICK_SIZE, Align::Middle)
            };
            let those = numbers
                .iter()
                .filter(|(_, _, letters)| written && *letters == color);
            those.for_each(|(middle, value, _)| canvas.text(*middle, &label(*value), face));
        }
    }

    /// Many cells are one picture, of which each cell is a pixel.
    fn picture(&self, canvas: &mut Canvas, plot: Plot, colors: &Colors) -> ImageResult<()> {
        let pixels = self
            .rows
            .iter()
            .flatten()
            .flat_map(|&value| {
                let RGBColor(red, green, blue) = colors.shade(value);
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

/// Which number has which colour.
#[derive(Debug)]
struct Colors {
    low: f64,
    high: f64,
    logarithmic: bool,
}

impl Colors {
    /// Where a number stands, evenly spaced for the eye.
    fn place(&self, value: f64) -> f64 {
        if self.logarithmic {
            value.abs().ln_1p().copysign(value)
        } else {
            value
        }
    }

    fn shade(&self, value: f64) -> RGBColor {
        self.shade_at(self.place(value))
    }

    fn shade_at(&self, place: f64) -> RGBColor {
        let (from, to) = (self.place(self.low), self.place(self.high));
        if from < 0.0 && to > 0.0 {
            diverging(place / to.max(-from))
        } else {
            sequential(if to > from {
                (place - from) / (to - from)
            } else {
                0.0
            })
        }
    }

    /// Draws the scale to the right of the table.
    fn bar(&self, canvas: &mut Canvas, plot: Plot) {
        const STRIPES: usize = 40;
        let (left, wide, long) = (plot.right + 14.0, 12.0, plot.bottom - plot.top);
        let (from, to) = (self.place(self.low), self.place(self.high));
        for index in 0..STRIPES {
            let share = (index as f64 + 0.5) / STRIPES as f64;
            let (high, low) = (
                (index + 1) as f64 / STRIPES as f64,
                index as f64 / STRIPES as f64,
            );
            // Each stripe goes on a little below the one under it, so that no gap shows between them.
            let (top, bottom) = (
                plot.bottom - long * high,
                plot.bottom - long * low + if index > 0 { 0.4 } else { 0.0 },
            );
            let color = self.shade_at(from + (to - from) * share);
            canvas.rectangle(
                (left, top),
                (wide, bottom - top),
                0.0,
                Some(Paint::solid(color)),
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
        let mut labels = vec![(plot.bottom, self.low)];
        if to > from {
            let height = |value: f64| plot.bottom - long * (self.place(value) - from) / (to - from);
            labels.push((plot.top + 9.0, self.high));
            let between: Vec<f64> = if self.logarithmic {
                (0..6).map(|power| 10_f64.powi(power)).collect()
            } else {
                vec![0.0]
            };
            for value in between {
                if height(value) < plot.bottom - 16.0 && height(value) > plot.top + 26.0 {
                    labels.push((height(value) + 4.5, value));
                }
            }
        }
        for (baseline, value) in labels {
            canvas.text(
                (left + wide + 5.0, baseline),
                &text::short(value),
                Type::new(TICK_SIZE, Align::Start),
            );
        }
    }
}
