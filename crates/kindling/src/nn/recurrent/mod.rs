//! Layers that read a sequence step by step and remember: [`Rnn`], [`Lstm`] and [`Gru`].
//!
//! They share [`Recurrent`], which multiplies the inputs of all steps by their weights at once and lets only the state go
//! through time; each file holds what one step does. Names, layouts and the order of the gates are PyTorch's, so weights fit.

mod gates;
mod gru;
mod layers;
mod lstm;
mod rnn;

pub use gru::{Gru, GruCell};
pub use layers::{Recurrent, RecurrentConfig};
pub use lstm::{Lstm, LstmCell};
pub use rnn::{Rnn, RnnCell};
