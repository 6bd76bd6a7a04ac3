//! Pictures side by side, each with a caption below.

use super::{
    canvas::{Align, Canvas, Paint, Type},
    figure::Figure,
    pixels::Pixels,
    style::{INK, TICK_SIZE, TITLE_SIZE, WIDTH},
    text,
};
use crate::{Error, Result};

/// What a grid takes, and how it looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    /// The most pictures side by side, and how many there are unless told otherwise.
    pub(super) most_columns: usize,
    pub(super) usual_columns: usize,
    /// The most pictures.
    pub(super) most: usize,
    /// The widest that a picture is drawn.
    pub(super) widest: f64,
}

/// A picture of the grid.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown<'a> {
    pub(super) pixels: &'a Pixels,
    pub(super) caption: &'a str,
}

/// Where a picture is drawn: its upper left corner, its width and height.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) corner: (f64, f64),
    pub(super) size: (f64, f64),
}

impl Grid {
    /// Draws the pictures, with the numbers that are `black` and `white`; `over` draws what lies over each.
    pub(super) fn draw(
        &self,
        title: &str,
        columns: Option<usize>,
        pictures: &[Shown],
        (black, white): (f64, f64),
        over: impl Fn(&mut Canvas, usize, Place),
    ) -> Result<Figure> {
        let count = pictures.len();
        let columns = columns.unwrap_or_else(|| count.min(self.usual_columns));
        if count == 0 {
            let problem = "no data; add pictures with .image(&tensor, label)";
            return Err(failed(title, problem));
        }
        if !(1..=self.most_columns).contains(&columns) || count > self.most {
            let problem = format!(
                "expected 1 to {} columns and at most {} pictures, found {columns} columns and {count} pictures",
                self.most_columns, self.most
            );
            return Err(failed(title, problem));
        }
        let gap = if columns > 16 { 4.0 } else { 10.0 };
        let wide = ((WIDTH - gap * (columns as f64 + 1.0)) / columns as f64).min(self.widest);
        let high = |pixels: &Pixels| wide * pixels.height as f64 / pixels.width as f64;
        let lines = pictures.iter().map(|shown| shown.caption.lines().count());
        let lines = lines.max().unwrap_or(0);
        let heights = pictures.iter().map(|shown| high(shown.pixels));
        let tallest = heights.fold(0.0, f64::max);
        let step = (wide + gap, tallest + 17.0 * lines as f64 + gap);
        let top = if title.is_empty() { gap } else { 40.0 };
        let rows = count.div_ceil(columns);
        let used = step.0 * columns.min(count) as f64 - gap;
        let left = ((WIDTH - used) / 2.0).max(0.0);
        let mut canvas = Canvas::new(WIDTH, top + step.1 * rows as f64);
        let bold = Type {
            bold: true,
            ..Type::new(TITLE_SIZE, Align::Start)
        };
        canvas.text((left, 24.0), title, bold);
        for (index, shown) in pictures.iter().enumerate() {
            let corner = (
                left + step.0 * (index % columns) as f64,
                top + step.1 * (index / columns) as f64,
            );
            let size = (wide, high(shown.pixels));
            let picture = shown.pixels.picture(black, white).data_uri();
            let picture = picture.map_err(|error| failed(title, error))?;
            canvas.picture(corner, size, &picture);
            canvas.rectangle(corner, size, 0.0, None, Some((Paint(INK, 0.5), 1.0)));
            over(&mut canvas, index, Place { corner, size });
            for (line, words) in shown.caption.lines().enumerate() {
                let below = corner.1 + size.1 + 15.0 + 16.0 * line as f64;
                canvas.text(
                    (corner.0 + wide / 2.0, below),
                    &shortened(words, wide + gap - 2.0),
                    Type::new(TICK_SIZE, Align::Middle),
                );
            }
        }
        Ok(canvas.finish(title))
    }
}

/// The error that the figure of this title cannot be drawn.
pub(super) fn failed(title: &str, problem: impl std::fmt::Display) -> Error {
    Error::Plot(format!("images {title:?}: {problem}"))
}

/// The text, cut with an ellipsis where it is wider than `room`.
fn shortened(words: &str, room: f64) -> String {
    if text::width(words, TICK_SIZE) <= room {
        return words.to_owned();
    }
    let mut kept = String::new();
    for character in words.chars() {
        if text::width(&kept, TICK_SIZE) + TICK_SIZE * 2.0 > room {
            break;
        }
        kept.push(character);
    }
    kept + "…"
}
