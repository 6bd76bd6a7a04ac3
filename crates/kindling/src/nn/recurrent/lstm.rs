//! Long short-term memory (Hochreiter and Schmidhuber, 1997) with a forget gate (Gers, Schmidhuber and Cummins, 2000).

use candle_core::Tensor;
use candle_nn::ops::sigmoid;

use super::{
    gates::{sigmoid as sigmoid_of, tanh, vectors, vectors_mut},
    layers::Recurrent,
};
use crate::{Error, Result, ops::Cell};

/// A recurrent layer with a second state, the cell c, that is added to and not multiplied by a matrix.
///
/// Its weights hold the input gate i, the forget gate f, the new content g and the output gate o, in this order:
/// `c ← f ⊙ c + i ⊙ g` and `h ← o ⊙ tanh(c)`. A row of its state is h and then c: [`Lstm::hidden_and_cell`] parts them.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use kindling::{data::Random, nn::{Lstm, RecurrentConfig}};
/// let lstm = Lstm::new(&RecurrentConfig::new(3, 5), &mut Random::new(0))?;
/// let sequence = Tensor::zeros((2, 7, 3), DType::F32, &Device::Cpu)?; // (batch, time, features)
/// let (hidden, last) = lstm.forward(&sequence, None, None)?;
/// assert_eq!(hidden.dims(), [2, 7, 5]); // (batch, time, hidden_size)
/// let (h, c) = lstm.hidden_and_cell(&last)?;
/// assert_eq!((h.dims(), c.dims()), (&[1, 2, 5][..], &[1, 2, 5][..])); // (layers, batch, hidden_size)
/// # Ok::<(), kindling::Error>(())
/// ```
pub type Lstm = Recurrent<LstmCell>;

/// One step of an [`Lstm`].
#[derive(Debug, Clone, Copy)]
pub struct LstmCell;

impl Lstm {
    /// The two parts of a state `(…, 2 · hidden_size)`: h and c, each `(…, hidden_size)`.
    pub fn hidden_and_cell(&self, state: &Tensor) -> Result<(Tensor, Tensor)> {
        let size = self.config().hidden_size;
        let last = state.rank().saturating_sub(1);
        if state.dims().last() != Some(&(2 * size)) {
            return Err(Error::Shape {
                what: "lstm: state".to_owned(),
                expected: format!("(…, {})", 2 * size),
                found: state.dims().to_vec(),
            });
        }
        Ok((
            state.narrow(last, 0, size)?,
            state.narrow(last, size, size)?,
        ))
    }

    /// Makes every forget gate begin with this bias: at 1 or 2 the cell forgets slowly before it has learned what to forget
    /// (Jozefowicz, Zaremba and Sutskever, 2015, section 2.2).
    pub fn with_forget_bias(self, bias: f64) -> Result<Self> {
        let size = self.config().hidden_size;
        for (name, parameter) in self.state("") {
            let value = match name {
                _ if name.contains("bias_ih") => bias,
                _ if name.contains("bias_hh") => 0.0, // the two are added
                _ => continue,
            };
            let forget = Tensor::full(value as f32, size, parameter.device())?;
            let input = parameter.narrow(0, 0, size)?;
            let rest = parameter.narrow(0, 2 * size, 2 * size)?;
            parameter.set(&Tensor::cat(&[&input, &forget, &rest], 0)?)?;
        }
        Ok(self)
    }
}

impl Cell for LstmCell {
    const NAME: &'static str = "lstm";
    const GATES: usize = 4;
    const STATES: usize = 2;
    const KEPT: usize = 5; // i, f, g, o, and tanh(c)

    // ANCHOR: step
    fn step(projected: &Tensor, recurrent: &Tensor, state: &Tensor) -> Result<Tensor> {
        let gates = (projected + recurrent)?.chunk(4, 1)?; // 4 × (batch, hidden_size)
        let (input, forget) = (sigmoid(&gates[0])?, sigmoid(&gates[1])?);
        let (content, output) = (gates[2].tanh()?, sigmoid(&gates[3])?);
        let size = state.dim(1)? / 2;
        let cell = ((forget * state.narrow(1, size, size)?)? + (input * content)?)?;
        let hidden = (output * cell.tanh()?)?;
        Ok(Tensor::cat(&[hidden, cell], 1)?) // (batch, 2 · hidden_size)
    }
    // ANCHOR_END: step

    #[inline(always)]
    fn forward(projected: &[f32], recurrent: &[f32], state: &mut [f32], kept: &mut [f32]) {
        let (hidden, cell) = state.split_at_mut(state.len() / 2);
        let size = hidden.len();
        let [input_i, input_f, input_g, input_o] = vectors(projected, size);
        let [product_i, product_f, product_g, product_o] = vectors(recurrent, size);
        let [is, fs, gs, os, tanhs] = vectors_mut(kept, size);
        let cell = &mut cell[..size];
        for k in 0..size {
            let i = sigmoid_of(input_i[k] + product_i[k]);
            let f = sigmoid_of(input_f[k] + product_f[k]);
            let g = tanh(input_g[k] + product_g[k]);
            let o = sigmoid_of(input_o[k] + product_o[k]);
            cell[k] = f * cell[k] + i * g;
            let squashed = tanh(cell[k]);
            hidden[k] = o * squashed;
            (is[k], fs[k], gs[k], os[k], tanhs[k]) = (i, f, g, o, squashed);
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
        let (to_hidden, to_cell) = gradient.split_at_mut(gradient.len() / 2);
        let size = to_hidden.len();
        let [is, fs, gs, os, tanhs] = vectors(kept, size);
        let [to_i, to_f, to_g, to_o] = vectors_mut(to_projected, size);
        let (cell, to_cell) = (&before[size..][..size], &mut to_cell[..size]);
        for k in 0..size {
            let (i, f, g, o, squashed) = (is[k], fs[k], gs[k], os[k], tanhs[k]);
            let to_c = to_cell[k] + to_hidden[k] * o * (1.0 - squashed * squashed);
            to_o[k] = to_hidden[k] * squashed * o * (1.0 - o);
            to_i[k] = to_c * g * i * (1.0 - i);
            to_f[k] = to_c * cell[k] * f * (1.0 - f);
            to_g[k] = to_c * i * (1.0 - g * g);
            (to_hidden[k], to_cell[k]) = (0.0, to_c * f);
        }
        to_recurrent.copy_from_slice(to_projected);
    }
}
