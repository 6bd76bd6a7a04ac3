//! Where mini-batches come from.

use candle_core::Tensor;

use crate::Result;

/// Mini-batches of one pass: inputs, for most models `(batch, …)`, and targets `(batch)` or `(batch, classes)`.
pub type BatchIterator<'a, Input = Tensor> =
    Box<dyn Iterator<Item = Result<(Input, Tensor)>> + Send + 'a>;

/// A training set that can be gone through again and again, each time in the order that the epoch decides.
pub trait Loader<Input = Tensor> {
    /// How many mini-batches a pass has.
    fn steps(&self) -> usize;

    /// How many examples a pass has.
    fn examples(&self) -> usize;

    /// The mini-batches of this epoch without its first `skip`, which are not even assembled.
    fn batches(&self, epoch: usize, skip: usize) -> Result<BatchIterator<'_, Input>>;
}
