//! Lines in tenths of a pixel, in few characters.

use std::fmt::Write as _;

/// Steps in a pixel.
pub(super) const STEPS: f64 = 10.0;

/// Pixels in whole steps.
pub(super) fn step(pixels: f64) -> i64 {
    (pixels * STEPS).round() as i64
}

/// Whole steps as pixels with at most one decimal, in as few characters as SVG allows.
pub(super) fn decimal(steps: i64) -> String {
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

/// A line in whole steps, without points that fall together.
pub(super) fn in_steps(points: &[(f64, f64)]) -> Vec<(i64, i64)> {
    let mut steps: Vec<(i64, i64)> = points.iter().map(|&(x, y)| (step(x), step(y))).collect();
    steps.dedup();
    steps
}

/// Adds a line to an SVG path: a move, then steps from point to point.
pub(super) fn write_path(path: &mut String, steps: &[(i64, i64)]) {
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
pub(super) fn simplify(points: &[(i64, i64)]) -> Vec<(i64, i64)> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_short_as_svg_allows() {
        let shown = [0, 5, -5, 10, -123, 7_205].map(decimal);
        assert_eq!(shown, ["0", ".5", "-.5", "1", "-12.3", "720.5"]);
    }

    #[test]
    fn a_path_is_a_move_and_steps() {
        let mut path = String::new();
        write_path(&mut path, &[(10, 20), (15, 10), (5, 40)]);
        assert_eq!(path, "M1 2l.5-1-1 3");
    }

    #[test]
    fn points_on_a_straight_line_are_left_out_and_corners_stay() {
        let line: Vec<(i64, i64)> = (0_i64..100).map(|x| (x, (x - 50).abs())).collect();
        assert_eq!(simplify(&line), [(0, 50), (50, 0), (99, 49)]);
    }
}
