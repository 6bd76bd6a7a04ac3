//! A recurrent layer's way through time as one operation.
//!
//! Step by step, Candle keeps some twenty tensors for each moment, and on the way back copies the whole sequence once for
//! each of them. Here a thread takes a few examples through all of time with the weights packed for it, and the gradient of the
//! weights is one matrix product at the end.

use std::{fmt, marker::PhantomData, sync::OnceLock};

use candle_core::{CpuStorage, CustomOp3, Layout, Shape, Tensor};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::{
    tile::{Panels, multiply, store, zeros},
    values::{Values, on_cpu, slice},
};
use crate::{Error, Result};

/// Examples a thread takes at a time: one whole tile.
const ROWS: usize = 8;

/// Below this many multiply-adds a second thread costs more than it brings.
const WORTH_A_THREAD: usize = 1 << 20;

/// What happens in one step of time, once the two matrix products are known.
///
/// A state row holds `STATES` vectors of `hidden_size` numbers, the hidden state first.
pub trait Cell: fmt::Debug + Clone + Copy + Send + Sync + 'static {
    /// The layer's name in messages.
    const NAME: &'static str;
    /// How many vectors of `hidden_size` numbers the two products give.
    const GATES: usize;
    /// How many vectors are passed on to the next step.
    const STATES: usize;
    /// How many vectors [`Cell::forward`] writes down for [`Cell::backward`].
    const KEPT: usize;

    /// The step in Candle's operations: `projected` (from the input) and `recurrent` (from the hidden state), both
    /// `(batch, GATES · hidden_size)` with their biases, and the state `(batch, STATES · hidden_size)`, to the next state.
    fn step(projected: &Tensor, recurrent: &Tensor, state: &Tensor) -> Result<Tensor>;

    /// The same for one example, in place.
    fn forward(projected: &[f32], recurrent: &[f32], state: &mut [f32], kept: &mut [f32]);

    /// Turns the gradient of the next state into that of the state `before`, as far as it does not go through the product,
    /// and writes those of the two products.
    fn backward(
        kept: &[f32],
        before: &[f32],
        gradient: &mut [f32],
        to_projected: &mut [f32],
        to_recurrent: &mut [f32],
    );
}

/// All states `(batch, time, STATES · hidden_size)` of a recurrent layer.
///
/// `projected` is `(batch, time, GATES · hidden_size)`, the inputs' share of the gates for all of time; `weight`
/// `(GATES · hidden_size, hidden_size)` and `bias` `(GATES · hidden_size)` give the hidden state's share; `start` is
/// `(batch, STATES · hidden_size)`. Where `mask` `(batch, time)` is zero the state stays as it was. With `reverse` time runs backwards.
pub fn recurrence<C: Cell>(
    projected: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    start: &Tensor,
    mask: Option<&Tensor>,
    reverse: bool,
) -> Result<Tensor> {
    let (batch, time, hidden) = check::<C>(projected, weight, bias, start, mask)?;
    if !on_cpu(&[projected, weight, bias, start]) {
        return recurrence_by_steps::<C>(projected, weight, bias, start, mask, reverse);
    }
    let mask = mask
        .map(|mask| mask.ne(0.0)?.flatten_all()?.to_vec1::<u8>())
        .transpose()?;
    // A bias is the weight of an input that is always one.
    let weight = Tensor::cat(&[weight, &bias.unsqueeze(1)?], 1)?; // (gates, hidden_size + 1)
    let operation = Recurrence::<C> {
        batch,
        time,
        hidden,
        mask,
        reverse,
        kept: OnceLock::new(),
        cell: PhantomData,
    };
    Ok(projected
        .contiguous()?
        .apply_op3(&weight.contiguous()?, &start.contiguous()?, operation)?)
}

