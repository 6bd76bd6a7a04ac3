//! Which cell answers for which object.

use crate::boxes::{Level, Object, Role, area};

/// A cell answers for an object only when it is so near to the object's centre, in strides (Tian et al., 2022, section 3.2).
const NEAR: f32 = 1.5;

/// The longest distance from a cell to an edge that a level is for, in strides; the coarsest takes all that is larger.
const REACH: f32 = 8.0;

/// What a cell should say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Answer {
    /// There is nothing.
    Nothing,
    /// Whatever it says is neither right nor wrong.
    Ignore,
    /// It lies in an object of this class with these corners.
    Object(usize, [f32; 4]),
}

/// A cell's centre, and the distances to edges that its level is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    pub(super) centre: [f32; 2],
    pub(super) stride: f32,
    range: (f32, f32),
}

/// The cells of all levels, in the order of the output.
pub(super) fn cells(levels: &[Level]) -> Vec<Cell> {
    let mut cells = Vec::new();
    for (number, level) in levels.iter().enumerate() {
        let stride = level.stride as f32;
        let reach = REACH * stride;
        let last = number + 1 == levels.len();
        let range = (
            if number == 0 { 0.0 } else { reach / 2.0 },
            if last { f32::INFINITY } else { reach },
        );
        for place in 0..level.cells() {
            let middle = |cell: usize| (cell as f32 + 0.5) * stride;
            let centre = [middle(place % level.columns), middle(place / level.columns)];
            cells.push(Cell {
                centre,
                stride,
                range,
            });
        }
    }
    cells
}

/// For each cell the smallest of the objects that it may answer for.
pub(super) fn assign(cells: &[Cell], objects: &[Object]) -> Vec<Answer> {
    let mut by_size: Vec<&Object> = objects.iter().collect();
    by_size.sort_by(|one, other| area(one.corners).total_cmp(&area(other.corners)));
    let answer = |cell: &Cell| {
        let mut counted = by_size.iter().filter(|object| object.role == Role::Counted);
        if let Some(object) = counted.find(|object| cell.answers_for(object.corners)) {
            return Answer::Object(object.class, object.corners);
        }
        let mut others = by_size.iter().filter(|object| object.role != Role::Counted);
        match others.any(|object| cell.nearest_edge(object.corners) > 0.0) {
            true => Answer::Ignore,
            false => Answer::Nothing,
        }
    };
    cells.iter().map(answer).collect()
}

impl Cell {
    /// The distances to the left, upper, right and lower edge; negative outside.
    pub(super) fn distances(&self, [x1, y1, x2, y2]: [f32; 4]) -> [f32; 4] {
        let [x, y] = self.centre;
        [x - x1, y - y1, x2 - x, y2 - y]
    }

    fn nearest_edge(&self, corners: [f32; 4]) -> f32 {
        self.distances(corners)
            .into_iter()
            .fold(f32::INFINITY, f32::min)
    }

    fn answers_for(&self, corners: [f32; 4]) -> bool {
        let [x1, y1, x2, y2] = corners;
        let near =
            |at: f32, from: f32, to: f32| (at - (from + to) / 2.0).abs() < NEAR * self.stride;
        let farthest = self.distances(corners).into_iter().fold(0.0, f32::max);
        self.nearest_edge(corners) > 0.0
            && near(self.centre[0], x1, x2)
            && near(self.centre[1], y1, y2)
            && self.range.0 < farthest
            && farthest <= self.range.1
    }

    /// From 1 at the centre of a box to 0 at its edges (Tian et al., 2019, equation 3).
    pub(super) fn centerness(&self, corners: [f32; 4]) -> f32 {
        let [left, upper, right, lower] = self.distances(corners);
        let ratio = |one: f32, other: f32| one.min(other) / one.max(other).max(f32::MIN_POSITIVE);
        (ratio(left, right) * ratio(upper, lower)).max(0.0).sqrt()
    }
}
