//! The gated recurrent unit (Cho et al., 2014, section 2.3), in PyTorch's form: the reset gate acts after the product.

use candle_core::Tensor;
use candle_nn::ops::sigmoid;

use super::{
    gates::{sigmoid as sigmoid_of, tanh, vectors, vectors_mut},
    layers::Recurrent,
};
use crate::{Result, ops::Cell};

/// A recurrent layer with a reset gate r and an update gate z, in this order in its weights, before the new state n.
///
/// `n = tanh(W_in x + b_in + r ⊙ (W_hn h + b_hn))` and `h ← (1 − z) ⊙ n + z ⊙ h`. Where z is near one, the state passes
/// unchanged, and so does its gradient.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use kindling::{data::Random, nn::{Gru, RecurrentConfig}};
/// let config = RecurrentConfig { bidirectional: true, ..RecurrentConfig::new(3, 5) };
/// let gru = Gru::new(&config, &mut Random::new(0))?;
/// let sequence = Tensor::zeros((2, 7, 3), DType::F32, &Device::Cpu)?; // (batch, time, features)
/// let (hidden, last) = gru.forward(&sequence, None, None)?;
/// assert_eq!(hidden.dims(), [2, 7, 10]); // (batch, time, 2 · hidden_size)
/// assert_eq!(last.dims(), [2, 2, 5]); // (layers · 2, batch, hidden_size)
/// # Ok::<(), kindling::Error>(())
/// ```
pub type Gru = Recurrent<GruCell>;

/// One step of a [`Gru`].
#[derive(Debug, Clone, Copy)]
pub struct GruCell;

impl Cell for GruCell {
    const NAME: &'static str = "gru";
    const GATES: usize = 3;
    const STATES: usize = 1;
    const KEPT: usize = 4; // r, z, n, and the hidden state's share of n

    // ANCHOR: step
    fn step(projected: &Tensor, recurrent: &Tensor, state: &Tensor) -> Result<Tensor> {
        let (input, product) = (projected.chunk(3, 1)?, recurrent.chunk(3, 1)?);
        let reset = sigmoid(&(&input[0] + &product[0])?)?; // (batch, hidden_size)
        let update = sigmoid(&(&input[1] + &product[1])?)?;
        let new = (&input[2] + (reset * &product[2])?)?.tanh()?;
        let kept = (state * &update)?;
        Ok(((update.affine(-1.0, 1.0)? * new)? + kept)?)
    }
    // ANCHOR_END: step

    #[inline(always)]
    fn forward(projected: &[f32], recurrent: &[f32], state: &mut [f32], kept: &mut [f32]) {
        let size = state.len();
        let [input_r, input_z, input_n] = vectors(projected, size);
        let [product_r, product_z, product_n] = vectors(recurrent, size);
        let [resets, updates, news, shares] = vectors_mut(kept, size);
        for k in 0..size {
            let r = sigmoid_of(input_r[k] + product_r[k]);
            let z = sigmoid_of(input_z[k] + product_z[k]);
            let n = tanh(input_n[k] + r * product_n[k]);
            state[k] = (1.0 - z) * n + z * state[k];
            (resets[k], updates[k], news[k], shares[k]) = (r, z, n, product_n[k]);
        }
    }

    #[inline(always)]
    fn backward(
        kept: &[f32],
        before: &[f32],
        gradient: &mut [f32],
        to_projected: &mut [f32],
        to_recurrent: &mut [f32],
    ) {
        let size = gradient.len();
        let [resets, updates, news, shares] = vectors(kept, size);
        let [to_r, to_z, to_n] = vectors_mut(to_projected, size);
        let before = &before[..size];
        for k in 0..size {
            let (r, z, n, to_h) = (resets[k], updates[k], news[k], gradient[k]);
            to_n[k] = to_h * (1.0 - z) * (1.0 - n * n);
            to_r[k] = to_n[k] * shares[k] * r * (1.0 - r);
            to_z[k] = to_h * (before[k] - n) * z * (1.0 - z);
            gradient[k] = to_h * z;
        }
        to_recurrent.copy_from_slice(to_projected);
        for (to_share, r) in to_recurrent[2 * size..].iter_mut().zip(resets) {
            *to_share *= r;
        }
    }
}