// ANCHOR: by_steps
/// [`recurrence`] in Candle's own operations, on any device, with the same results.
pub fn recurrence_by_steps<C: Cell>(
    projected: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    start: &Tensor,
    mask: Option<&Tensor>,
    reverse: bool,
) -> Result<Tensor> {
    let (_, time, hidden) = check::<C>(projected, weight, bias, start, mask)?;
    let mask = mask
        .map(|mask| mask.ne(0.0)?.to_dtype(projected.dtype()))
        .transpose()?;
    let mut state = start.clone();
    let mut states = Vec::with_capacity(time);
    for step in 0..time {
        let now = if reverse { time - 1 - step } else { step };
        let input = projected.narrow(1, now, 1)?.squeeze(1)?; // (batch, gates)
        let before = state.narrow(1, 0, hidden)?.contiguous()?; // (batch, hidden_size)
        let recurrent = before.matmul(&weight.t()?)?.broadcast_add(bias)?; // (batch, gates)
        let next = C::step(&input, &recurrent, &state)?;
        state = match &mask {
            None => next,
            Some(mask) => {
                let seen = mask.narrow(1, now, 1)?; // (batch, 1)
                let kept = state.broadcast_mul(&seen.affine(-1.0, 1.0)?)?;
                (next.broadcast_mul(&seen)? + kept)?
            }
        };
        states.push(state.clone());
    }
    if reverse {
        states.reverse();
    }
    Ok(Tensor::stack(&states, 1)?) // (batch, time, states)
}
// ANCHOR_END: by_steps

/// Batch, time and hidden size, once all shapes agree.
fn check<C: Cell>(
    projected: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    start: &Tensor,
    mask: Option<&Tensor>,
) -> Result<(usize, usize, usize)> {
    let error = |what: &str, expected: String, found: &Tensor| Error::Shape {
        what: format!("{}: {what}", C::NAME),
        expected,
        found: found.dims().to_vec(),
    };
    let hidden = weight.dims().last().copied().unwrap_or(0);
    let gates = C::GATES * hidden;
    let (batch, time) = match *projected.dims() {
        [batch, time, width] if width == gates && batch * time * width > 0 => (batch, time),
        _ => {
            let expected = format!("(batch, time, {gates}), none of them zero");
            return Err(error("projected inputs", expected, projected));
        }
    };
    for (what, tensor, expected) in [
        ("weight", weight, vec![gates, hidden]),
        ("bias", bias, vec![gates]),
        ("start", start, vec![batch, C::STATES * hidden]),
        ("mask", mask.unwrap_or(start), vec![batch, time]),
    ] {
        if tensor.dims() != expected && (what != "mask" || mask.is_some()) {
            return Err(error(what, format!("{expected:?}"), tensor));
        }
    }
    Ok((batch, time, hidden))
}

struct Recurrence<C> {
    batch: usize,
    time: usize,
    hidden: usize,
    mask: Option<Vec<u8>>,
    reverse: bool,
    /// What the cell wrote down, `(batch, time, KEPT · hidden_size)`.
    kept: OnceLock<Vec<f32>>,
    cell: PhantomData<C>,
}

impl<C: Cell> Recurrence<C> {
    const fn gates(&self) -> usize {
        C::GATES * self.hidden
    }

    const fn states(&self) -> usize {
        C::STATES * self.hidden
    }

    const fn kept(&self) -> usize {
        C::KEPT * self.hidden
    }

    /// How many examples to give to one task.
    fn rows(&self) -> usize {
        if self.batch * self.time * self.gates() * self.hidden < WORTH_A_THREAD {
            self.batch
        } else {
            ROWS
        }
    }

    /// The place in time of this step.
    fn moment(&self, step: usize) -> usize {
        if self.reverse {
            self.time - 1 - step
        } else {
            step
        }
    }

    /// Whether there is something to read.
    fn seen(&self, example: usize, moment: usize) -> bool {
        let mask = self.mask.as_ref();
        mask.is_none_or(|mask| mask[example * self.time + moment] != 0)
    }
}

