//! The paper: collects shapes in pixels and writes them as a small SVG.
//!
//! Also the drawing backend of plotters, which counts in whole steps; a step is a tenth of a pixel here, so that curves
//! are smooth and a coordinate needs one decimal.

use std::{convert::Infallible, fmt::Write as _};

use plotters::style::RGBColor;
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
    FontStyle, FontTransform,
    text_anchor::{HPos, VPos},
};

use super::{
    figure::Figure,
    style::{INK, WIDTH},
    text,
};

/// Steps in a pixel.
pub(super) const STEPS: f64 = 10.0;

/// A colour and how much it covers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Paint(pub(super) RGBColor, pub(super) f64);

impl Paint {
    /// A colour that covers everything.
    pub(super) fn solid(color: RGBColor) -> Self {
        Self(color, 1.0)
    }
}

/// Where a text lies relative to its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Start,
    Middle,
    End,
}

/// How a text looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Type {
    pub(super) size: f64,
    pub(super) bold: bool,
    pub(super) align: Align,
    pub(super) color: RGBColor,
    pub(super) upwards: bool,
}

impl Type {
    /// Plain text of this size in the colour of the ink.
    pub(super) fn new(size: f64, align: Align) -> Self {
        Self {
            size,
            bold: false,
            align,
            color: INK,
            upwards: false,
        }
    }

    fn attributes(&self) -> String {
        let mut attributes = format!(" font-size=\"{}\"", decimal(step(self.size)));
        match self.align {
            Align::Start => {}
            Align::Middle => attributes += " text-anchor=\"middle\"",
            Align::End => attributes += " text-anchor=\"end\"",
        }
        if self.bold {
            attributes += " font-weight=\"600\"";
        }
        if self.color != INK {
            let _ = write!(attributes, " fill=\"{}\"", hex(self.color));
        }
        attributes
    }
}

/// Shapes of one style that follow each other become one path, or one group of texts.
#[derive(Debug, PartialEq)]
enum Run {
    Lines { paint: Paint, width: f64 },
    Dots { paint: Paint, radius: f64 },
    Texts(Type),
}

/// An SVG that is being drawn.
#[derive(Debug)]
pub(super) struct Canvas {
    width: f64,
    height: f64,
    body: String,
    run: Option<(Run, String)>,
}

impl Canvas {
    pub(super) fn new(width: f64, height: f64) -> Self {
        Self {
            width,
            height,
            body: String::new(),
            run: None,
        }
    }

    /// A line through the points; dropped points lie at most 0.1 pixels beside it.
    pub(super) fn line(&mut self, points: &[(f64, f64)], paint: Paint, width: f64) {
        let steps = simplify(&in_steps(points));
        if steps.len() < 2 {
            return;
        }
        let path = self.run(Run::Lines { paint, width });
        let closed = steps.len() > 3 && steps.first() == steps.last();
        write_path(
            path,
            if closed {
                &steps[..steps.len() - 1]
            } else {
                &steps
            },
        );
        if closed {
            path.push('z');
        }
    }

    /// A disc.
    pub(super) fn dot(&mut self, (x, y): (f64, f64), radius: f64, paint: Paint) {
        // A line of no length with round ends is a disc, and many of them are one short path.
        let path = self.run(Run::Dots { paint, radius });
        let _ = write!(path, "M{} {}h0", decimal(step(x)), decimal(step(y)));
    }

    /// A filled shape; where it covers itself twice it has a hole.
    pub(super) fn fill(&mut self, points: &[(f64, f64)], paint: Paint) {
        self.flush();
        let steps = simplify(&in_steps(points));
        if steps.len() < 3 {
            return;
        }
        let mut path = String::new();
        write_path(&mut path, &steps);
        let _ = write!(
            self.body,
            "<path d=\"{path}z\" fill-rule=\"evenodd\"{}/>",
            filled(paint)
        );
    }

    /// A rectangle with round corners, filled, edged or both.
    pub(super) fn rectangle(
        &mut self,
        (x, y): (f64, f64),
        (width, height): (f64, f64),
        round: f64,
        fill: Option<Paint>,
        edge: Option<(Paint, f64)>,
    ) {
        self.flush();
        let [x, y, width, height] = [x, y, width, height].map(|length| decimal(step(length)));
        let _ = write!(
            self.body,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\""
        );
        if round > 0.0 {
            let _ = write!(self.body, " rx=\"{}\"", decimal(step(round)));
        }
        self.body += &fill.map_or_else(|| " fill=\"none\"".to_owned(), filled);
        if let Some((paint, width)) = edge {
            self.body += &stroked(paint, width);
        }
        self.body += "/>";
    }

    /// One line of text; the point lies on its baseline.
    pub(super) fn text(&mut self, (x, y): (f64, f64), text: &str, face: Type) {
        let (x, y) = (decimal(step(x)), decimal(step(y)));
        let texts = self.run(Run::Texts(face));
        let _ = write!(texts, "<text x=\"{x}\" y=\"{y}\"");
        if face.upwards {
            let _ = write!(texts, " transform=\"rotate(-90 {x} {y})\"");
        }
        let _ = write!(texts, ">{}</text>", text::escape(text));
    }

