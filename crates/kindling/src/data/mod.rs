//! Data sets, mini-batches and seeded random numbers.

mod batches;
mod digits;
mod examples;
mod idx;
mod loader;
mod mnist;
mod random;

pub use batches::Batches;
pub use examples::Examples;
pub use idx::parse_idx;
pub use loader::{BatchIterator, Loader};
pub use mnist::{Mnist, Source};
pub use random::Random;
