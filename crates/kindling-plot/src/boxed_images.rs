//! Pictures with boxes around things: what is in them, and what a detector finds.

use candle_core::Tensor;
use kindling_base::boxes::{Detection, Object, Role};

use super::{
    canvas::{Align, Canvas, Paint, Type},
    figure::Figure,
    picture_grid::{Grid, Place, Shown, failed},
    pixels::Pixels,
    style::{TICK_SIZE, color, letters_on},
    text,
};
use crate::Result;

/// Few pictures, large enough for boxes.
const GRID: Grid = Grid {
    most_columns: 8,
    usual_columns: 3,
    most: 64,
    widest: 440.0,
};

/// The height of the ground behind a name.
const LABEL: f64 = 16.0;

/// Pictures side by side, each with labelled boxes over it and a caption below.
///
/// A picture is a tensor `(height, width)` or `(height, width, 3)`, 0 for black and 1 for white. A box has the colour of its class; what a person marked has a thin
/// edge, what a model found a thick one and its score. An object whose class has the empty name gets a box without words.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use kindling_base::boxes::Object;
/// use kindling_plot::BoxedImages;
/// let picture = Tensor::zeros((48, 64, 3), DType::F32, &Device::Cpu)?;
/// let ring = Object::new([10.0, 20.0, 40.0, 40.0], 0);
/// let figure = BoxedImages::new("A scene")
///     .image(&picture, "marked")
///     .objects(&[ring], &["ring".to_owned()])
///     .draw()?;
/// assert!(figure.svg().contains("ring"));
/// # Ok::<(), kindling_base::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct BoxedImages {
    title: String,
    columns: Option<usize>,
    pictures: Vec<Boxed>,
    problem: Option<String>,
}

#[derive(Debug, Clone)]
struct Boxed {
    pixels: Pixels,
    caption: String,
    boxes: Vec<Labelled>,
}

#[derive(Debug, Clone)]
struct Labelled {
    corners: [f32; 4],
    label: String,
    class: usize,
    edge: f64,
}

impl BoxedImages {
    /// A figure without pictures.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            columns: None,
            pictures: Vec::new(),
            problem: None,
        }
    }

    /// Sets how many pictures are side by side; otherwise up to three.
    pub fn columns(mut self, columns: usize) -> Self {
        self.columns = Some(columns);
        self
    }

    /// Adds a picture `(height, width)` or `(height, width, 3)`. A line break in the caption starts a second line.
    pub fn image(mut self, pixels: &Tensor, caption: impl Into<String>) -> Self {
        let index = self.pictures.len();
        match Pixels::new(pixels) {
            Ok(pixels) => self.pictures.push(Boxed {
                pixels,
                caption: caption.into(),
                boxes: Vec::new(),
            }),
            Err(problem) => self.fail(format!("picture {index}: {problem}")),
        }
        self
    }

    /// Adds what a person marked in the last picture; `classes` holds the names.
    pub fn objects(mut self, objects: &[Object], classes: &[String]) -> Self {
        for object in objects {
            let note = match object.role {
                Role::Counted => "",
                Role::Ignored => " (ignored)",
                Role::Crowd => " (crowd)",
            };
            let note = note.to_owned();
            self.mark(object.corners, object.class, classes, &note, 1.2);
        }
        self
    }

    /// Adds what a model found in the last picture; `classes` holds the names.
    pub fn detections(mut self, found: &[Detection], classes: &[String]) -> Self {
        for found in found {
            let score = format!(" {:.2}", found.score);
            self.mark(found.corners, found.class, classes, &score, 2.2);
        }
        self
    }

    fn mark(&mut self, corners: [f32; 4], class: usize, classes: &[String], note: &str, edge: f64) {
        let Some(name) = classes.get(class) else {
            let names = classes.len();
            return self.fail(format!("a box of class {class}: expected one of {names}"));
        };
        if corners.iter().any(|edge| !edge.is_finite()) {
            return self.fail(format!(
                "a box {corners:?} of {name}: expected finite numbers"
            ));
        }
        match self.pictures.last_mut() {
            Some(picture) => picture.boxes.push(Labelled {
                corners,
                label: format!("{name}{note}"),
                class,
                edge,
            }),
            None => self.fail("boxes belong to a picture; add one first".to_owned()),
        }
    }

    /// Draws the figure.
    pub fn draw(&self) -> Result<Figure> {
        if let Some(problem) = &self.problem {
            return Err(failed(&self.title, problem));
        }
        let pictures = self.pictures.iter().map(|picture| Shown {
            pixels: &picture.pixels,
            caption: &picture.caption,
        });
        let pictures: Vec<Shown> = pictures.collect();
        let boxes = |canvas: &mut Canvas, index: usize, place: Place| {
            self.pictures[index].draw_boxes(canvas, place);
        };
        GRID.draw(&self.title, self.columns, &pictures, (0.0, 1.0), boxes)
    }

    fn fail(&mut self, problem: String) {
        self.problem.get_or_insert(problem);
    }
}