    /// A picture whose pixels stay sharp.
    pub(super) fn picture(
        &mut self,
        (x, y): (f64, f64),
        (width, height): (f64, f64),
        data_uri: &str,
    ) {
        self.flush();
        let [x, y, width, height] = [x, y, width, height].map(|length| decimal(step(length)));
        let _ = write!(
            self.body,
            "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" preserveAspectRatio=\"none\" style=\"image-rendering:pixelated\" href=\"{data_uri}\"/>"
        );
    }

    /// The finished figure. No element has an id, so many figures can share one page.
    pub(super) fn finish(mut self, title: &str) -> Figure {
        self.flush();
        let Self {
            width,
            height,
            body,
            ..
        } = self;
        let (wide, high) = (decimal(step(width)), decimal(step(height)));
        // A drawing wider than the column is shown smaller; the ratio stays.
        let shown = WIDTH.min(width);
        let (shown_wide, shown_high) =
            (decimal(step(shown)), decimal(step(height * shown / width)));
        let [red, green, blue] = [INK.0, INK.1, INK.2];
        let svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"kindling-figure\" role=\"img\" aria-label=\"{}\" viewBox=\"0 0 {wide} {high}\" width=\"{shown_wide}\" height=\"{shown_high}\" style=\"max-width:100%;height:auto\" color=\"#{red:02x}{green:02x}{blue:02x}\" fill=\"currentColor\" stroke-linecap=\"round\" stroke-linejoin=\"round\" font-family=\"Helvetica Neue,Arial,Noto Sans,Noto Sans CJK SC,PingFang SC,Microsoft YaHei,sans-serif\">{body}</svg>",
            text::escape(title),
        );
        Figure::new(svg, title.to_owned())
    }

    fn run(&mut self, run: Run) -> &mut String {
        if self.run.as_ref().is_none_or(|(open, _)| *open != run) {
            self.flush();
        }
        &mut self.run.get_or_insert_with(|| (run, String::new())).1
    }

    fn flush(&mut self) {
        let Some((run, content)) = self.run.take() else {
            return;
        };
        let stroke = match run {
            Run::Lines { paint, width } => stroked(paint, width),
            Run::Dots { paint, radius } => stroked(paint, 2.0 * radius),
            Run::Texts(face) => {
                let _ = write!(self.body, "<g{}>{content}</g>", face.attributes());
                return;
            }
        };
        let _ = write!(self.body, "<path d=\"{content}\" fill=\"none\"{stroke}/>");
    }
}

fn hex(color: RGBColor) -> String {
    let RGBColor(red, green, blue) = color;
    if color == INK {
        "currentColor".to_owned()
    } else {
        format!("#{red:02x}{green:02x}{blue:02x}")
    }
}

fn filled(Paint(color, cover): Paint) -> String {
    let fill = if color == INK {
        String::new()
    } else {
        format!(" fill=\"{}\"", hex(color))
    };
    if cover < 1.0 {
        format!("{fill} fill-opacity=\"{}\"", short_share(cover))
    } else {
        fill
    }
}

fn stroked(Paint(color, cover): Paint, width: f64) -> String {
    let mut stroke = format!(" stroke=\"{}\"", hex(color));
    if (width - 1.0).abs() > 1e-9 {
        let _ = write!(stroke, " stroke-width=\"{}\"", decimal(step(width)));
    }
    if cover < 1.0 {
        let _ = write!(stroke, " stroke-opacity=\"{}\"", short_share(cover));
    }
    stroke
}

fn short_share(share: f64) -> String {
    let text = format!("{share:.2}");
    text.trim_start_matches('0')
        .trim_end_matches('0')
        .to_owned()
}

fn step(pixels: f64) -> i64 {
    (pixels * STEPS).round() as i64
}

/// Whole steps as pixels with at most one decimal, in as few characters as SVG allows.
fn decimal(steps: i64) -> String {
    let (sign, whole, tenths) = (
        if steps < 0 { "-" } else { "" },
        steps.abs() / 10,
        steps.abs() % 10,
    );
    match (whole, tenths) {
        (whole, 0) => format!("{sign}{whole}"),
        (0, tenths) => format!("{sign}.{tenths}"),
        (whole, tenths) => format!("{sign}{whole}.{tenths}"),
    }
}

fn in_steps(points: &[(f64, f64)]) -> Vec<(i64, i64)> {
    let mut steps: Vec<(i64, i64)> = points.iter().map(|&(x, y)| (step(x), step(y))).collect();
    steps.dedup();
    steps
}

