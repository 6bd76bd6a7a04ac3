//! Annotations as they were read become annotations that can be used: each picture is looked at, each box is measured.

use kindling::boxes::{Object, Role};
use rayon::prelude::*;

use crate::{AnnotatedPicture, Problem, files::Files};

/// A box may reach so many pixels over the edge, from rounding; it is cut there.
const SLACK: f64 = 1.0;

/// A picture as its annotation describes it.
#[derive(Debug)]
pub(crate) struct Draft {
    /// The picture's file.
    pub(crate) name: String,
    /// The file that describes it, and the line.
    pub(crate) file: String,
    pub(crate) line: Option<u32>,
    /// The height and width that it is said to have.
    pub(crate) size: Option<(usize, usize)>,
    pub(crate) boxes: Vec<DraftBox>,
}

#[derive(Debug)]
pub(crate) struct DraftBox {
    pub(crate) corners: [f64; 4],
    pub(crate) class: usize,
    pub(crate) role: Role,
    pub(crate) line: Option<u32>,
}

/// What can be used, and what is wrong with the rest.
pub(crate) fn check(
    files: &Files,
    drafts: Vec<Draft>,
    classes: &[String],
) -> (Vec<AnnotatedPicture>, Vec<Problem>) {
    let checked: Vec<_> = drafts
        .into_par_iter()
        .map(|draft| picture(files, draft, classes))
        .collect();
    let (mut pictures, mut problems) = (Vec::new(), Vec::new());
    for (picture, found) in checked {
        pictures.extend(picture);
        problems.extend(found);
    }
    (pictures, problems)
}

fn picture(
    files: &Files,
    draft: Draft,
    classes: &[String],
) -> (Option<AnnotatedPicture>, Vec<Problem>) {
    let wrong = |what: String| Problem::new(&draft.file, draft.line, what);
    let size = match files.dimensions(&draft.name) {
        Ok(size) => size,
        Err(error) => {
            let what = format!("the picture {} cannot be read: {error}", draft.name);
            return (None, vec![wrong(what)]);
        }
    };
    if let Some(stated) = draft.size.filter(|stated| *stated != size) {
        let what = format!(
            "expected a picture of {} × {} pixels, as is written here, found {} × {} in {}",
            stated.1, stated.0, size.1, size.0, draft.name
        );
        return (None, vec![wrong(what)]);
    }
    let (mut objects, mut problems) = (Vec::new(), Vec::new());
    for found in &draft.boxes {
        match measured(found.corners, size) {
            Ok(corners) => objects.push(Object {
                corners,
                class: found.class,
                role: found.role,
            }),
            Err(what) => {
                let class = classes.get(found.class).map_or("object", String::as_str);
                let line = found.line.or(draft.line);
                problems.push(Problem::new(&draft.file, line, format!("{class}: {what}")));
            }
        }
    }
    let picture = AnnotatedPicture {
        name: draft.name,
        size,
        objects,
    };
    (Some(picture), problems)
}

/// The box inside the picture, if it is one.
fn measured(corners: [f64; 4], (height, width): (usize, usize)) -> Result<[f32; 4], String> {
    let [x1, y1, x2, y2] = corners;
    let (right, lower) = (width as f64, height as f64);
    let shown = format!("({x1}, {y1}, {x2}, {y2})");
    if corners.iter().any(|edge| !edge.is_finite()) {
        return Err(format!("expected finite numbers, found the box {shown}"));
    }
    if x1 < -SLACK || y1 < -SLACK || x2 > right + SLACK || y2 > lower + SLACK {
        return Err(format!(
            "expected a box inside the picture's {width} × {height} pixels, found {shown}"
        ));
    }
    let inside = [
        x1.clamp(0.0, right),
        y1.clamp(0.0, lower),
        x2.clamp(0.0, right),
        y2.clamp(0.0, lower),
    ]
    .map(|edge| edge as f32);
    if inside[0] >= inside[2] || inside[1] >= inside[3] {
        return Err(format!("expected a box with an area, found {shown}"));
    }
    Ok(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_is_cut_at_the_edge_or_refused() {
        let size = (10, 20);
        assert_eq!(
            measured([-0.5, 0.0, 20.5, 10.0], size),
            Ok([0.0, 0.0, 20.0, 10.0])
        );
        for (corners, expected) in [
            ([0.0, 0.0, 21.5, 10.0], "inside"),
            ([-2.0, 0.0, 2.0, 10.0], "inside"),
            ([3.0, 4.0, 3.0, 8.0], "area"),
            ([5.0, 4.0, 3.0, 8.0], "area"),
            ([20.2, 0.0, 20.9, 8.0], "area"),
            ([f64::NAN, 0.0, 3.0, 8.0], "finite"),
        ] {
            let error = measured(corners, size).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
