//! Some examples on their way through all of time, there and back.

use pulp::Simd;

use super::{Cell, layer::Recurrence};
use crate::{
    panels::{PANEL_VECTORS, Panels},
    tile::{Tiles, multiply, store, zeros},
};

/// Takes some examples, of which `first` is the first, through time; all slices but the mask begin with it.
pub(super) struct Forward<'a, C> {
    pub(super) layer: &'a Recurrence<C>,
    pub(super) first: usize,
    pub(super) projected: &'a [f32],
    pub(super) panels: &'a Panels,
    pub(super) start: &'a [f32],
    pub(super) output: &'a mut [f32],
    pub(super) kept: &'a mut [f32],
}

impl<C: Cell> Tiles for Forward<'_, C> {
    #[inline(always)]
    fn run<S: Simd, const M: usize, const N: usize>(self, simd: S) {
        let layer = self.layer;
        let (gates, states, kept) = (layer.gates(), layer.states(), layer.kept());
        let (count, depth) = (self.output.len() / (layer.time * states), layer.hidden + 1);
        let mut state = self.start[..count * states].to_vec();
        let mut hidden = vec![1.0; count * depth];
        let mut recurrent = vec![0.0; count * gates];
        for step in 0..layer.time {
            let moment = layer.moment(step);
            for (hidden, state) in hidden.chunks_exact_mut(depth).zip(state.chunks(states)) {
                hidden[..layer.hidden].copy_from_slice(&state[..layer.hidden]);
            }
            let recurrent_lines = (&mut *recurrent, gates);
            product::<S, M>(simd, (&hidden, depth), self.panels, recurrent_lines, false);
            for (example, state) in state.chunks_exact_mut(states).enumerate() {
                let place = example * layer.time + moment;
                if layer.seen(self.first + example, moment) {
                    C::forward(
                        &self.projected[place * gates..][..gates],
                        &recurrent[example * gates..][..gates],
                        state,
                        &mut self.kept[place * kept..][..kept],
                    );
                }
                self.output[place * states..][..states].copy_from_slice(state);
            }
        }
    }
}

/// Takes the gradients of some examples back through time.
pub(super) struct Backward<'a, C> {
    pub(super) layer: &'a Recurrence<C>,
    pub(super) first: usize,
    pub(super) panels: &'a Panels,
    pub(super) start: &'a [f32],
    pub(super) output: &'a [f32],
    pub(super) kept: &'a [f32],
    pub(super) gradient: &'a [f32],
    pub(super) grad_projected: &'a mut [f32],
    pub(super) grad_recurrent: &'a mut [f32],
    pub(super) grad_start: &'a mut [f32],
}

impl<C: Cell> Tiles for Backward<'_, C> {
    #[inline(always)]
    fn run<S: Simd, const M: usize, const N: usize>(self, simd: S) {
        let layer = self.layer;
        let (gates, states, kept) = (layer.gates(), layer.states(), layer.kept());
        // It ends as the gradient of the start, having been that of every state on the way.
        let carried = self.grad_start;
        let mut products = vec![0.0; carried.len() / states * gates];
        for step in (0..layer.time).rev() {
            let moment = layer.moment(step);
            let rows = carried.chunks_exact_mut(states);
            for (example, (carried, products)) in
                rows.zip(products.chunks_exact_mut(gates)).enumerate()
            {
                let place = example * layer.time + moment;
                let given = &self.gradient[place * states..][..states];
                for (carried, given) in carried.iter_mut().zip(given) {
                    *carried += given;
                }
                if !layer.seen(self.first + example, moment) {
                    products.fill(0.0);
                    continue;
                }
                C::backward(
                    &self.kept[place * kept..][..kept],
                    layer.before(self.output, self.start, example, moment),
                    carried,
                    &mut self.grad_projected[place * gates..][..gates],
                    products,
                );
                self.grad_recurrent[place * gates..][..gates].copy_from_slice(products);
            }
            product::<S, M>(
                simd,
                (&products, gates),
                self.panels,
                (&mut *carried, states),
                true,
            );
        }
    }
}

/// `rows · panels`, into the first columns of the lines of `output`; both come with the length of one.
#[inline(always)]
fn product<S: Simd, const M: usize>(
    simd: S,
    (rows, depth): (&[f32], usize),
    panels: &Panels,
    (output, width): (&mut [f32], usize),
    add: bool,
) {
    let last = rows.len() / depth - 1;
    for (first, used, panel) in panels.iter() {
        for row in (0..=last).step_by(M) {
            let mut lines: [&[f32]; M] = [&[]; M];
            for (m, line) in lines.iter_mut().enumerate() {
                *line = &rows[last.min(row + m) * depth..][..depth];
            }
            let mut tile = zeros::<S, M, PANEL_VECTORS>(simd);
            multiply(simd, lines, panel, &mut tile);
            for (line, sums) in output[row * width..].chunks_mut(width).zip(tile) {
                store(simd, sums, &mut line[first..first + used], add);
            }
        }
    }
}
