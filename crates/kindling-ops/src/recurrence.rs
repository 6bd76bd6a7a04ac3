//! A recurrent layer's way through time as one operation.
//!
//! Step by step, Candle keeps some twenty tensors for each moment, and on the way back copies the whole sequence once for
//! each of them. Here a thread takes a few examples through all of time with the weights packed for it, and the gradient of the
//! weights is one matrix product at the end.

mod layer;
mod operation;
mod through_time;

use std::{fmt, marker::PhantomData, sync::OnceLock};

use candle_core::Tensor;

use self::layer::Recurrence;
use super::values::on_cpu;
use crate::{Error, Result};

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
        grad_projected: &mut [f32],
        grad_recurrent: &mut [f32],
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
