//! One pass in place: a parameter, its gradient and its state are read once, and written where they lie.
//!
//! In tensor operations a step of Adam is a dozen passes over memory, each with a tensor of its own for the result.
//! Here it is a single loop that the compiler turns into vector instructions. The optimisers' formulas are elements of it.

use std::cell::Cell;

use candle_core::{CpuStorage, DType, InplaceOp1, InplaceOp2, Layout, Result, Tensor, Var, bail};
use pulp::NullaryFnOnce;

/// What moves one weight: a function of the weight, its gradient and its state, to the new weight and state.
pub trait Element<const N: usize>:
    Fn(f32, f32, [f32; N]) -> (f32, [f32; N]) + Copy + Send + Sync
{
}

impl<F, const N: usize> Element<N> for F where
    F: Fn(f32, f32, [f32; N]) -> (f32, [f32; N]) + Copy + Send + Sync
{
}

/// How many numbers are worth waking a second thread for: it takes a few microseconds, as long as this many of Adam.
const PIECE: usize = 32_768;

/// Whether [`update`] can change the numbers where they lie: `f32` in the memory of the CPU, in one piece.
#[must_use]
pub fn possible(parameter: &Var, gradient: &Tensor) -> bool {
    let plain = |tensor: &Tensor| tensor.dtype() == DType::F32 && tensor.device().is_cpu();
    // A gradient that is the parameter itself could not be read while the parameter is written.
    let distinct = || {
        let (parameter, gradient) = (
            parameter.storage_and_layout(),
            gradient.storage_and_layout(),
        );
        !std::ptr::eq(&*parameter.0, &*gradient.0)
    };
    plain(parameter) && plain(gradient) && parameter.is_contiguous() && distinct()
}

/// Moves `parameter` by `element`, which is given each weight with its gradient and its state; all tensors have the parameter's shape.
///
/// Fails where [`possible`] says no, or where a tensor of the state is not `f32` in one piece on the CPU.
pub fn update<const N: usize>(
    parameter: &Var,
    gradient: &Tensor,
    state: &[Tensor; N],
    element: impl Element<N>,
) -> Result<()> {
    let gradient = gradient.contiguous()?;
    lend_all(state, Vec::new(), &mut |state| {
        let mut slices = state.into_iter();
        let state = std::array::from_fn(|_| slices.next().unwrap_or_default());
        let sweep =
            |weights: &mut [f32], gradient: &[f32]| sweep(weights, gradient, state, element);
        parameter.inplace_op2(&gradient, &Lend(Cell::new(Some(sweep))))
    })
}

/// Cuts the numbers in half until the pieces are small, for as many threads as there are.
///
/// Each number depends on those at its own place alone, so the result is the same for any number of threads.
fn sweep<const N: usize>(
    weights: &mut [f32],
    gradient: &[f32],
    mut state: [&mut [f32]; N],
    element: impl Element<N>,
) {
    let length = weights.len();
    if length <= PIECE || rayon::current_num_threads() == 1 {
        return crate::arch().dispatch(Run {
            weights,
            gradient,
            state,
            element,
        });
    }
    let (weights, more_weights) = weights.split_at_mut(length / 2);
    let (gradient, more_gradient) = gradient.split_at(length / 2);
    let first = (state.each_mut()).map(|rest| rest.split_off_mut(..length / 2).unwrap_or_default());
    rayon::join(
        || sweep(weights, gradient, first, element),
        || sweep(more_weights, more_gradient, state, element),
    );
}

/// The loop itself, for the compiler to turn into the vector instructions that this processor has.
struct Run<'a, F, const N: usize> {
    weights: &'a mut [f32],
    gradient: &'a [f32],
    state: [&'a mut [f32]; N],
    element: F,
}

impl<F: Element<N>, const N: usize> NullaryFnOnce for Run<'_, F, N> {
    type Output = ();

    // Always inlined: only then does it get the vector instructions of the function that calls it.
    #[inline(always)]
    fn call(self) {
        let Self {
            weights,
            gradient,
            state,
            element,
        } = self;
        // All of one length, known before the loop: no index in it has to be checked.
        let length = weights.len();
        let gradient = &gradient[..length];
        let state = state.map(|slice| &mut slice[..length]);
        for index in 0..length {
            let remembered = std::array::from_fn(|kind| state[kind][index]);
            let (weight, remembered) = element(weights[index], gradient[index], remembered);
            weights[index] = weight;
            for kind in 0..N {
                state[kind][index] = remembered[kind];
            }
        }
    }
}

/// Lends the numbers of all `tensors` at once, one after the other taken into `slices`.
fn lend_all(
    tensors: &[Tensor],
    slices: Vec<&mut [f32]>,
    then: &mut dyn FnMut(Vec<&mut [f32]>) -> Result<()>,
) -> Result<()> {
    let Some((first, others)) = tensors.split_first() else {
        return then(slices);
    };
    let take = |slice: &mut [f32]| {
        let mut slices = slices;
        slices.push(slice);
        lend_all(others, slices, then)
    };
    first.inplace_op1(&Lend(Cell::new(Some(take))))
}

/// Candle's way to the numbers of a tensor, without a copy: calls the function with them, once.
struct Lend<F>(Cell<Option<F>>);

impl<F: FnOnce(&mut [f32]) -> Result<()>> InplaceOp1 for Lend<F> {
    fn name(&self) -> &'static str {
        "optimiser-state"
    }

    fn cpu_fwd(&self, numbers: &mut CpuStorage, layout: &Layout) -> Result<()> {
        match (self.0.take(), numbers, layout.contiguous_offsets()) {
            (Some(then), CpuStorage::F32(numbers), Some((start, end))) => {
                then(&mut numbers[start..end])
            }
            _ => bail!("expected f32 numbers in one piece"),
        }
    }
}

impl<F: FnOnce(&mut [f32], &[f32])> InplaceOp2 for Lend<F> {
    fn name(&self) -> &'static str {
        "optimiser-step"
    }

    fn cpu_fwd(
        &self,
        weights: &mut CpuStorage,
        weights_layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> Result<()> {
        let places = weights_layout
            .contiguous_offsets()
            .zip(gradient_layout.contiguous_offsets());
        match (self.0.take(), weights, gradient, places) {
            (Some(then), CpuStorage::F32(weights), CpuStorage::F32(gradient), Some((to, from))) => {
                then(&mut weights[to.0..to.1], &gradient[from.0..from.1]);
                Ok(())
            }
            _ => bail!("expected f32 numbers in one piece"),
        }
    }
}
