//! Where a token stands: attention sees a set, so the order must be written into the tokens (Vaswani et al., 2017, section 3.5).

use candle_core::{Device, Tensor, Var};

use crate::{Error, Result, data::Random};

/// How positions are told to the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PositionKind {
    /// Not at all: the tokens are a set.
    None,
    /// By sines and cosines of fixed wavelengths, see [`sinusoidal_positions`].
    #[default]
    Sinusoidal,
    /// By a vector for each position, learned like those of the tokens.
    Learned,
}

/// Adds to each token a vector that says where it stands.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use kindling::{data::Random, nn::{PositionKind, Positions}};
/// let positions = Positions::new(PositionKind::Sinusoidal, 100, 4, &mut Random::new(0))?;
/// let tokens = Tensor::zeros((1, 2, 4), DType::F32, &Device::Cpu)?; // (batch, time, hidden_size)
/// let placed = positions.forward(&tokens, 0)?; // (batch, time, hidden_size)
/// assert_eq!(placed.get(0)?.get(0)?.to_vec1::<f32>()?, [0.0, 1.0, 0.0, 1.0]); // sin 0, cos 0, sin 0, cos 0
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone)]
pub enum Positions {
    /// Adds nothing.
    Absent,
    /// Adds these `(max_length, hidden_size)`.
    Sinusoidal(Tensor),
    /// Adds these `(max_length, hidden_size)`, which are trained.
    Learned(Var),
}

impl Positions {
    /// For sequences of up to `max_length` tokens; learned ones start with a standard deviation of 0.02.
    pub fn new(
        kind: PositionKind,
        max_length: usize,
        hidden_size: usize,
        random: &mut Random,
    ) -> Result<Self> {
        Ok(match kind {
            PositionKind::None => Self::Absent,
            PositionKind::Sinusoidal => {
                Self::Sinusoidal(sinusoidal_positions(max_length, hidden_size)?)
            }
            PositionKind::Learned => {
                let table = random.normal((max_length, hidden_size), 0.0, 0.02)?;
                Self::Learned(Var::from_tensor(&table)?)
            }
        })
    }

    /// Adds positions to tokens `(batch, time, hidden_size)`, of which the first stands at `first`. Fails where one is beyond `max_length`.
    pub fn forward(&self, tokens: &Tensor, first: usize) -> Result<Tensor> {
        let table = match self {
            Self::Absent => return Ok(tokens.clone()),
            Self::Sinusoidal(table) => table,
            Self::Learned(table) => table.as_tensor(),
        };
        let (_, time, hidden_size) = tokens.dims3()?;
        let (max_length, size) = table.dims2()?;
        if first + time > max_length || hidden_size != size {
            return Err(Error::Shape {
                what: "tokens".to_owned(),
                expected: format!(
                    "(batch, time, {size}) with at most {max_length} tokens, {first} of them before"
                ),
                found: tokens.dims().to_vec(),
            });
        }
        let here = table.narrow(0, first, time)?; // (time, hidden_size)
        Ok(tokens.broadcast_add(&here)?)
    }

    /// What is learned, by name.
    #[must_use]
    pub fn state(&self, name: &str) -> Vec<(String, Var)> {
        match self {
            Self::Learned(table) => vec![(format!("{name}.weight"), table.clone())],
            _ => Vec::new(),
        }
    }
}

// ANCHOR: sinusoidal
/// A vector for each position, `(length, size)`: `sin(p / 10000^(2i/size))` in column `2i`, the cosine in column `2i + 1`.
///
/// The first columns count quickly, the last ones slowly, as the digits of a number do.
pub fn sinusoidal_positions(length: usize, size: usize) -> Result<Tensor> {
    let angle = |position: usize, pair: usize| {
        position as f64 / 10_000_f64.powf(2.0 * pair as f64 / size as f64)
    };
    let row = |position| {
        (0..size).map(move |column| {
            let angle = angle(position, column / 2);
            (if column % 2 == 0 {
                angle.sin()
            } else {
                angle.cos()
            }) as f32
        })
    };
    let numbers: Vec<f32> = (0..length).flat_map(row).collect();
    Ok(Tensor::from_vec(numbers, (length, size), &Device::Cpu)?)
}
// ANCHOR_END: sinusoidal