impl<C: Cell> CustomOp3 for Recurrence<C> {
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn cpu_fwd(
        &self,
        projected: &CpuStorage,
        projected_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        start: &CpuStorage,
        start_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (projected, weight) = (
            slice(projected, projected_layout)?,
            slice(weight, weight_layout)?,
        );
        let start = slice(start, start_layout)?;
        let (rows, depth) = (self.rows(), self.hidden + 1);
        let panels = Panels::pack(depth, self.gates(), |k, first, line| {
            for (place, row) in line.iter_mut().zip(weight[first * depth..].chunks(depth)) {
                *place = row[k];
            }
        });
        let mut output = vec![0.0; self.batch * self.time * self.states()];
        let mut kept = vec![0.0; self.batch * self.time * self.kept()];
        output
            .par_chunks_mut(rows * self.time * self.states())
            .zip(kept.par_chunks_mut(rows * self.time * self.kept()))
            .enumerate()
            .for_each(|(part, (output, kept))| {
                let first = part * rows;
                Arch::new().dispatch(Forward {
                    layer: self,
                    first,
                    projected: &projected[first * self.time * self.gates()..],
                    panels: &panels,
                    start: &start[first * self.states()..],
                    output,
                    kept,
                });
            });
        let _ = self.kept.set(kept);
        let shape = (self.batch, self.time, self.states());
        Ok((CpuStorage::F32(output), shape.into()))
    }

    fn bwd(
        &self,
        projected: &Tensor,
        weight: &Tensor,
        start: &Tensor,
        output: &Tensor,
        gradient: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.contiguous()?;
        let (gradient, output) = (Values::of(&gradient)?, Values::of(output)?);
        let (weights, starts) = (Values::of(weight)?, Values::of(start)?);
        let kept = self.kept.get().map_or(&[][..], Vec::as_slice);
        let (rows, depth) = (self.rows(), self.hidden + 1);
        let panels = Panels::pack(self.gates(), self.hidden, |gate, first, line| {
            line.copy_from_slice(&weights[gate * depth + first..][..line.len()]);
        });
        let mut to_projected = vec![0.0; self.batch * self.time * self.gates()];
        let mut to_recurrent = vec![0.0; self.batch * self.time * self.gates()];
        let mut to_start = vec![0.0; self.batch * self.states()];
        to_projected
            .par_chunks_mut(rows * self.time * self.gates())
            .zip(to_recurrent.par_chunks_mut(rows * self.time * self.gates()))
            .zip(to_start.par_chunks_mut(rows * self.states()))
            .enumerate()
            .for_each(|(part, ((to_projected, to_recurrent), to_start))| {
                let first = part * rows;
                Arch::new().dispatch(Backward {
                    layer: self,
                    first,
                    panels: &panels,
                    start: &starts[first * self.states()..],
                    output: &output[first * self.time * self.states()..],
                    kept: &kept[first * self.time * self.kept()..],
                    gradient: &gradient[first * self.time * self.states()..],
                    to_projected,
                    to_recurrent,
                    to_start,
                });
            });
        let device = projected.device();
        let moments = self.batch * self.time;
        let to_recurrent = Tensor::from_vec(to_recurrent, (moments, self.gates()), device)?;
        let hidden = self.hidden_before(&output, &starts);
        let hidden = Tensor::from_vec(hidden, (moments, depth), device)?;
        let to_weight = to_recurrent.t()?.matmul(&hidden)?; // (gates, hidden_size + 1)
        Ok((
            Some(Tensor::from_vec(to_projected, projected.shape(), device)?),
            Some(to_weight),
            Some(Tensor::from_vec(to_start, start.shape(), device)?),
        ))
    }
}

