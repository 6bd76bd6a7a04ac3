//! Data sets, mini-batches and seeded random numbers.

mod random;

pub use random::Random;
