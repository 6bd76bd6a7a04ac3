//! A function of two variables seen from above, like a map, and paths over it: a loss surface and its optimisers.

use std::ops::Range;

use plotters::style::RGBColor;

use super::{
    axis::Axis,
    canvas::{Align, Canvas, Paint, Type},
    figure::Figure,
    frame::{
        Chart, Failure, Frame, Key, Plot, area, bounds, dot, edged_dot, filling, line, stroke,
    },
    marching::{Grid, joined, lines},
    points::Points,
    style::{INK, LINE, TICK_SIZE, WHITE, color},
    text,
};
use crate::{Error, Result};

/// The colour of the surface; each level covers what is below it a little more.
const GROUND: RGBColor = RGBColor(0x4f, 0x74, 0xa3);
/// How much of the ground the highest level covers.
const COVER: f64 = 0.62;
/// Cells of the grid on which the function is evaluated.
const CELLS: (usize, usize) = (180, 120);

/// Level sets of a function of two variables, darker where it is higher, with paths over them.
///
/// A path starts at a ring and ends at a disc; where it leaves the figure it is cut.
///
/// ```
/// use kindling_plot::Contours;
/// let steps = [(1.8, 1.0), (0.9, 0.2), (0.4, 0.0)];
/// let figure = Contours::new("A bowl", -2.0..2.0, -1.0..1.0, |x, y| x * x + 4.0 * y * y)
///     .axes("w₁", "w₂")
///     .path("gradient descent", &steps)
///     .draw()?;
/// # Ok::<(), kindling_base::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Contours {
    title: String,
    ranges: (Range<f64>, Range<f64>),
    axes: (String, String),
    grid: Grid,
    levels: usize,
    logarithmic: bool,
    paths: Vec<(String, Points)>,
    marks: Vec<(String, (f64, f64))>,
}

impl Contours {
    /// Evaluates `function` on a grid over the two ranges; the figure keeps the values and not the function.
    pub fn new(
        title: impl Into<String>,
        x: Range<f64>,
        y: Range<f64>,
        function: impl Fn(f64, f64) -> f64,
    ) -> Self {
        let places = |range: &Range<f64>, cells: usize| -> Vec<f64> {
            (0..=cells)
                .map(|place| range.start + (range.end - range.start) * place as f64 / cells as f64)
                .collect()
        };
        let (columns, rows) = (places(&x, CELLS.0), places(&y, CELLS.1));
        let values = rows
            .iter()
            .map(|&y| columns.iter().map(|&x| function(x, y)).collect())
            .collect();
        let grid = Grid {
            x: columns,
            y: rows,
            values,
        };
        let axes = ("x".to_owned(), "y".to_owned());
        Self {
            title: title.into(),
            ranges: (x, y),
            axes,
            grid,
            levels: 12,
            logarithmic: false,
            paths: Vec::new(),
            marks: Vec::new(),
        }
    }

    /// Names the axes.
    pub fn axes(mut self, x: impl Into<String>, y: impl Into<String>) -> Self {
        self.axes = (x.into(), y.into());
        self
    }

    /// Sets the number of levels, 12 unless told.
    pub fn levels(mut self, count: usize) -> Self {
        self.levels = count;
        self
    }

    /// Puts the levels at equal ratios above the lowest value, so that a flat valley shows its shape.
    pub fn log_levels(mut self) -> Self {
        self.logarithmic = true;
        self
    }

    /// Adds a path, such as the steps of an optimiser.
    pub fn path(mut self, name: impl Into<String>, points: impl Into<Points>) -> Self {
        self.paths.push((name.into(), points.into()));
        self
    }

    /// Marks a point with a cross, such as the minimum.
    pub fn mark(mut self, name: impl Into<String>, point: (f64, f64)) -> Self {
        self.marks.push((name.into(), point));
        self
    }

