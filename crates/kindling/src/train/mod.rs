//! The training loop and what it records.

mod fit;
mod history;

pub use fit::{FitConfig, evaluate, fit, predict};
pub use history::{Epoch, History};
