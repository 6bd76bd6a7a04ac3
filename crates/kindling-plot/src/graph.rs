//! What is computed from what: nodes and arrows, laid out in layers from left to right.

use std::collections::HashMap;

use plotters::style::RGBColor;

use super::{
    canvas::{Align, Canvas, Paint, Type},
    figure::Figure,
    layout::{Item, Plan},
    style::{INK, LABEL_SIZE, PALETTE, TITLE_SIZE, WIDTH},
    text,
};
use crate::{Error, Result};

const LINE_HEIGHT: f64 = 17.0;

/// A directed graph without cycles, such as the graph of a computation.
///
/// Every arrow points to the right: a node stands one layer behind the last of those that it is computed from
/// (Sugiyama, Tagawa and Toda, 1981, in small).
///
/// ```
/// use kindling_plot::Graph;
/// let figure = Graph::new("One unit")
///     .node("x", "x\n2.0")
///     .node("w", "w\n-3.0")
///     .operation("product", "×")
///     .edge("x", "product")
///     .edge("w", "product")
///     .draw()?;
/// # Ok::<(), kindling_base::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Graph {
    title: String,
    nodes: Vec<Node>,
    edges: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
struct Node {
    id: String,
    label: String,
    operation: bool,
}

impl Graph {
    /// A graph without nodes.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            nodes: Vec::new(),
            edges: Vec::new(),
        }
    }

    /// Adds a node in a box. A line break in the label starts a new line.
    pub fn node(mut self, id: impl ToString, label: impl Into<String>) -> Self {
        self.nodes.push(Node {
            id: id.to_string(),
            label: label.into(),
            operation: false,
        });
        self
    }

    /// Adds a node in a coloured oval, for what computes rather than what is computed.
    pub fn operation(mut self, id: impl ToString, label: impl Into<String>) -> Self {
        self.nodes.push(Node {
            id: id.to_string(),
            label: label.into(),
            operation: true,
        });
        self
    }

    /// Adds an arrow between two nodes, which may be added later.
    pub fn edge(mut self, from: impl ToString, to: impl ToString) -> Self {
        self.edges.push((from.to_string(), to.to_string()));
        self
    }

    /// Draws the figure; it is as high as the graph needs, and shrunk when it is wider than the page.
    pub fn draw(&self) -> Result<Figure> {
        let edges = self.checked()?;
        let layers = self.layers(&edges)?;
        let sizes: Vec<(f64, f64)> = self.nodes.iter().map(Node::size).collect();
        Ok(self.ink(&Plan::new(&sizes, &edges, &layers)))
    }

    /// The edges as pairs of node numbers.
    fn checked(&self) -> Result<Vec<(usize, usize)>> {
        let fail = |problem: String| Err(Error::Plot(format!("graph {:?}: {problem}", self.title)));
        if self.nodes.is_empty() || self.nodes.len() > 300 {
            return fail(format!(
                "expected 1 to 300 nodes, found {}; add nodes with .node(id, label)",
                self.nodes.len()
            ));
        }
        let mut numbers = HashMap::new();
        for (number, node) in self.nodes.iter().enumerate() {
            if numbers.insert(node.id.as_str(), number).is_some() {
                return fail(format!(
                    "two nodes have the id {:?}; give each its own",
                    node.id
                ));
            }
        }
        let mut edges = Vec::new();
        for (from, to) in &self.edges {
            match (numbers.get(from.as_str()), numbers.get(to.as_str())) {
                (Some(&from), Some(&to)) => edges.push((from, to)),
                (from_number, _) => {
                    let missing = if from_number.is_none() { from } else { to };
                    return fail(format!(
                        "the edge {from:?} → {to:?} names a node {missing:?} that does not exist; add it with .node({missing:?}, label)"
                    ));
                }
            }
        }
        Ok(edges)
    }

    /// The layer of each node: the longest way to it.
    fn layers(&self, edges: &[(usize, usize)]) -> Result<Vec<usize>> {
        let mut waiting = vec![0; self.nodes.len()];
        edges.iter().for_each(|&(_, to)| waiting[to] += 1);
        let mut ready: Vec<usize> = (0..self.nodes.len())
            .filter(|&node| waiting[node] == 0)
            .collect();
        let mut layers = vec![0; self.nodes.len()];
        let mut done = 0;
        while let Some(node) = ready.pop() {
            done += 1;
            for &(_, to) in edges.iter().filter(|(from, _)| *from == node) {
                layers[to] = layers[to].max(layers[node] + 1);
                waiting[to] -= 1;
                if waiting[to] == 0 {
                    ready.push(to);
                }
            }
        }
        if done < self.nodes.len() {
            let node = waiting.iter().position(|&count| count > 0).unwrap_or(0);
            let id = &self.nodes[node].id;
            return Err(Error::Plot(format!(
                "graph {:?}: node {id:?} is on, or behind, a cycle, expected arrows that never lead back",
                self.title
            )));
        }
        // What nothing is computed into stands right before its first use, so that its arrows are short.
        for node in (0..self.nodes.len()).filter(|&node| edges.iter().all(|&(_, to)| to != node)) {
            let first_use = edges
                .iter()
                .filter(|(from, _)| *from == node)
                .map(|&(_, to)| layers[to])
                .min();
            layers[node] = first_use.map_or(0, |layer| layer - 1);
        }
        Ok(layers)
    }

    fn ink(&self, plan: &Plan) -> Figure {
        let bounds = |place: fn(&Item) -> f64, size: fn(&Item) -> f64| {
            let low = plan
                .items
                .iter()
                .map(|item| place(item) - size(item) / 2.0)
                .fold(f64::INFINITY, f64::min);
            let high = plan
                .items
                .iter()
                .map(|item| place(item) + size(item) / 2.0)
                .fold(f64::NEG_INFINITY, f64::max);
            (low, high)
        };
        let ((left, right), (top, bottom)) = (
            bounds(|item| item.x, |item| item.size.0),
            bounds(|item| item.y, |item| item.size.1),
        );
        let head = if self.title.is_empty() { 12.0 } else { 44.0 };
        let width = WIDTH.max(right - left + 24.0);
        let shift = ((width - (right - left)) / 2.0 - left, head - top);
        let mut canvas = Canvas::new(width, bottom - top + head + 12.0);
        canvas.text(
            (left + shift.0, 24.0),
            &self.title,
            Type {
                bold: true,
                ..Type::new(TITLE_SIZE, Align::Start)
            },
        );
        for way in &plan.ways {
            arrow(&mut canvas, plan, way, shift);
        }
        for item in &plan.items {
            if let Some(node) = item.node {
                self.nodes[node].ink(&mut canvas, item, shift);
            }
        }
        canvas.finish(&self.title)
    }
}

