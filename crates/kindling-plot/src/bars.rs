//! Bars: a number for each name.

use plotters::element::Rectangle;

use super::{
    axis::Axis,
    canvas::{Align, Type},
    figure::Figure,
    frame::{Frame, Key, bounds, filling},
    style::{TICK_SIZE, color},
    text,
};
use crate::{Error, Result};

/// A bar chart: one group of bars for each label, one bar in it for each series.
///
/// ```
/// use kindling_plot::Bars;
/// let figure = Bars::new("Examples").axes("digit", "count").bar("0", 5923.0).bar("1", 6742.0).draw()?;
/// # Ok::<(), kindling_base::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Bars {
    title: String,
    axes: (String, String),
    labels: Vec<String>,
    values: Vec<f64>,
    series: Vec<(String, Vec<f64>)>,
}

impl Bars {
    /// A chart without data.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            axes: (String::new(), String::new()),
            labels: Vec::new(),
            values: Vec::new(),
            series: Vec::new(),
        }
    }

    /// Names the axes; give units.
    pub fn axes(mut self, x: impl Into<String>, y: impl Into<String>) -> Self {
        self.axes = (x.into(), y.into());
        self
    }

    /// Adds one bar with its label, for a chart of a single series.
    pub fn bar(mut self, label: impl Into<String>, value: f64) -> Self {
        self.labels.push(label.into());
        self.values.push(value);
        self
    }

    /// Names the groups of bars, for a chart of several series.
    pub fn labels<L: Into<String>>(mut self, labels: impl IntoIterator<Item = L>) -> Self {
        self.labels = labels.into_iter().map(Into::into).collect();
        self
    }

    /// Adds a series: one value for each label.
    pub fn series(mut self, name: impl Into<String>, values: impl AsRef<[f64]>) -> Self {
        self.series.push((name.into(), values.as_ref().to_vec()));
        self
    }

    /// Draws the figure.
    pub fn draw(&self) -> Result<Figure> {
        let chart_name = format!("bars {:?}", self.title);
        let series = self.checked(&chart_name)?;
        let (low, high) = bounds(
            series
                .iter()
                .flat_map(|(_, values)| values)
                .copied()
                .chain([0.0]),
        );
        let head = (high - low) * 0.08; // for the numbers at the ends of the bars
        let (low, high) = (
            if low < 0.0 { low - head } else { 0.0 },
            if high > 0.0 { high + head } else { 0.0 },
        );
        let y = Axis::linear(&chart_name, low, high, 0.0, 6)?;
        let x = Axis::named(&self.labels).thinned(TICK_SIZE, 620.0);
        let mut frame = Frame::new(&self.title, (x, y), (&self.axes.0, &self.axes.1));
        frame.grid.0 = false;
        if series.len() > 1 {
            frame.legend = series
                .iter()
                .enumerate()
                .map(|(index, (name, _))| (name.clone(), Key::Block(color(index))))
                .collect();
        }
        let wide = 0.76 / series.len() as f64;
        let edges = |index: usize, place: usize| {
            let left = place as f64 - 0.38 + index as f64 * wide;
            (left, left + wide * 0.96)
        };
        let count = self.labels.len();
        let all: Vec<f64> = series
            .iter()
            .flat_map(|(_, values)| values)
            .copied()
            .collect();
        let decimals = text::decimals(&all);
        frame.draw(
            |chart| {
                for (index, (_, values)) in series.iter().enumerate() {
                    for (place, &value) in values.iter().enumerate() {
                        let (left, right) = edges(index, place);
                        let corners = [(left, value.max(0.0)), (right, value.min(0.0))];
                        chart.draw_series([Rectangle::new(corners, filling(color(index), 1.0))])?;
                    }
                }
                Ok(())
            },
            |canvas, plot| {
                let (x, y) = (
                    (plot.right - plot.left) / count as f64,
                    (plot.bottom - plot.top) / (high - low),
                );
                for (index, (_, values)) in series.iter().enumerate() {
                    for (place, &value) in values.iter().enumerate() {
                        let label = text::number(value, decimals);
                        let (left, right) = edges(index, place);
                        if text::width(&label, TICK_SIZE) > (right - left) * x + 6.0 {
                            continue; // the axis has to do
                        }
                        let middle = plot.left + ((left + right) / 2.0 + 0.5) * x;
                        let end = plot.bottom - (value - low) * y;
                        let baseline = if value < 0.0 {
                            end + TICK_SIZE + 1.0
                        } else {
                            end - 4.0
                        };
                        canvas.text(
                            (middle, baseline),
                            &label,
                            Type::new(TICK_SIZE, Align::Middle),
                        );
                    }
                }
            },
        )
    }

    fn checked(&self, chart_name: &str) -> Result<Vec<(String, Vec<f64>)>> {
        let fail = |problem: String| Err(Error::Plot(format!("{chart_name}{problem}")));
        let mut series = self.series.clone();
        if !self.values.is_empty() {
            series.insert(0, (self.axes.1.clone(), self.values.clone()));
        }
        if series.is_empty() || self.labels.is_empty() {
            return fail(": no data; add bars with .bar(label, value), or with .labels(names) and .series(name, values)".to_owned());
        }
        for (name, values) in &series {
            if values.len() != self.labels.len() {
                let (found, expected) = (values.len(), self.labels.len());
                return fail(format!(
                    ", series {name:?}: expected one value for each of {expected} labels, found {found} values"
                ));
            }
            if let Some(place) = values.iter().position(|value| !value.is_finite()) {
                return fail(format!(
                    ", series {name:?}: the value for {:?} is {}, expected a finite number",
                    self.labels[place], values[place]
                ));
            }
        }
        Ok(series)
    }
}