fn write_path(path: &mut String, steps: &[(i64, i64)]) {
    let mut last = (0, 0);
    for (index, &(x, y)) in steps.iter().enumerate() {
        let (x_step, y_step) = (decimal(x - last.0), decimal(y - last.1));
        match index {
            0 => {
                let _ = write!(path, "M{} {}", decimal(x), decimal(y));
            }
            // After a move, SVG reads further pairs as lines; a minus sign separates numbers as well as a space does.
            _ => {
                let lead = if index == 1 {
                    "l"
                } else if x_step.starts_with('-') {
                    ""
                } else {
                    " "
                };
                let gap = if y_step.starts_with('-') { "" } else { " " };
                let _ = write!(path, "{lead}{x_step}{gap}{y_step}");
            }
        }
        last = (x, y);
    }
}

/// Leaves out points that lie within one step of the line without them (Ramer, 1972; Douglas and Peucker, 1973).
fn simplify(points: &[(i64, i64)]) -> Vec<(i64, i64)> {
    if points.len() < 3 {
        return points.to_vec();
    }
    let mut keep = vec![false; points.len()];
    let mut open = vec![(0, points.len() - 1)];
    while let Some((first, last)) = open.pop() {
        (keep[first], keep[last]) = (true, true);
        let farthest = (first + 1..last)
            .map(|index| (index, distance(points[index], points[first], points[last])))
            .max_by(|left, right| left.1.total_cmp(&right.1));
        if let Some((index, distance)) = farthest
            && distance > 1.0
        {
            open.extend([(first, index), (index, last)]);
        }
    }
    points
        .iter()
        .zip(keep)
        .filter(|(_, keep)| *keep)
        .map(|(&point, _)| point)
        .collect()
}

/// From a point to the piece of line between `start` and `end`.
fn distance(point: (i64, i64), start: (i64, i64), end: (i64, i64)) -> f64 {
    let (px, py) = ((point.0 - start.0) as f64, (point.1 - start.1) as f64);
    let (ex, ey) = ((end.0 - start.0) as f64, (end.1 - start.1) as f64);
    let length = ex * ex + ey * ey;
    let along = if length > 0.0 {
        ((px * ex + py * ey) / length).clamp(0.0, 1.0)
    } else {
        0.0
    };
    (px - along * ex).hypot(py - along * ey)
}

/// What plotters draws on.
pub(super) struct Backend<'a>(pub(super) &'a mut Canvas);

type Drawn = std::result::Result<(), DrawingErrorKind<Infallible>>;

fn pixels((x, y): BackendCoord) -> (f64, f64) {
    (f64::from(x) / STEPS, f64::from(y) / STEPS)
}

fn paint(color: BackendColor) -> Option<Paint> {
    let (red, green, blue) = color.rgb;
    (color.alpha > 0.0).then_some(Paint(RGBColor(red, green, blue), color.alpha))
}

impl DrawingBackend for Backend<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        (
            (self.0.width * STEPS) as u32,
            (self.0.height * STEPS) as u32,
        )
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, point: BackendCoord, color: BackendColor) -> Drawn {
        if let Some(paint) = paint(color) {
            self.0.dot(pixels(point), 0.5 / STEPS, paint);
        }
        Ok(())
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Drawn {
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        if let Some(paint) = paint(style.color()) {
            let ((x, y), (right, bottom)) = (pixels(from), pixels(to));
            let edge = (!fill).then_some((paint, f64::from(style.stroke_width()) / STEPS));
            self.0.rectangle(
                (x, y),
                (right - x, bottom - y),
                0.0,
                fill.then_some(paint),
                edge,
            );
        }
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        if let Some(paint) = paint(style.color()) {
            let points: Vec<_> = path.into_iter().map(pixels).collect();
            self.0
                .line(&points, paint, f64::from(style.stroke_width()) / STEPS);
        }
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        center: BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Drawn {
        if let Some(paint) = paint(style.color())
            && fill
        {
            self.0.dot(pixels(center), f64::from(radius) / STEPS, paint);
        }
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        corners: I,
        style: &S,
    ) -> Drawn {
        if let Some(paint) = paint(style.color()) {
            let points: Vec<_> = corners.into_iter().map(pixels).collect();
            self.0.fill(&points, paint);
        }
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &S,
        position: BackendCoord,
    ) -> Drawn {
        let Some(Paint(color, _)) = paint(style.color()) else {
            return Ok(());
        };
        let size = style.size() / STEPS;
        // The point is on the baseline; capitals are about 0.72 of the size high.
        let down = size
            * match style.anchor().v_pos {
                VPos::Top => 0.8,
                VPos::Center => 0.36,
                VPos::Bottom => -0.2,
            };
        let align = match style.anchor().h_pos {
            HPos::Left => Align::Start,
            HPos::Center => Align::Middle,
            HPos::Right => Align::End,
        };
        let upwards = matches!(style.transform(), FontTransform::Rotate270);
        let bold = matches!(style.style(), FontStyle::Bold);
        let (x, y) = pixels(position);
        let baseline = if upwards {
            (x + down, y)
        } else {
            (x, y + down)
        };
        self.0.text(
            baseline,
            text,
            Type {
                size,
                bold,
                align,
                color,
                upwards,
            },
        );
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> std::result::Result<(u32, u32), DrawingErrorKind<Infallible>> {
        Ok((text::width(text, style.size()) as u32, style.size() as u32))
    }
}
