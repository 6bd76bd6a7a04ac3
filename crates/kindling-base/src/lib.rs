//! What all rooms of the support crate share: one [`Error`], seeded [`Random`] numbers, and [`boxes`] in a picture.
//!
//! Lessons know all of it by the names that the support crate `kindling` gives it.

pub mod boxes;
mod error;
mod random;

pub use error::{Error, Result};
pub use random::Random;
