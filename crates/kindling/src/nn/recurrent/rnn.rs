//! The simple recurrent network (Elman, 1990).

use candle_core::Tensor;

use super::{gates::tanh, layers::Recurrent};
use crate::{Result, ops::Cell};

/// A recurrent layer whose state is `h ← tanh(W_ih x + b_ih + W_hh h + b_hh)`.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use kindling::{data::Random, nn::{RecurrentConfig, Rnn}};
/// let rnn = Rnn::new(&RecurrentConfig::new(3, 5), &mut Random::new(0))?;
/// let sequence = Tensor::zeros((2, 7, 3), DType::F32, &Device::Cpu)?; // (batch, time, features)
/// let (hidden, last) = rnn.forward(&sequence, None, None)?;
/// assert_eq!(hidden.dims(), [2, 7, 5]); // (batch, time, hidden_size)
/// assert_eq!(last.dims(), [1, 2, 5]); // (layers, batch, hidden_size)
/// # Ok::<(), kindling::Error>(())
/// ```
pub type Rnn = Recurrent<RnnCell>;

/// One step of an [`Rnn`].
#[derive(Debug, Clone, Copy)]
pub struct RnnCell;

impl Cell for RnnCell {
    const NAME: &'static str = "rnn";
    const GATES: usize = 1;
    const STATES: usize = 1;
    const KEPT: usize = 1; // the slope of tanh

    // ANCHOR: step
    fn step(projected: &Tensor, recurrent: &Tensor, _state: &Tensor) -> Result<Tensor> {
        Ok((projected + recurrent)?.tanh()?) // (batch, hidden_size)
    }
    // ANCHOR_END: step

    #[inline(always)]
    fn forward(projected: &[f32], recurrent: &[f32], state: &mut [f32], kept: &mut [f32]) {
        let sums = projected.iter().zip(recurrent);
        for ((h, slope), (input, product)) in state.iter_mut().zip(kept).zip(sums) {
            *h = tanh(input + product);
            *slope = 1.0 - *h * *h;
        }
    }

    #[inline(always)]
    fn backward(
        kept: &[f32],
        _before: &[f32],
        gradient: &mut [f32],
        to_projected: &mut [f32],
        to_recurrent: &mut [f32],
    ) {
        let given = gradient.iter_mut().zip(kept);
        for ((to_input, to_product), (to_h, slope)) in
            to_projected.iter_mut().zip(to_recurrent).zip(given)
        {
            *to_input = *to_h * slope;
            *to_product = *to_input;
            *to_h = 0.0; // everything goes through the product
        }
    }
}
