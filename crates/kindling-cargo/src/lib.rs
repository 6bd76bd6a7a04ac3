//! Runs cargo and says how far it is.
//!
//! - [`run`] starts cargo, reads its own progress bar, and calls back with a [`Count`].
//! - [`Line`] shows a text that moves: in place on a terminal, now and then as a plain line elsewhere.
//! - [`time_left`] guesses how long the rest takes.

mod count;
mod line;
mod run;

pub use count::{Count, Phase};
pub use line::{Line, minutes_left, time_left};
pub use run::{Ended, run, without_package};
