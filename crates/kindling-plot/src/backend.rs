//! The paper as a drawing backend of plotters, which counts in whole steps.

use std::convert::Infallible;

use plotters::style::RGBColor;
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
    FontStyle, FontTransform,
    text_anchor::{HPos, VPos},
};

use super::{
    canvas::{Align, Canvas, Paint, Type},
    path::STEPS,
    text,
};

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
            (self.0.size().0 * STEPS) as u32,
            (self.0.size().1 * STEPS) as u32,
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