    /// Draws the figure.
    pub fn draw(&self) -> Result<Figure> {
        let name = format!("contours {:?}", self.title);
        let levels = self.checked_levels(&name)?;
        let mut paths = Vec::new();
        for (path, points) in &self.paths {
            paths.push(points.checked(&name, path)?);
        }
        for (mark, point) in &self.marks {
            Points::from([*point]).checked(&name, mark)?;
        }
        let x = Axis::linear(&name, self.ranges.0.start, self.ranges.0.end, 0.0, 8)?;
        let y = Axis::linear(&name, self.ranges.1.start, self.ranges.1.end, 0.0, 6)?;
        let mut frame = Frame::new(&self.title, (x, y), (&self.axes.0, &self.axes.1));
        frame.grid = (false, false);
        frame.right = 24.0
            + 14.0
            + levels
                .iter()
                .map(|level| text::width(&text::short(*level), TICK_SIZE))
                .fold(0.0, f64::max)
            + 8.0;
        let marks = self
            .marks
            .iter()
            .map(|(name, _)| (name.clone(), Key::Cross));
        frame.legend = self
            .paths
            .iter()
            .enumerate()
            .map(|(index, (name, _))| (name.clone(), Key::Path(color(index + 1))))
            .chain(marks)
            .collect();
        frame.draw(
            |chart| {
                self.surface(chart, &levels)?;
                for (index, points) in paths.iter().enumerate() {
                    // Blue is the ground, so the paths begin with the second colour.
                    self.steps(chart, points, color(index + 1))?;
                }
                // All ends come last, so that no path hides them.
                for (index, points) in paths.iter().enumerate() {
                    self.ends(chart, points, color(index + 1))?;
                }
                Ok(())
            },
            |canvas, plot| {
                for (_, point) in self.marks.iter().filter(|(_, point)| self.holds(*point)) {
                    cross(canvas, self.place(plot, *point), 5.0);
                }
                scale(canvas, plot, &levels);
            },
        )
    }

    /// The levels, lowest first, once the function is known to be drawable.
    fn checked_levels(&self, name: &str) -> Result<Vec<f64>> {
        let fail = |problem: String| Err(Error::Plot(format!("{name}: {problem}")));
        for (axis, range) in [("x", &self.ranges.0), ("y", &self.ranges.1)] {
            if !(range.start.is_finite() && range.end.is_finite() && range.start < range.end) {
                return fail(format!(
                    "the range of {axis} is {range:?}, expected two finite numbers, the lower one first"
                ));
            }
        }
        for (row, y) in self.grid.values.iter().zip(&self.grid.y) {
            if let Some(column) = row.iter().position(|value| !value.is_finite()) {
                return fail(format!(
                    "the function is {} at ({}, {y}), expected a finite number; choose ranges where it is finite",
                    row[column], self.grid.x[column]
                ));
            }
        }
        if !(1..=40).contains(&self.levels) {
            return fail(format!("expected 1 to 40 levels, found {}", self.levels));
        }
        let (low, high) = bounds(self.grid.values.iter().flatten().copied());
        if !(high - low).is_finite() || high - low <= high.abs() * 1e-12 {
            return fail(format!(
                "the function goes from {low} to {high}, expected values that differ (and by a finite number)"
            ));
        }
        let count = self.levels as f64;
        let share = |index: usize| {
            let even = (index as f64 + 1.0) / (count + 1.0);
            if self.logarithmic {
                10_f64.powf(-3.5 * (1.0 - even))
            } else {
                even
            }
        };
        Ok((0..self.levels)
            .map(|index| low + (high - low) * share(index))
            .collect())
    }

    fn surface(&self, chart: &mut Chart, levels: &[f64]) -> std::result::Result<(), Failure> {
        for &level in levels {
            let loops = self.grid.region(level);
            area(chart, &joined(&loops), filling(GROUND, layer(levels.len())))?;
            for border in lines(&loops) {
                line(chart, &border, stroke(GROUND, 0.55, 0.8))?;
            }
        }
        Ok(())
    }

    fn steps(
        &self,
        chart: &mut Chart,
        points: &[(f64, f64)],
        color: RGBColor,
    ) -> std::result::Result<(), Failure> {
        let pieces: Vec<_> = points
            .windows(2)
            .filter_map(|pair| self.clip(pair[0], pair[1]))
            .collect();
        // Pieces that meet are one line; the white edge lies below all of it.
        let mut whole: Vec<Vec<(f64, f64)>> = Vec::new();
        for (from, to) in pieces {
            match whole.last_mut() {
                Some(last) if last.last() == Some(&from) => last.push(to),
                _ => whole.push(vec![from, to]),
            }
        }
        for piece in &whole {
            line(chart, piece, stroke(WHITE, 0.55, LINE + 2.0))?;
        }
        for piece in &whole {
            line(chart, piece, stroke(color, 1.0, LINE))?;
        }
        if points.len() <= 80 {
            for &point in points.iter().filter(|point| self.holds(**point)) {
                dot(chart, point, 2.4, color, 1.0)?;
            }
        }
        Ok(())
    }

