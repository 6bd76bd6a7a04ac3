//! Layers that Candle lacks, or that it is slow to train, each in a file of its own.
//!
//! A layer owns its parameters as [`Var`](candle_core::Var)s, has a `forward`, and names its state for checkpoints; one that measures something
//! itself, such as a running mean, lists that as its `buffers`. Images are `(batch, height, width, channels)`, texts `(batch, time, features)`.
//!
//! Training differs from use in two ways, and each has one form. A layer with statistics of its batch has a `forward_training` beside `forward`. A
//! layer with dropout is given `random`, this step's random numbers; without them it drops nothing.

mod attention;
mod batch_norm;
mod convolution;
mod decoder_layer;
mod dense;
mod dropout;
mod embedding;
mod encoder_layer;
mod feed_forward;
mod global_attention;
mod layer_norm;
mod positions;
mod recurrent;
mod residual;
mod separable;
mod stage;

pub use attention::{KeyValue, MultiHeadAttention};
pub use batch_norm::BatchNorm;
pub use convolution::{Convolution, ConvolutionNorm};
pub use decoder_layer::{DecoderCache, DecoderLayer};
pub use dense::Dense;
pub use dropout::Dropout;
pub use embedding::Embedding;
pub use encoder_layer::EncoderLayer;
pub use feed_forward::FeedForward;
pub use global_attention::GlobalAttention;
pub use layer_norm::LayerNorm;
pub use positions::{PositionKind, Positions, sinusoidal_positions};
pub use recurrent::{Gru, GruCell, Lstm, LstmCell, Recurrent, RecurrentConfig, Rnn, RnnCell};
pub use residual::Residual;
pub use separable::Separable;
pub use stage::Stage;

use candle_core::{Tensor, Var};

use crate::{Error, Result};

/// The mean of each channel over the whole image: `(batch, height, width, channels)` becomes `(batch, channels)` (Lin, Chen and Yan, 2014).
pub fn global_average_pool(images: &Tensor) -> Result<Tensor> {
    if images.rank() != 4 {
        return Err(Error::Shape {
            what: "images".to_owned(),
            expected: "(batch, height, width, channels)".to_owned(),
            found: images.dims().to_vec(),
        });
    }
    Ok(images.mean((1, 2))?) // (batch, channels)
}

/// The tensors of a state that are trained: all but `buffers`, which the layers measure themselves.
#[must_use]
pub fn trained(state: Vec<(String, Var)>, buffers: &[Var]) -> Vec<Var> {
    let is_buffer = |tensor: &Var| buffers.iter().any(|buffer| buffer.id() == tensor.id());
    let tensors = state.into_iter().map(|(_, tensor)| tensor);
    tensors.filter(|tensor| !is_buffer(tensor)).collect()
}
