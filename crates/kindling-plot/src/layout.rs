//! Where the nodes of a graph stand: in layers from left to right, so that few arrows cross.

const LAYER_GAP: f64 = 46.0;
const NODE_GAP: f64 = 18.0;

/// A node, or a bend of an arrow that passes a layer, with its place.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) node: Option<usize>,
    layer: usize,
    pub(super) size: (f64, f64),
    pub(super) x: f64,
    pub(super) y: f64,
}

/// Where everything goes.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) items: Vec<Item>,
    /// The items of each layer, from the top.
    layers: Vec<Vec<usize>>,
    /// The items that each arrow passes.
    pub(super) ways: Vec<Vec<usize>>,
}

impl Plan {
    /// A plan for nodes of these sizes in these layers.
    pub(super) fn new(
        sizes: &[(f64, f64)],
        edges: &[(usize, usize)],
        node_layers: &[usize],
    ) -> Self {
        let item = |node: usize| Item {
            node: Some(node),
            layer: node_layers[node],
            size: sizes[node],
            x: 0.0,
            y: 0.0,
        };
        let mut items: Vec<Item> = (0..sizes.len()).map(item).collect();
        let mut ways = Vec::new();
        for &(from, to) in edges {
            let mut way = vec![from];
            for layer in node_layers[from] + 1..node_layers[to] {
                items.push(Item {
                    node: None,
                    layer,
                    size: (0.0, 6.0),
                    x: 0.0,
                    y: 0.0,
                });
                way.push(items.len() - 1);
            }
            way.push(to);
            ways.push(way);
        }
        let count = node_layers.iter().max().map_or(0, |last| last + 1);
        let mut layers = vec![Vec::new(); count];
        items
            .iter()
            .enumerate()
            .for_each(|(number, item)| layers[item.layer].push(number));
        let mut plan = Self {
            items,
            layers,
            ways,
        };
        plan.order();
        plan.place();
        plan
    }

    /// The items next to each item: in the layer before it and in the layer after it.
    fn neighbours(&self) -> (Vec<Vec<usize>>, Vec<Vec<usize>>) {
        let mut before = vec![Vec::new(); self.items.len()];
        let mut after = before.clone();
        for pair in self.ways.iter().flat_map(|way| way.windows(2)) {
            before[pair[1]].push(pair[0]);
            after[pair[0]].push(pair[1]);
        }
        (before, after)
    }

    /// Sorts each layer by the middle of its neighbours, there and back, so that few arrows cross.
    fn order(&mut self) {
        let (before, after) = self.neighbours();
        for sweep in 0..12 {
            let forward = sweep % 2 == 0;
            let mut rank = vec![0.0; self.items.len()];
            for layer in &self.layers {
                layer
                    .iter()
                    .enumerate()
                    .for_each(|(place, &item)| rank[item] = place as f64);
            }
            let numbers: Vec<usize> = if forward {
                (0..self.layers.len()).collect()
            } else {
                (0..self.layers.len()).rev().collect()
            };
            for number in numbers {
                let near = if forward { &before } else { &after };
                let middle = |item: usize| {
                    let ranks = near[item].iter().map(|&other| rank[other]);
                    if near[item].is_empty() {
                        rank[item]
                    } else {
                        ranks.sum::<f64>() / near[item].len() as f64
                    }
                };
                let mut sorted: Vec<(f64, usize)> = self.layers[number]
                    .iter()
                    .map(|&item| (middle(item), item))
                    .collect();
                sorted.sort_by(|left, right| left.0.total_cmp(&right.0));
                self.layers[number] = sorted.into_iter().map(|(_, item)| item).collect();
                self.layers[number]
                    .iter()
                    .enumerate()
                    .for_each(|(place, &item)| rank[item] = place as f64);
            }
        }
    }

    /// Gives each item its place: layers side by side, each item as near to the height of its neighbours as fits.
    fn place(&mut self) {
        let mut left = 0.0;
        for layer in &self.layers {
            let wide = layer
                .iter()
                .map(|&item| self.items[item].size.0)
                .fold(0.0, f64::max);
            layer
                .iter()
                .for_each(|&item| self.items[item].x = left + wide / 2.0);
            left += wide + LAYER_GAP;
        }
        let (before, after) = self.neighbours();
        for sweep in 0..24 {
            for layer in self.layers.clone() {
                let wanted = |item: usize| {
                    // A node with few neighbours behind it follows those in front of it, and the other way round.
                    let near: Vec<usize> =
                        before[item].iter().chain(&after[item]).copied().collect();
                    if near.is_empty() || sweep == 0 {
                        self.items[item].y
                    } else {
                        near.iter().map(|&other| self.items[other].y).sum::<f64>()
                            / near.len() as f64
                    }
                };
                let heights: Vec<f64> = layer.iter().map(|&item| wanted(item)).collect();
                let sizes: Vec<f64> = layer.iter().map(|&item| self.items[item].size.1).collect();
                for (&item, height) in layer.iter().zip(apart(&heights, &sizes)) {
                    self.items[item].y = height;
                }
            }
        }
    }
}

/// The heights nearest to `wanted` that keep their order and `NODE_GAP` between things of these sizes.
///
/// Things that would overlap form a block, which settles at the mean of what its members want.
fn apart(wanted: &[f64], sizes: &[f64]) -> Vec<f64> {
    // How far each thing is below the first when all touch.
    let mut offsets = vec![0.0; wanted.len()];
    for index in 1..wanted.len() {
        offsets[index] = offsets[index - 1] + (sizes[index - 1] + sizes[index]) / 2.0 + NODE_GAP;
    }
    let mut blocks: Vec<(f64, usize)> = Vec::new(); // the mean of `wanted - offset`, and of how many
    for (height, offset) in wanted.iter().zip(&offsets) {
        let mut block = (height - offset, 1);
        while let Some(&(mean, count)) = blocks.last()
            && mean > block.0
        {
            blocks.pop();
            let both = count + block.1;
            block = (
                (mean * count as f64 + block.0 * block.1 as f64) / both as f64,
                both,
            );
        }
        blocks.push(block);
    }
    let tops = blocks
        .into_iter()
        .flat_map(|(mean, count)| std::iter::repeat_n(mean, count));
    tops.zip(offsets)
        .map(|(top, offset)| top + offset)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_settle_where_they_want_or_share_the_room() {
        assert_eq!(apart(&[0.0, 100.0], &[10.0, 10.0]), [0.0, 100.0]);
        let both = apart(&[0.0, 0.0], &[10.0, 10.0]);
        assert_eq!(
            (both[0] + both[1], both[1] - both[0]),
            (0.0, 10.0 + NODE_GAP)
        );
    }
}
