//! The training loop: any model, any optimiser, any loader; what it records, and how it survives an interruption.
//!
//! [`fit`] trains a classifier with four settings. [`Training`] is the same loop with everything adjustable.
//! [`save_weights`] and [`load_weights`] keep what was learned, and [`places`] says where.

mod checkpoint;
mod config;
mod evaluate;
mod first_form;
mod fit;
mod history;
mod log;
mod measures;
mod objective;
pub mod places;
mod report;
mod sequence;
mod settings;
mod state;
mod training;
mod weights;

pub use config::{FitConfig, fit};
pub use evaluate::{Validation, evaluate, predict};
pub use history::{Epoch, History};
pub use sequence::{correct_tokens, sequence_cross_entropy};
pub use settings::Settings;
pub use training::{Every, Training};
pub use weights::{load_weights, read_details, save_weights};
