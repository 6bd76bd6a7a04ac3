//! The paper: collects shapes in pixels and writes them as a small SVG.
//!
//! A coordinate is a whole number of tenths of a pixel: fine enough for smooth curves, short to write.

use std::fmt::Write as _;

use plotters::style::RGBColor;

use super::{
    figure::Figure,
    path::{decimal, in_steps, simplify, step, write_path},
    style::{INK, WIDTH},
    text,
};

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

    /// Its width and height in pixels.
    pub(super) fn size(&self) -> (f64, f64) {
        (self.width, self.height)
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
