//! Points: examples in the plane, coloured by class, and lines through them.

use super::{
    figure::Figure,
    frame::{Frame, Key, bounds, dot, line, stroke},
    lines::axis,
    points::Points,
    style::{LINE, color},
};
use crate::{Error, Result};

/// How many points of a series are drawn at most.
const MOST: usize = 3_000;

/// A scatter plot, one colour a series.
///
/// Of a series of more than 3,000 points, every second, third … is drawn, so that the figure stays small.
#[derive(Debug, Clone)]
#[must_use]
pub struct Scatter {
    title: String,
    axes: (String, String),
    series: Vec<(String, Points, bool)>,
}

impl Scatter {
    /// A chart without data.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            axes: (String::new(), String::new()),
            series: Vec::new(),
        }
    }

    /// Names the axes; give units.
    pub fn axes(mut self, x: impl Into<String>, y: impl Into<String>) -> Self {
        self.axes = (x.into(), y.into());
        self
    }

    /// Adds points; see [`Points`] for what they can be made from.
    pub fn series(mut self, name: impl Into<String>, points: impl Into<Points>) -> Self {
        self.series.push((name.into(), points.into(), false));
        self
    }

    /// Adds a line, such as the one that a model fits.
    pub fn line(mut self, name: impl Into<String>, points: impl Into<Points>) -> Self {
        self.series.push((name.into(), points.into(), true));
        self
    }

    /// Draws the figure.
    pub fn draw(&self) -> Result<Figure> {
        let chart_name = format!("scatter {:?}", self.title);
        if self.series.is_empty() {
            return Err(Error::Plot(format!(
                "{chart_name}: no data; add points with .series(name, points)"
            )));
        }
        let mut series = Vec::new();
        for (name, points, is_line) in &self.series {
            series.push((points.checked(&chart_name, name)?, *is_line));
        }
        let all = || series.iter().flat_map(|(points, _)| points);
        let x = axis(
            &chart_name,
            bounds(all().map(|point| point.0)),
            false,
            0.04,
            8,
        )?;
        let y = axis(
            &chart_name,
            bounds(all().map(|point| point.1)),
            false,
            0.06,
            6,
        )?;
        let mut frame = Frame::new(&self.title, (x, y), (&self.axes.0, &self.axes.1));
        if series.len() > 1 {
            let key = |index: usize, is_line: bool| {
                if is_line {
                    Key::Line(color(index))
                } else {
                    Key::Dot(color(index))
                }
            };
            frame.legend = self
                .series
                .iter()
                .enumerate()
                .map(|(index, (name, _, is_line))| (name.clone(), key(index, *is_line)))
                .collect();
        }
        frame.draw(
            |chart| {
                for (index, (points, is_line)) in series.iter().enumerate() {
                    if *is_line {
                        line(chart, points, stroke(color(index), 1.0, LINE))?;
                        continue;
                    }
                    // Where many points overlap, smaller and lighter ones show how many.
                    let (radius, cover) = if points.len() > 400 {
                        (2.0, 0.7)
                    } else {
                        (3.2, 0.85)
                    };
                    for &point in points.iter().step_by(points.len().div_ceil(MOST)) {
                        dot(chart, point, radius, color(index), cover)?;
                    }
                }
                Ok(())
            },
            |_, _| (),
        )
    }
}