impl Node {
    fn size(&self) -> (f64, f64) {
        let wide = self
            .label
            .lines()
            .map(|line| text::width(line, LABEL_SIZE))
            .fold(0.0, f64::max);
        let high = LINE_HEIGHT * self.label.lines().count().max(1) as f64;
        ((wide + 22.0).max(36.0), high + 13.0)
    }

    fn ink(&self, canvas: &mut Canvas, item: &Item, shift: (f64, f64)) {
        let (wide, high) = item.size;
        let (x, y) = (item.x + shift.0, item.y + shift.1);
        let color: RGBColor = if self.operation {
            PALETTE[1]
        } else {
            PALETTE[0]
        };
        let round = if self.operation { high / 2.0 } else { 5.0 };
        canvas.rectangle(
            (x - wide / 2.0, y - high / 2.0),
            (wide, high),
            round,
            Some(Paint(color, 0.13)),
            Some((Paint::solid(color), 1.5)),
        );
        let lines: Vec<&str> = self.label.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let below =
                (index as f64 - (lines.len() as f64 - 1.0) / 2.0) * LINE_HEIGHT + LABEL_SIZE * 0.36;
            let face = Type {
                bold: index == 0 && lines.len() > 1 || self.operation,
                ..Type::new(LABEL_SIZE, Align::Middle)
            };
            canvas.text((x, y + below), line, face);
        }
    }
}