impl<C: Cell> Recurrence<C> {
    /// What each moment's product was with: the hidden state before it, and a one for the bias.
    fn hidden_before(&self, output: &[f32], start: &[f32]) -> Vec<f32> {
        let mut hidden = vec![1.0; self.batch * self.time * (self.hidden + 1)];
        let mut rows = hidden.chunks_exact_mut(self.hidden + 1);
        for example in 0..self.batch {
            for (row, moment) in rows.by_ref().take(self.time).zip(0..) {
                let before = self.before(output, start, example, moment);
                row[..self.hidden].copy_from_slice(&before[..self.hidden]);
            }
        }
        hidden
    }

    /// The state that this example had when it came to this moment.
    fn before<'a>(
        &self,
        output: &'a [f32],
        start: &'a [f32],
        example: usize,
        moment: usize,
    ) -> &'a [f32] {
        let earlier = if self.reverse {
            Some(moment + 1).filter(|&earlier| earlier < self.time)
        } else {
            moment.checked_sub(1)
        };
        match earlier {
            Some(earlier) => {
                &output[(example * self.time + earlier) * self.states()..][..self.states()]
            }
            None => &start[example * self.states()..][..self.states()],
        }
    }
}

/// Takes some examples, of which `first` is the first, through time; all slices but the mask begin with it.
struct Forward<'a, C> {
    layer: &'a Recurrence<C>,
    first: usize,
    projected: &'a [f32],
    panels: &'a Panels,
    start: &'a [f32],
    output: &'a mut [f32],
    kept: &'a mut [f32],
}

impl<C: Cell> WithSimd for Forward<'_, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
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
            product(
                simd,
                &hidden,
                depth,
                self.panels,
                &mut recurrent,
                gates,
                false,
            );
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
struct Backward<'a, C> {
    layer: &'a Recurrence<C>,
    first: usize,
    panels: &'a Panels,
    start: &'a [f32],
    output: &'a [f32],
    kept: &'a [f32],
    gradient: &'a [f32],
    to_projected: &'a mut [f32],
    to_recurrent: &'a mut [f32],
    to_start: &'a mut [f32],
}

impl<C: Cell> WithSimd for Backward<'_, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let layer = self.layer;
        let (gates, states, kept) = (layer.gates(), layer.states(), layer.kept());
        // It ends as the gradient of the start, having been that of every state on the way.
        let carried = self.to_start;
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
                    &mut self.to_projected[place * gates..][..gates],
                    products,
                );
                self.to_recurrent[place * gates..][..gates].copy_from_slice(products);
            }
            product(simd, &products, gates, self.panels, carried, states, true);
        }
    }
}

/// `rows · panels`, for rows of length `depth`, into the first columns of lines of length `width`.
#[inline(always)]
fn product<S: Simd>(
    simd: S,
    rows: &[f32],
    depth: usize,
    panels: &Panels,
    output: &mut [f32],
    width: usize,
    add: bool,
) {
    if S::REGISTER_COUNT >= 32 {
        tiles::<S, ROWS>(simd, rows, depth, panels, output, width, add);
    } else {
        tiles::<S, 4>(simd, rows, depth, panels, output, width, add);
    }
}

#[inline(always)]
fn tiles<S: Simd, const M: usize>(
    simd: S,
    rows: &[f32],
    depth: usize,
    panels: &Panels,
    output: &mut [f32],
    width: usize,
    add: bool,
) {
    let last = rows.len() / depth - 1;
    for (first, used, panel) in panels.iter() {
        for row in (0..=last).step_by(M) {
            let mut lines: [&[f32]; M] = [&[]; M];
            for (m, line) in lines.iter_mut().enumerate() {
                *line = &rows[last.min(row + m) * depth..][..depth];
            }
            let mut tile = zeros::<S, M, 2>(simd);
            multiply(simd, lines, panel, &mut tile);
            for (line, sums) in output[row * width..].chunks_mut(width).zip(tile) {
                store(simd, sums, &mut line[first..first + used], add);
            }
        }
    }
}
