//! Annotations as they were read become annotations that can be used: each picture is looked at, each box is measured.

use kindling::boxes::{Object, Role};
use rayon::prelude::*;

use crate::{AnnotatedPicture, Problem, files::Files, upright::Fit};

/// A box may reach so many pixels over the edge, from rounding; it is cut there.
const SLACK: f64 = 1.0;

/// What is to be done with what is not quite right.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rules {
    /// Boxes that reach outside their picture are cut at its edge.
    pub(crate) clip_boxes: bool,
}

/// A picture as its annotation describes it.
#[derive(Debug)]
pub(crate) struct Draft {
    /// The picture's file, or what it is called where there is none.
    pub(crate) picture: Result<String, String>,
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

/// What came of the drafts.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    pub(crate) pictures: Vec<AnnotatedPicture>,
    pub(crate) problems: Vec<Problem>,
    /// How many boxes were cut at the edge of their picture, by more than rounding.
    pub(crate) clipped: usize,
}

/// What can be used, and what is wrong with the rest; `places` says where pictures were looked for.
pub(crate) fn check(
    files: &Files,
    drafts: Vec<Draft>,
    classes: &[String],
    rules: Rules,
    places: &str,
) -> Checked {
    let count = drafts.len();
    let missing: Vec<&Draft> = drafts
        .iter()
        .filter(|draft| draft.picture.is_err())
        .collect();
    let problem = missing_pictures(&missing, count, places);
    let checked: Vec<Checked> = drafts
        .into_par_iter()
        .map(|draft| picture(files, draft, classes, rules))
        .collect();
    let mut all = Checked::default();
    all.problems.extend(problem);
    for checked in checked {
        all.pictures.extend(checked.pictures);
        all.problems.extend(checked.problems);
        all.clipped += checked.clipped;
    }
    all
}

/// One problem for all pictures that are not there: most often their folder is the wrong one.
fn missing_pictures(missing: &[&Draft], count: usize, places: &str) -> Option<Problem> {
    let first = missing.first()?;
    let called = |draft: &Draft| match &draft.picture {
        Ok(name) | Err(name) => format!("{name:?}"),
    };
    let found = match missing.len() {
        1 => format!("there is no picture {}", called(first)),
        some if some == count => format!(
            "none of its {count} pictures is there, such as {}",
            called(first)
        ),
        some => format!(
            "{some} of its {count} pictures are not there, such as {}",
            called(first)
        ),
    };
    let what = format!("{found}; looked in {places}");
    let problem = Problem::new(&first.file, first.line, what);
    Some(problem.advising(
        "if the pictures are in another folder, name it with `images` (at the command line `--images`)",
    ))
}

/// One picture, or nothing where there is none.
fn picture(files: &Files, draft: Draft, classes: &[String], rules: Rules) -> Checked {
    let mut checked = Checked::default();
    let Ok(name) = draft.picture else {
        return checked;
    };
    let mut wrong = |what: String| {
        checked
            .problems
            .push(Problem::new(&draft.file, draft.line, what));
    };
    let shape = match files.shape(&name) {
        Ok(shape) => shape,
        Err(error) => {
            wrong(format!("the picture {name} cannot be read: {error}"));
            return checked;
        }
    };
    let size = shape.upright;
    let Some(fit) = draft
        .size
        .map_or(Some(Fit::Upright), |stated| shape.fit(stated))
    else {
        let stated = draft.size.unwrap_or_default();
        wrong(format!(
            "expected a picture of {} × {} pixels, as is written here, found {} × {} in {name}",
            stated.1, stated.0, size.1, size.0
        ));
        return checked;
    };
    let mut objects = Vec::new();
    for found in &draft.boxes {
        let corners = match fit {
            Fit::Upright => found.corners,
            Fit::Stored => shape.turn(found.corners),
        };
        let class = classes.get(found.class).map_or("object", String::as_str);
        let problem = |what: String| {
            let line = found.line.or(draft.line);
            Problem::new(&draft.file, line, format!("{class}: {what}"))
        };
        if !rules.clip_boxes && reaches_outside(corners, size) {
            let (height, width) = size;
            let shown = shown(corners);
            let what = format!(
                "expected a box inside the picture's {width} × {height} pixels, found {shown}"
            );
            checked.problems.push(problem(what).advising(
                "boxes that reach outside can be cut at the picture's edge with `clip_boxes` (at the command line `--clip-boxes`)",
            ));
            continue;
        }
        match measured(corners, size) {
            Ok(inside) => {
                checked.clipped += usize::from(reaches_outside(corners, size));
                objects.push(Object {
                    corners: inside,
                    class: found.class,
                    role: found.role,
                });
            }
            Err(what) => checked.problems.push(problem(what)),
        }
    }
    checked.pictures.push(AnnotatedPicture {
        name,
        size,
        objects,
    });
    checked
}

/// Whether a box leaves its picture by more than rounding.
fn reaches_outside([x1, y1, x2, y2]: [f64; 4], (height, width): (usize, usize)) -> bool {
    let (right, lower) = (width as f64 + SLACK, height as f64 + SLACK);
    let finite = [x1, y1, x2, y2].iter().all(|edge| edge.is_finite());
    finite && (x1 < -SLACK || y1 < -SLACK || x2 > right || y2 > lower)
}

/// The part of the box inside the picture, if there is any.
fn measured(corners: [f64; 4], (height, width): (usize, usize)) -> Result<[f32; 4], String> {
    let [x1, y1, x2, y2] = corners;
    let (right, lower) = (width as f64, height as f64);
    let shown = shown(corners);
    if corners.iter().any(|edge| !edge.is_finite()) {
        return Err(format!("expected finite numbers, found the box {shown}"));
    }
    if x1 >= x2 || y1 >= y2 {
        return Err(format!("expected a box with an area, found {shown}"));
    }
    let inside = [
        x1.clamp(0.0, right),
        y1.clamp(0.0, lower),
        x2.clamp(0.0, right),
        y2.clamp(0.0, lower),
    ]
    .map(|edge| edge as f32);
    if inside[0] >= inside[2] || inside[1] >= inside[3] {
        return Err(format!(
            "expected a box with an area inside the picture's {width} × {height} pixels, found {shown}"
        ));
    }
    Ok(inside)
}

fn shown([x1, y1, x2, y2]: [f64; 4]) -> String {
    format!("({x1}, {y1}, {x2}, {y2})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_is_cut_at_the_edge_or_refused() {
        let size = (10, 20);
        for (corners, outside) in [
            ([-0.5, 0.0, 20.5, 10.0], false),
            ([0.0, 0.0, 21.5, 10.0], true),
            ([-2.0, 0.0, 20.0, 10.0], true),
            ([0.0, -1e300, 20.0, 1e300], true),
        ] {
            assert_eq!(reaches_outside(corners, size), outside, "{corners:?}");
            assert_eq!(measured(corners, size), Ok([0.0, 0.0, 20.0, 10.0]));
        }
        for (corners, expected) in [
            ([3.0, 4.0, 3.0, 8.0], "an area, found"),
            ([5.0, 4.0, 3.0, 8.0], "an area, found"),
            ([20.2, 0.0, 20.9, 8.0], "an area inside"),
            ([30.0, 0.0, 40.0, 8.0], "an area inside"),
            ([f64::NAN, 0.0, 3.0, 8.0], "finite"),
            ([0.0, 0.0, f64::INFINITY, 8.0], "finite"),
        ] {
            let error = measured(corners, size).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