/// An arrow from item to item along `way`: one smooth curve, level at both ends.
fn arrow(canvas: &mut Canvas, plan: &Plan, way: &[usize], shift: (f64, f64)) {
    const HEAD: f64 = 8.0;
    let paint = Paint(INK, 0.85);
    let (Some(&first), Some(&last)) = (way.first(), way.last()) else {
        return;
    };
    let (from, to) = (&plan.items[first], &plan.items[last]);
    let start = (from.x + from.size.0 / 2.0 + shift.0, from.y + shift.1);
    let tip = (to.x - to.size.0 / 2.0 + shift.0, to.y + shift.1);
    let mut points = vec![start];
    for &bend in &way[1..way.len() - 1] {
        points.push((plan.items[bend].x + shift.0, plan.items[bend].y + shift.1));
    }
    points.push((tip.0 - HEAD, tip.1));
    // The slope at a bend is that of the line between its neighbours (Catmull and Rom, 1974).
    let slope = |index: usize| {
        if index == 0 || index + 1 == points.len() {
            return 0.0;
        }
        let (before, after) = (points[index - 1], points[index + 1]);
        (after.1 - before.1) / (after.0 - before.0)
    };
    let mut line = Vec::new();
    for index in 1..points.len() {
        let (start, end) = (points[index - 1], points[index]);
        let reach = (end.0 - start.0) * 0.45;
        let handles = (
            start.1 + slope(index - 1) * reach,
            end.1 - slope(index) * reach,
        );
        let x = [start.0, start.0 + reach, end.0 - reach, end.0];
        let y = [start.1, handles.0, handles.1, end.1];
        line.extend((0..=24).map(|step| {
            let t = f64::from(step) / 24.0;
            (bezier(x, t), bezier(y, t))
        }));
    }
    canvas.line(&line, paint, 1.5);
    canvas.fill(
        &[
            tip,
            (tip.0 - HEAD, tip.1 - 4.0),
            (tip.0 - HEAD, tip.1 + 4.0),
        ],
        paint,
    );
}

/// A point of the cubic curve through the first and the last number, at `t` between 0 and 1.
fn bezier([start, first, second, end]: [f64; 4], t: f64) -> f64 {
    let back = 1.0 - t;
    back.powi(3) * start
        + 3.0 * back * back * t * first
        + 3.0 * back * t * t * second
        + t.powi(3) * end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_arrow_points_right_and_inputs_stand_next_to_their_use() {
        let graph = Graph::new("g")
            .node(1, "a")
            .node(2, "b")
            .node(3, "c")
            .node(4, "late")
            .edge(1, 2)
            .edge(2, 3)
            .edge(4, 3);
        let edges = graph.checked().unwrap();
        assert_eq!(graph.layers(&edges).unwrap(), [0, 1, 2, 1]);
    }

    #[test]
    fn cycles_strangers_and_doubles_are_named() {
        let message = |graph: Graph| graph.draw().unwrap_err().to_string();
        assert!(
            message(
                Graph::new("g")
                    .node("a", "")
                    .node("b", "")
                    .edge("a", "b")
                    .edge("b", "a")
            )
            .contains("cycle")
        );
        assert!(
            message(Graph::new("g").node("a", "").edge("a", "z"))
                .contains("\"z\" that does not exist")
        );
        assert!(
            message(Graph::new("g").node("a", "").node("a", ""))
                .contains("two nodes have the id \"a\"")
        );
        assert!(message(Graph::new("g")).contains("found 0"));
    }
}
