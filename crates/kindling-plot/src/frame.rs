//! What charts with axes share: the title, the legend above the data, the grid and the names of the axes.

use plotters::{
    chart::{ChartBuilder, ChartContext},
    coord::cartesian::Cartesian2d,
    drawing::IntoDrawingArea,
    element::{PathElement, Polygon},
    style::{Color, FontTransform, IntoFont, RGBColor, ShapeStyle, TextStyle},
};

use super::{
    axis::Axis,
    backend::Backend,
    canvas::{Align, Canvas, Paint, Type},
    figure::Figure,
    path::STEPS,
    style::{GRID, HEIGHT, INK, LABEL_SIZE, TICK_SIZE, TITLE_SIZE, WHITE, WIDTH},
    text,
};
use crate::{Error, Result};

/// The part of a chart in which data is drawn.
pub(super) type Chart<'a, 'b> = ChartContext<'a, Backend<'b>, Cartesian2d<Axis, Axis>>;

/// How the legend shows a series.
#[derive(Debug, Clone, Copy)]
pub(super) enum Key {
    Line(RGBColor),
    Dot(RGBColor),
    Block(RGBColor),
    Path(RGBColor),
    Cross,
}

/// A title, two axes and a legend; data is drawn into it.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    pub(super) title: &'a str,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) x_label: &'a str,
    pub(super) y_label: &'a str,
    pub(super) legend: Vec<(String, Key)>,
    pub(super) height: f64,
    /// Room to the right of the data.
    pub(super) right: f64,
    pub(super) grid: (bool, bool),
}

/// The rectangle of the data, in pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plot {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
}

impl<'a> Frame<'a> {
    pub(super) fn new(
        title: &'a str,
        (x, y): (Axis, Axis),
        (x_label, y_label): (&'a str, &'a str),
    ) -> Self {
        Self {
            title,
            x,
            y,
            x_label,
            y_label,
            legend: Vec::new(),
            height: HEIGHT,
            right: 18.0,
            grid: (true, true),
        }
    }

    /// Draws the frame, then what `data` adds to it, then what `over` writes on top, in pixels.
    pub(super) fn draw(
        self,
        data: impl FnOnce(&mut Chart) -> std::result::Result<(), Failure>,
        over: impl FnOnce(&mut Canvas, Plot),
    ) -> Result<Figure> {
        let title = self.title.to_owned();
        let failed = |error: &dyn std::fmt::Display| Error::Plot(format!("{title:?}: {error}"));
        let mut canvas = Canvas::new(WIDTH, self.height);
        let plot = self.head(&mut canvas);
        {
            let root = Backend(&mut canvas).into_drawing_area();
            let steps = |pixels: f64| (pixels * STEPS).round() as i32;
            let mut chart = ChartBuilder::on(&root)
                .margin_left(steps(4.0))
                .margin_top(steps(plot.top))
                .margin_right(steps(self.right))
                .margin_bottom(steps(4.0))
                .x_label_area_size(steps(self.height - 4.0 - plot.bottom))
                .y_label_area_size(steps(plot.left - 4.0))
                .build_cartesian_2d(self.x.clone(), self.y.clone())
                .map_err(|error| failed(&error))?;
            let label = face(LABEL_SIZE);
            let mut mesh = chart.configure_mesh();
            mesh.axis_style(stroke(INK, 0.6, 1.0))
                .bold_line_style(stroke(INK, GRID, 1.0))
                .light_line_style(stroke(INK, 0.0, 1.0))
                .label_style(face(TICK_SIZE))
                .axis_desc_style(label)
                .x_desc(self.x_label)
                .y_desc(self.y_label)
                .set_all_tick_mark_size(steps(4.0));
            if !self.grid.0 {
                mesh.disable_x_mesh();
            }
            if !self.grid.1 {
                mesh.disable_y_mesh();
            }
            mesh.draw().map_err(|error| failed(&error))?;
            data(&mut chart).map_err(|error| failed(&error))?;
            root.present().map_err(|error| failed(&error))?;
        }
        over(&mut canvas, plot);
        Ok(canvas.finish(&title))
    }

