//! Checks of what an optimiser is told, each with an error that names the setting.

use crate::{Error, Result};

/// Checks that a setting is a positive number.
pub(super) fn positive(name: &str, value: f64) -> Result<()> {
    expect(
        name,
        value,
        "a positive number",
        value.is_finite() && value > 0.0,
    )
}

/// Checks that a setting is zero or a positive number.
pub(super) fn not_negative(name: &str, value: f64) -> Result<()> {
    let sensible = value.is_finite() && value >= 0.0;
    expect(name, value, "zero or a positive number", sensible)
}

/// Checks that a setting that says how much of the past is kept lies in `0..1`.
pub(super) fn fraction(name: &str, value: f64) -> Result<()> {
    let expected = "a number from 0 up to, but not including, 1";
    expect(name, value, expected, (0.0..1.0).contains(&value))
}

fn expect(name: &str, value: f64, expected: &str, sensible: bool) -> Result<()> {
    if sensible {
        return Ok(());
    }
    Err(Error::Argument(format!(
        "{name}: expected {expected}, found {value}"
    )))
}
