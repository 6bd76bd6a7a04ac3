//! Marching squares: where a function on a grid reaches a level (Lorensen and Cline, 1987, in two dimensions).

use std::collections::BTreeMap;

/// A function's values on a grid: `values[row][column]` at `(x[column], y[row])`.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    pub(super) x: Vec<f64>,
    pub(super) y: Vec<f64>,
    pub(super) values: Vec<Vec<f64>>,
}

/// An edge of the grid: from the node `(column, row)` to the right (`true`) or up.
type Edge = (usize, usize, bool);

/// The border of a region, closed; each point tells whether it is where the grid ends and the rim begins.
pub(super) type Loop = Vec<((f64, f64), bool)>;

impl Grid {
    /// The same grid with a rim of nodes that lie on its border and below every level, so that all lines close.
    fn with_rim(&self) -> Self {
        let doubled = |places: &[f64]| {
            let ends = (places.first().copied(), places.last().copied());
            ends.0
                .into_iter()
                .chain(places.iter().copied())
                .chain(ends.1)
                .collect::<Vec<_>>()
        };
        let low = f64::NEG_INFINITY;
        let wide = self.x.len() + 2;
        let inner = self
            .values
            .iter()
            .map(|row| [&[low], row.as_slice(), &[low]].concat());
        let rim = || std::iter::once(vec![low; wide]);
        Self {
            x: doubled(&self.x),
            y: doubled(&self.y),
            values: rim().chain(inner).chain(rim()).collect(),
        }
    }

    /// The borders of the region in which the values are at least `level`.
    pub(super) fn region(&self, level: f64) -> Vec<Loop> {
        let grid = self.with_rim();
        let mut next = BTreeMap::new();
        for row in 0..grid.y.len() - 1 {
            for column in 0..grid.x.len() - 1 {
                grid.cell(column, row, level, &mut next);
            }
        }
        let mut loops = Vec::new();
        while let Some((&start, _)) = next.first_key_value() {
            let mut border = Vec::new();
            let mut edge = start;
            while let Some(following) = next.remove(&edge) {
                border.push(grid.crossing(edge, level));
                edge = following;
            }
            border.extend(border.first().copied());
            loops.push(border);
        }
        loops
    }

    /// Adds the pieces of border in one cell: from edge to edge, the region on the left.
    fn cell(&self, column: usize, row: usize, level: f64, next: &mut BTreeMap<Edge, Edge>) {
        let corners = [
            (column, row),
            (column + 1, row),
            (column + 1, row + 1),
            (column, row + 1),
        ];
        let edges = [
            (column, row, true),
            (column + 1, row, false),
            (column, row + 1, true),
            (column, row, false),
        ];
        let value = |corner: usize| self.values[corners[corner % 4].1][corners[corner % 4].0];
        let inside = |corner: usize| value(corner) >= level;
        let leaves = |edge: usize| inside(edge) && !inside(edge + 1);
        let enters = |edge: usize| !inside(edge) && inside(edge + 1);
        let count = (0..4).filter(|&edge| leaves(edge)).count();
        // With two opposite corners inside, the middle decides whether they hang together.
        let together = count < 2 || (0..4).map(value).sum::<f64>() / 4.0 >= level;
        for edge in (0..4).filter(|&edge| leaves(edge)) {
            let turns = if together { [1, 2, 3] } else { [3, 2, 1] };
            let end = turns
                .into_iter()
                .map(|turn| (edge + turn) % 4)
                .find(|&other| enters(other));
            if let Some(end) = end {
                next.insert(edges[edge], edges[end]);
            }
        }
    }

    /// Where the level is reached on an edge, and whether that is on the border of the grid.
    fn crossing(&self, (column, row, right): Edge, level: f64) -> ((f64, f64), bool) {
        let (other_column, other_row) = if right {
            (column + 1, row)
        } else {
            (column, row + 1)
        };
        let (from, to) = (
            self.values[row][column],
            self.values[other_row][other_column],
        );
        let on_border = from.is_infinite() || to.is_infinite();
        let share = if on_border {
            0.0
        } else {
            (level - from) / (to - from)
        };
        let between = |from: f64, to: f64| from + (to - from) * share;
        (
            (
                between(self.x[column], self.x[other_column]),
                between(self.y[row], self.y[other_row]),
            ),
            on_border,
        )
    }
}

/// All borders as one closed line, joined by bridges that are walked once each way and so enclose nothing.
pub(super) fn joined(loops: &[Loop]) -> Vec<(f64, f64)> {
    let mut line: Vec<(f64, f64)> = loops.iter().flatten().map(|(point, _)| *point).collect();
    line.extend(
        loops
            .iter()
            .rev()
            .filter_map(|border| border.first())
            .map(|(point, _)| *point),
    );
    line
}

/// The parts of the borders inside the grid.
pub(super) fn lines(loops: &[Loop]) -> Vec<Vec<(f64, f64)>> {
    let mut lines = Vec::new();
    for border in loops {
        let mut line = Vec::new();
        for pair in border.windows(2) {
            if pair[0].1 || pair[1].1 {
                lines.push(std::mem::take(&mut line));
                continue;
            }
            if line.is_empty() {
                line.push(pair[0].0);
            }
            line.push(pair[1].0);
        }
        lines.push(line);
    }
    lines.retain(|line| line.len() > 1);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(function: impl Fn(f64, f64) -> f64) -> Grid {
        let places: Vec<f64> = (0..=40)
            .map(|place| f64::from(place) / 20.0 - 1.0)
            .collect();
        let values = places
            .iter()
            .map(|&y| places.iter().map(|&x| function(x, y)).collect())
            .collect();
        Grid {
            x: places.clone(),
            y: places,
            values,
        }
    }

    fn area(line: &[(f64, f64)]) -> f64 {
        line.windows(2)
            .map(|pair| pair[0].0 * pair[1].1 - pair[1].0 * pair[0].1)
            .sum::<f64>()
            / 2.0
    }

    #[test]
    fn a_disc_is_one_border_of_its_area() {
        let loops = grid(|x, y| -x.hypot(y)).region(-0.5);
        assert_eq!(loops.len(), 1);
        assert!((area(&joined(&loops)) - std::f64::consts::PI / 4.0).abs() < 0.01);
        assert_eq!(lines(&loops).len(), 1);
    }

    #[test]
    fn outside_of_a_disc_has_a_hole_and_the_border_of_the_grid_is_no_line() {
        let loops = grid(f64::hypot).region(0.5);
        assert_eq!(loops.len(), 2);
        assert!((area(&joined(&loops)) - (4.0 - std::f64::consts::PI / 4.0)).abs() < 0.01);
        assert_eq!(lines(&loops).len(), 1);
    }

    #[test]
    fn a_plane_is_cut_in_half() {
        let loops = grid(|x, _| x).region(0.01);
        assert!((area(&joined(&loops)) - 1.98).abs() < 1e-9);
        let lines = lines(&loops);
        assert!(
            lines.len() == 1 && lines[0].iter().all(|(x, _)| (x - 0.01).abs() < 1e-9),
            "{lines:?}"
        );
    }
}
