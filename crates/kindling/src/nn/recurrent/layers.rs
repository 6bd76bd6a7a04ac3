//! Layers over layers, forwards and backwards in time: what all recurrent networks share.

use std::marker::PhantomData;

use candle_core::{DType, Tensor, Var};

use crate::{
    Error, Result,
    data::Random,
    ops::{Cell, linear, recurrence, recurrence_by_steps},
};

/// The sizes of a recurrent network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecurrentConfig {
    /// How many features each step of the sequence has.
    pub inputs: usize,
    /// How many numbers the hidden state has, in each direction.
    pub hidden_size: usize,
    /// How many layers there are, each reading the states of the one below.
    pub layers: usize,
    /// Whether each layer also reads the sequence from its end, so that every state knows both sides.
    pub bidirectional: bool,
}

impl RecurrentConfig {
    /// One layer in one direction.
    #[must_use]
    pub fn new(inputs: usize, hidden_size: usize) -> Self {
        Self {
            inputs,
            hidden_size,
            layers: 1,
            bidirectional: false,
        }
    }

    /// In how many directions a layer reads: 1 or 2.
    #[must_use]
    pub fn directions(&self) -> usize {
        1 + usize::from(self.bidirectional)
    }
}

/// A recurrent network: [`Rnn`](super::Rnn), [`Lstm`](super::Lstm) or [`Gru`](super::Gru), after its cell.
#[derive(Debug, Clone)]
pub struct Recurrent<C> {
    config: RecurrentConfig,
    /// Layer after layer; within a layer first forwards, then backwards in time.
    passes: Vec<Pass>,
    cell: PhantomData<C>,
}

/// One layer in one direction.
#[derive(Debug, Clone)]
struct Pass {
    /// `l0`, `l0_reverse`, `l1`, …
    name: String,
    reverse: bool,
    /// `(gates · hidden_size, inputs)`.
    weight_ih: Var,
    /// `(gates · hidden_size, hidden_size)`.
    weight_hh: Var,
    /// `(gates · hidden_size)`.
    bias_ih: Var,
    /// `(gates · hidden_size)`.
    bias_hh: Var,
}

impl<C: Cell> Recurrent<C> {
    /// All weights and biases drawn evenly from ±1 / √hidden_size, as PyTorch does.
    pub fn new(config: &RecurrentConfig, random: &mut Random) -> Result<Self> {
        let size = config.hidden_size;
        if config.inputs == 0 || size == 0 || config.layers == 0 {
            return Err(Error::Argument(format!(
                "{}: expected at least one input, hidden number and layer, found {config:?}",
                C::NAME
            )));
        }
        let limit = (size as f64).sqrt().recip();
        let mut draw = |shape: &[usize]| -> Result<Var> {
            Ok(Var::from_tensor(&random.uniform(shape, -limit, limit)?)?)
        };
        let mut passes = Vec::new();
        for layer in 0..config.layers {
            let below = match layer {
                0 => config.inputs,
                _ => size * config.directions(),
            };
            for reverse in [false, true].into_iter().take(config.directions()) {
                let suffix = if reverse { "_reverse" } else { "" };
                passes.push(Pass {
                    name: format!("l{layer}{suffix}"),
                    reverse,
                    weight_ih: draw(&[C::GATES * size, below])?,
                    weight_hh: draw(&[C::GATES * size, size])?,
                    bias_ih: draw(&[C::GATES * size])?,
                    bias_hh: draw(&[C::GATES * size])?,
                });
            }
        }
        Ok(Self {
            config: *config,
            passes,
            cell: PhantomData,
        })
    }

    /// The sizes that it was made with.
    #[must_use]
    pub fn config(&self) -> &RecurrentConfig {
        &self.config
    }

    /// From `(batch, time, inputs)` to the hidden states `(batch, time, directions · hidden_size)` of the last layer, and the
    /// last state of each layer and direction, `(layers · directions, batch, states · hidden_size)`.
    ///
    /// `start` has the shape of that last state; without it all states begin at zero. Where `mask` `(batch, time)` is zero there
    /// is padding: it changes no state, and its hidden states are returned as zero.
    pub fn forward(
        &self,
        sequence: &Tensor,
        start: Option<&Tensor>,
        mask: Option<&Tensor>,
    ) -> Result<(Tensor, Tensor)> {
        self.run(sequence, start, mask, recurrence::<C>)
    }

