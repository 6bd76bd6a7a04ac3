//! The polite way to end long work early.

use std::path::Path;

/// Whether the learner asked for the running work to stop.
///
/// The kernel creates the file that `KINDLING_STOP_FILE` names before it interrupts anything. A loop that looks at this
/// once a step can end early and still return what it has, where an interrupt would lose all variables.
#[must_use]
pub fn stop_requested() -> bool {
    std::env::var_os("KINDLING_STOP_FILE").is_some_and(|file| Path::new(&file).exists())
}