    /// Marks where a path starts and ends.
    fn ends(
        &self,
        chart: &mut Chart,
        points: &[(f64, f64)],
        color: RGBColor,
    ) -> std::result::Result<(), Failure> {
        if let Some(&start) = points.first().filter(|point| self.holds(**point)) {
            edged_dot(chart, start, 5.0, color)?;
            dot(chart, start, 2.6, WHITE, 1.0)?;
        }
        if let Some(&end) = points.last().filter(|point| self.holds(**point)) {
            edged_dot(chart, end, 5.0, color)?;
        }
        Ok(())
    }

    fn holds(&self, (x, y): (f64, f64)) -> bool {
        let within = |range: &Range<f64>, value: f64| (range.start..=range.end).contains(&value);
        within(&self.ranges.0, x) && within(&self.ranges.1, y)
    }

    /// The part of a piece of line that lies in the figure (Liang and Barsky, 1984).
    fn clip(&self, from: (f64, f64), to: (f64, f64)) -> Option<((f64, f64), (f64, f64))> {
        // A diverging run may take huge steps, whose differences must stay finite.
        let tame = |(x, y): (f64, f64)| (x.clamp(-1e150, 1e150), y.clamp(-1e150, 1e150));
        let (from, to) = (tame(from), tame(to));
        let (mut start, mut end) = (0.0_f64, 1.0_f64);
        for (range, a, b) in [
            (&self.ranges.0, from.0, to.0),
            (&self.ranges.1, from.1, to.1),
        ] {
            if a == b {
                if !(range.start..=range.end).contains(&a) {
                    return None;
                }
                continue;
            }
            let (low, high) = ((range.start - a) / (b - a), (range.end - a) / (b - a));
            (start, end) = (start.max(low.min(high)), end.min(low.max(high)));
        }
        let at = |share: f64| match share {
            0.0 => from,
            1.0 => to,
            _ => (
                from.0 + (to.0 - from.0) * share,
                from.1 + (to.1 - from.1) * share,
            ),
        };
        (start <= end).then(|| (at(start), at(end)))
    }

    /// A point of the plane in pixels.
    fn place(&self, plot: Plot, (x, y): (f64, f64)) -> (f64, f64) {
        let share =
            |range: &Range<f64>, value: f64| (value - range.start) / (range.end - range.start);
        let across = plot.left + (plot.right - plot.left) * share(&self.ranges.0, x);
        (
            across,
            plot.bottom - (plot.bottom - plot.top) * share(&self.ranges.1, y),
        )
    }
}

/// How much one of `count` layers covers, so that all of them cover [`COVER`].
fn layer(count: usize) -> f64 {
    1.0 - (1.0 - COVER).powf(1.0 / count as f64)
}

/// The scale to the right: which shade is which level.
fn scale(canvas: &mut Canvas, plot: Plot, levels: &[f64]) {
    let (left, wide) = (plot.right + 12.0, 12.0);
    let band = (plot.bottom - plot.top) / (levels.len() + 1) as f64;
    let border = |index: usize| plot.bottom - band * (index + 1) as f64;
    for index in 0..levels.len() {
        let shade = 1.0 - (1.0 - layer(levels.len())).powi(index as i32 + 1);
        canvas.rectangle(
            (left, border(index) - band),
            (wide, band),
            0.0,
            Some(Paint(GROUND, shade)),
            None,
        );
    }
    canvas.rectangle(
        (left, plot.top),
        (wide, plot.bottom - plot.top),
        0.0,
        None,
        Some((Paint(INK, 0.4), 1.0)),
    );
    let every = (16.0 / band).ceil().max(1.0) as usize;
    for index in (0..levels.len()).step_by(every) {
        canvas.text(
            (left + wide + 5.0, border(index) + 4.4),
            &text::short(levels[index]),
            Type::new(TICK_SIZE, Align::Start),
        );
    }
}

/// A cross with a white edge.
pub(super) fn cross(canvas: &mut Canvas, (x, y): (f64, f64), size: f64) {
    for (paint, width) in [
        (Paint(WHITE, 0.9), 5.0),
        (Paint::solid(RGBColor(0x33, 0x33, 0x33)), 2.2),
    ] {
        canvas.line(&[(x - size, y - size), (x + size, y + size)], paint, width);
        canvas.line(&[(x - size, y + size), (x + size, y - size)], paint, width);
    }
}
