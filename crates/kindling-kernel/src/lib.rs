//! Prepares, warms and talks to the evcxr_jupyter kernel.
//!
//! - [`prepare_all`] installs the pinned kernel into a project-local [`Home`] and compiles Candle for it, once.
//! - [`Session`] starts a kernel and runs cells on it.
//! - [`Pool`] keeps one kernel warm, so that the first cell does not wait for evcxr to start.
//! - [`front`] is the process that Jupyter starts; it passes a notebook on to a warm kernel.

mod cell;
mod crates;
#[cfg(test)]
mod fake;
mod front;
mod home;
mod limit;
mod message;
mod pool;
mod prepare;
mod process;
mod progress_lines;
mod report;
mod session;
mod shared;
mod sources;
mod spawn;
mod toolchain;
mod workspace;

pub use crates::KernelKind;
pub use front::front;
pub use home::Home;
pub use pool::{Pool, PoolState};
pub use prepare::{
    EVCXR_VERSION, install_specifications, is_prepared, is_prepared_for, locked_version,
    note_compiled, prepare_all,
};
pub use progress_lines::ProgressLines;
pub use report::{Doing, Report, Step};
pub use session::{Outcome, Session, Stopper};
pub use sources::standard_library;
pub use spawn::{Evcxr, write_private};
pub use workspace::{compile_as_cells, target_folder};