    /// [`Recurrent::forward`] in Candle's own operations, a step at a time: slower, with the same results.
    pub fn forward_by_steps(
        &self,
        sequence: &Tensor,
        start: Option<&Tensor>,
        mask: Option<&Tensor>,
    ) -> Result<(Tensor, Tensor)> {
        self.run(sequence, start, mask, recurrence_by_steps::<C>)
    }

    fn run(
        &self,
        sequence: &Tensor,
        start: Option<&Tensor>,
        mask: Option<&Tensor>,
        walk: Walk,
    ) -> Result<(Tensor, Tensor)> {
        let starts = self.starts(sequence, start)?;
        let (mut x, mut last) = (sequence.clone(), Vec::new());
        for layer in self.passes.chunks(self.config.directions()) {
            let mut hidden = Vec::new();
            for pass in layer {
                let start = starts.get(last.len())?; // (batch, states)
                let states = pass.run(&x, &start, mask, walk)?; // (batch, time, states)
                let end = if pass.reverse { 0 } else { states.dim(1)? - 1 };
                last.push(states.narrow(1, end, 1)?.squeeze(1)?); // (batch, states)
                hidden.push(states.narrow(2, 0, self.config.hidden_size)?);
            }
            x = Tensor::cat(&hidden, 2)?; // (batch, time, directions · hidden_size)
        }
        if let Some(mask) = mask {
            let seen = mask.ne(0.0)?.to_dtype(x.dtype())?;
            x = x.broadcast_mul(&seen.unsqueeze(2)?)?;
        }
        Ok((x, Tensor::stack(&last, 0)?)) // (layers · directions, batch, states)
    }

    /// The states to begin with, `(layers · directions, batch, states · hidden_size)`.
    fn starts(&self, sequence: &Tensor, start: Option<&Tensor>) -> Result<Tensor> {
        let error = |what: &str, expected: String, found: &Tensor| Error::Shape {
            what: format!("{}: {what}", C::NAME),
            expected,
            found: found.dims().to_vec(),
        };
        let batch = match *sequence.dims() {
            [batch, time, inputs] if inputs == self.config.inputs && time > 0 => batch,
            _ => {
                let expected = format!("(batch, time, {}), time at least 1", self.config.inputs);
                return Err(error("sequence", expected, sequence));
            }
        };
        let states = C::STATES * self.config.hidden_size;
        let expected = [self.passes.len(), batch, states];
        match start {
            None => Ok(Tensor::zeros(&expected, DType::F32, sequence.device())?),
            Some(start) if start.dims() == expected => Ok(start.clone()),
            Some(start) => Err(error("start", format!("{expected:?}"), start)),
        }
    }

    /// All parameters by name, as PyTorch names them: `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, …
    #[must_use]
    pub fn state(&self, name: &str) -> Vec<(String, Var)> {
        let prefix = if name.is_empty() { "" } else { "." };
        let named = self.passes.iter().flat_map(|pass| {
            [
                ("weight_ih", &pass.weight_ih),
                ("weight_hh", &pass.weight_hh),
                ("bias_ih", &pass.bias_ih),
                ("bias_hh", &pass.bias_hh),
            ]
            .map(|(part, var)| (format!("{name}{prefix}{part}_{}", pass.name), var.clone()))
        });
        named.collect()
    }
}

/// How a pass goes through time: [`recurrence`] or [`recurrence_by_steps`].
type Walk = fn(&Tensor, &Tensor, &Tensor, &Tensor, Option<&Tensor>, bool) -> Result<Tensor>;

impl Pass {
    fn run(&self, x: &Tensor, start: &Tensor, mask: Option<&Tensor>, walk: Walk) -> Result<Tensor> {
        let (batch, time, features) = x.dims3()?;
        let rows = x.reshape((batch * time, features))?;
        let projected = linear(&rows, &self.weight_ih, &self.bias_ih)?; // all of time in one product
        let projected = projected.reshape((batch, time, ()))?; // (batch, time, gates)
        walk(
            &projected,
            &self.weight_hh,
            &self.bias_hh,
            start,
            mask,
            self.reverse,
        )
    }
}