impl Boxed {
    /// The boxes over a picture; what lies outside is cut.
    fn draw_boxes(&self, canvas: &mut Canvas, Place { corner, size }: Place) {
        let across = size.0 / self.pixels.width as f64;
        let down = size.1 / self.pixels.height as f64;
        let placed = self.boxes.iter().map(|labelled| {
            let [x1, y1, x2, y2] = labelled.corners.map(f64::from);
            let x = |x: f64| corner.0 + (x * across).clamp(0.0, size.0);
            let y = |y: f64| corner.1 + (y * down).clamp(0.0, size.1);
            (labelled, [x(x1), y(y1), x(x2), y(y2)])
        });
        let placed: Vec<_> = placed.collect();
        for (labelled, [x1, y1, x2, y2]) in &placed {
            let edge = Some((Paint::solid(color(labelled.class)), labelled.edge));
            let size = ((x2 - x1).max(0.0), (y2 - y1).max(0.0));
            canvas.rectangle((*x1, *y1), size, 0.0, None, edge);
        }
        // Names come last, so that no edge goes through them.
        let named = placed.iter();
        for (labelled, [x1, y1, ..]) in named.filter(|(labelled, _)| !labelled.label.is_empty()) {
            let ground = color(labelled.class);
            let wide = text::width(&labelled.label, TICK_SIZE) + 6.0;
            let x = x1.min(corner.0 + size.0 - wide).max(corner.0);
            let y = if y1 - LABEL < corner.1 {
                *y1
            } else {
                y1 - LABEL
            };
            canvas.rectangle((x, y), (wide, LABEL), 0.0, Some(Paint(ground, 0.85)), None);
            let letters = Type {
                color: letters_on(ground),
                ..Type::new(TICK_SIZE, Align::Start)
            };
            canvas.text((x + 3.0, y + 12.5), &labelled.label, letters);
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    fn picture() -> Tensor {
        Tensor::zeros((10, 20, 3), DType::F32, &Device::Cpu).unwrap()
    }

    fn found(corners: [f32; 4], class: usize) -> Detection {
        Detection {
            corners,
            class,
            score: 0.876,
        }
    }

    #[test]
    fn a_box_lies_where_it_should_and_is_labelled() {
        let figure = BoxedImages::new("")
            .image(&picture(), "")
            .detections(&[found([5.0, 5.0, 15.0, 10.0], 0)], &["cat".to_owned()])
            .draw()
            .unwrap();
        // 440 pixels for 20: from 110 to 330 in the picture, which begins at 140.
        let edge = "<rect x=\"250\" y=\"120\" width=\"220\" height=\"110\" fill=\"none\"";
        assert!(figure.svg().contains(edge), "{}", figure.svg());
        assert!(figure.svg().contains("cat 0.88"));
    }

    #[test]
    fn an_empty_name_is_a_box_without_words() {
        let object = [Object::new([5.0, 5.0, 15.0, 10.0], 0)];
        let svg = |name: &str| {
            let figure = BoxedImages::new("").image(&picture(), "");
            let figure = figure.objects(&object, &[name.to_owned()]).draw();
            figure.unwrap().svg().to_owned()
        };
        let count = |name: &str, element: &str| svg(name).matches(element).count();
        for element in ["<rect", "<text"] {
            assert_eq!(count("", element) + 1, count("cat", element), "{element}");
        }
    }

    #[test]
    fn what_cannot_be_drawn_is_named() {
        let names = ["cat".to_owned()];
        let whole = [0.0, 0.0, 20.0, 10.0];
        let plain = || BoxedImages::new("x").image(&picture(), "");
        for (figure, expected) in [
            (BoxedImages::new("x"), "no data"),
            (
                BoxedImages::new("x").detections(&[found(whole, 0)], &names),
                "add one first",
            ),
            (plain().detections(&[found(whole, 1)], &names), "class 1"),
            (
                plain().objects(&[Object::new([f32::NAN; 4], 0)], &names),
                "finite",
            ),
            (plain().columns(0), "columns"),
        ] {
            let error = figure.draw().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