    /// Writes title and legend; returns the room left for the data.
    fn head(&self, canvas: &mut Canvas) -> Plot {
        let name = if self.y_label.is_empty() {
            0.0
        } else {
            LABEL_SIZE + 10.0
        };
        let left = (self.y.label_width(TICK_SIZE) + 14.0 + name).max(24.0);
        let title = Type {
            bold: true,
            ..Type::new(TITLE_SIZE, Align::Start)
        };
        canvas.text((left, 22.0), self.title, title);
        let mut top = if self.title.is_empty() { 10.0 } else { 36.0 };
        if !self.legend.is_empty() {
            top = legend(canvas, &self.legend, (left, top), WIDTH - self.right) + 12.0;
        }
        let below = TICK_SIZE
            + 14.0
            + if self.x_label.is_empty() {
                4.0
            } else {
                LABEL_SIZE + 8.0
            };
        Plot {
            left,
            top,
            right: WIDTH - self.right,
            bottom: self.height - 4.0 - below,
        }
    }
}

/// What plotters answers when it cannot draw.
pub(super) type Failure = plotters::drawing::DrawingAreaErrorKind<std::convert::Infallible>;

/// Writes the legend in rows from `(left, top)`; returns where it ends.
fn legend(
    canvas: &mut Canvas,
    entries: &[(String, Key)],
    (left, top): (f64, f64),
    right: f64,
) -> f64 {
    const KEY: f64 = 24.0;
    let (mut x, mut y) = (left, top + 10.0);
    for (name, key) in entries {
        let wide = KEY + 7.0 + text::width(name, LABEL_SIZE);
        if x > left && x + wide > right {
            (x, y) = (left, y + 20.0);
        }
        let middle = y - 4.5;
        match *key {
            Key::Line(color) => {
                canvas.line(&[(x, middle), (x + KEY, middle)], Paint::solid(color), 2.5)
            }
            Key::Dot(color) => canvas.dot((x + KEY / 2.0, middle), 4.0, Paint::solid(color)),
            Key::Block(color) => canvas.rectangle(
                (x + 8.0, middle - 6.0),
                (12.0, 12.0),
                2.0,
                Some(Paint::solid(color)),
                None,
            ),
            Key::Cross => super::contours::cross(canvas, (x + KEY / 2.0, middle), 4.0),
            Key::Path(color) => {
                canvas.line(
                    &[(x, middle), (x + KEY - 5.0, middle)],
                    Paint::solid(color),
                    2.5,
                );
                canvas.dot((x + KEY - 4.0, middle), 4.0, Paint::solid(color));
            }
        }
        canvas.text(
            (x + KEY + 7.0, y),
            name,
            Type::new(LABEL_SIZE, Align::Start),
        );
        x += wide + 20.0;
    }
    y
}

/// A line of this colour, cover and width in pixels, as plotters wants it.
pub(super) fn stroke(color: RGBColor, cover: f64, width: f64) -> ShapeStyle {
    ShapeStyle {
        color: color.mix(cover),
        filled: false,
        stroke_width: (width * STEPS).round() as u32,
    }
}

/// A filling of this colour and cover.
pub(super) fn filling(color: RGBColor, cover: f64) -> ShapeStyle {
    ShapeStyle {
        color: color.mix(cover),
        filled: true,
        stroke_width: 0,
    }
}

/// Text of this size in the colour of the ink.
fn face(size: f64) -> TextStyle<'static> {
    ("sans-serif", size * STEPS)
        .into_font()
        .transform(FontTransform::None)
        .color(&INK)
}

/// Draws a line through the points.
pub(super) fn line(
    chart: &mut Chart,
    points: &[(f64, f64)],
    style: ShapeStyle,
) -> std::result::Result<(), Failure> {
    chart
        .draw_series([PathElement::new(points.to_vec(), style)])
        .map(drop)
}

/// Draws a filled shape.
pub(super) fn area(
    chart: &mut Chart,
    points: &[(f64, f64)],
    style: ShapeStyle,
) -> std::result::Result<(), Failure> {
    chart
        .draw_series([Polygon::new(points.to_vec(), style)])
        .map(drop)
}

/// Draws a disc with a thin white edge, so that it can be told from what lies below.
pub(super) fn edged_dot(
    chart: &mut Chart,
    point: (f64, f64),
    radius: f64,
    color: RGBColor,
) -> std::result::Result<(), Failure> {
    dot(chart, point, radius + 1.2, WHITE, 1.0)?;
    dot(chart, point, radius, color, 1.0)
}

/// Draws a disc.
pub(super) fn dot(
    chart: &mut Chart,
    point: (f64, f64),
    radius: f64,
    color: RGBColor,
    cover: f64,
) -> std::result::Result<(), Failure> {
    let radius = (radius * STEPS).round() as u32;
    chart
        .draw_series([plotters::element::Circle::new(
            point,
            radius,
            filling(color, cover),
        )])
        .map(drop)
}

/// The lowest and the highest of some numbers.
pub(super) fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    })
}
