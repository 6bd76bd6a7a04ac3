//! Curves: a loss over epochs, a function over its input.

use super::{
    axis::Axis,
    figure::Figure,
    frame::{Frame, Key, bounds, dot, line, stroke},
    points::{Points, thin_line},
    style::{LINE, color},
};
use crate::{Error, Result};

/// A line chart.
///
/// A series of more than 1,200 points is thinned so that the figure stays small; every peak remains.
///
/// ```
/// use kindling_plot::Lines;
/// let wave: Vec<(f64, f64)> = (0..100).map(|i| f64::from(i) / 10.0).map(|x| (x, x.sin())).collect();
/// let figure = Lines::new("A wave").axes("x", "sin x").series("sine", &wave).draw()?;
/// # Ok::<(), kindling_base::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Lines {
    title: String,
    axes: (String, String),
    series: Vec<(String, Points)>,
    log: (bool, bool),
    y_range: Option<(f64, f64)>,
}

impl Lines {
    /// A chart without data.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            axes: (String::new(), String::new()),
            series: Vec::new(),
            log: (false, false),
            y_range: None,
        }
    }

    /// Names the axes; give units, such as `"time (s)"`.
    pub fn axes(mut self, x: impl Into<String>, y: impl Into<String>) -> Self {
        self.axes = (x.into(), y.into());
        self
    }

    /// Adds a line; see [`Points`] for what it can be made from. With a single line, the name is not shown.
    pub fn series(mut self, name: impl Into<String>, points: impl Into<Points>) -> Self {
        self.series.push((name.into(), points.into()));
        self
    }

    /// Makes equal ratios equally wide on the x axis.
    pub fn log_x(mut self) -> Self {
        self.log.0 = true;
        self
    }

    /// Makes equal ratios equally high on the y axis.
    pub fn log_y(mut self) -> Self {
        self.log.1 = true;
        self
    }

    /// Shows this part of the y axis; lines are cut where they leave it.
    pub fn y_range(mut self, low: f64, high: f64) -> Self {
        self.y_range = Some((low, high));
        self
    }

    /// Draws the figure.
    pub fn draw(&self) -> Result<Figure> {
        let chart_name = format!("lines {:?}", self.title);
        if self.series.is_empty() {
            return Err(Error::Plot(format!(
                "{chart_name}: no data; add a line with .series(name, points)"
            )));
        }
        let mut series = Vec::new();
        for (name, points) in &self.series {
            let points = points.checked(&chart_name, name)?;
            positive(&chart_name, name, &points, self.log)?;
            series.push(points);
        }
        let all = || series.iter().flatten();
        let x = axis(
            &chart_name,
            bounds(all().map(|point| point.0)),
            self.log.0,
            0.0,
            8,
        )?;
        let y = match self.y_range {
            Some((low, high))
                if !(low.is_finite()
                    && high.is_finite()
                    && low < high
                    && (low > 0.0 || !self.log.1)) =>
            {
                return Err(Error::Plot(format!(
                    "{chart_name}: y_range: expected low < high (above 0 on a logarithmic axis), found {low} and {high}"
                )));
            }
            Some(range) => axis(&chart_name, range, self.log.1, 0.0, 6)?,
            None => axis(
                &chart_name,
                bounds(all().map(|point| point.1)),
                self.log.1,
                0.05,
                6,
            )?,
        };
        let mut frame = Frame::new(&self.title, (x, y), (&self.axes.0, &self.axes.1));
        if series.len() > 1 {
            frame.legend = self
                .series
                .iter()
                .enumerate()
                .map(|(index, (name, _))| (name.clone(), Key::Line(color(index))))
                .collect();
        }
        frame.draw(
            |chart| {
                for (index, points) in series.iter().enumerate() {
                    for piece in self.cut(&thin_line(points, 1_200)) {
                        line(chart, &piece, stroke(color(index), 1.0, LINE))?;
                    }
                    // Few points, such as epochs, are worth seeing one by one.
                    if points.len() <= 25 && self.y_range.is_none() {
                        for &point in points {
                            dot(chart, point, 2.8, color(index), 1.0)?;
                        }
                    }
                }
                Ok(())
            },
            |_, _| (),
        )
    }

    /// The pieces of a line within the range of the y axis.
    fn cut(&self, points: &[(f64, f64)]) -> Vec<Vec<(f64, f64)>> {
        let Some((low, high)) = self.y_range else {
            return vec![points.to_vec()];
        };
        // Between two points the line is straight on the figure, so a logarithmic axis is cut in logarithms.
        let to = |y: f64| if self.log.1 { y.ln() } else { y };
        let back = |y: f64| if self.log.1 { y.exp() } else { y };
        cut_at(points, (to(low), to(high)), to)
            .into_iter()
            .map(|piece| piece.into_iter().map(|(x, y)| (x, back(y))).collect())
            .collect()
    }
}

/// Cuts a line to `low..=high`, with `to` applied to each height first.
fn cut_at(
    points: &[(f64, f64)],
    (low, high): (f64, f64),
    to: impl Fn(f64) -> f64,
) -> Vec<Vec<(f64, f64)>> {
    let mut pieces = Vec::new();
    let mut piece: Vec<(f64, f64)> = Vec::new();
    for pair in points.windows(2) {
        let ((x0, y0), (x1, y1)) = ((pair[0].0, to(pair[0].1)), (pair[1].0, to(pair[1].1)));
        let at = |share: f64| {
            (
                x0 + (x1 - x0) * share,
                (y0 + (y1 - y0) * share).clamp(low, high),
            )
        };
        let (mut start, mut end) = (0.0_f64, 1.0_f64);
        if y0 == y1 {
            if !(low..=high).contains(&y0) {
                (start, end) = (1.0, 0.0);
            }
        } else {
            let (a, b) = ((low - y0) / (y1 - y0), (high - y0) / (y1 - y0));
            (start, end) = (start.max(a.min(b)), end.min(a.max(b)));
        }
        if start > end {
            pieces.push(std::mem::take(&mut piece));
            continue;
        }
        if piece.is_empty() || start > 0.0 {
            pieces.push(std::mem::take(&mut piece));
            piece.push(at(start));
        }
        piece.push(at(end));
        if end < 1.0 {
            pieces.push(std::mem::take(&mut piece));
        }
    }
    pieces.push(piece);
    pieces.retain(|piece| piece.len() > 1);
    pieces
}

/// An axis for numbers between these bounds.
pub(super) fn axis(
    chart: &str,
    (low, high): (f64, f64),
    logarithmic: bool,
    margin: f64,
    ticks: usize,
) -> Result<Axis> {
    if logarithmic {
        Ok(Axis::logarithmic(low, high, margin))
    } else {
        Axis::linear(chart, low, high, margin, ticks)
    }
}

/// Refuses what a logarithmic axis cannot show.
pub(super) fn positive(
    chart: &str,
    series: &str,
    points: &[(f64, f64)],
    (log_x, log_y): (bool, bool),
) -> Result<()> {
    let bad = points
        .iter()
        .position(|&(x, y)| log_x && x <= 0.0 || log_y && y <= 0.0);
    match bad {
        None => Ok(()),
        Some(index) => {
            let (x, y) = points[index];
            Err(Error::Plot(format!(
                "{chart}, series {series:?}: point {index} is ({x}, {y}), expected numbers above 0 on a logarithmic axis; leave it out or use a straight axis"
            )))
        }
    }
}
