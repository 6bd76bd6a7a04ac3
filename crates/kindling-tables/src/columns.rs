//! The columns of a table as plain vectors, for a figure.

use polars::prelude::{Column, DataFrame, DataType};

use crate::{Error, Result};

/// The numbers of a column; what is missing is NaN.
///
/// ```
/// use kindling_tables::{numbers, polars::prelude::*};
/// let table = df!("seconds" => [2, 3])?;
/// assert_eq!(numbers(&table, "seconds")?, [2.0, 3.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn numbers(frame: &DataFrame, name: &str) -> Result<Vec<f64>> {
    let column = find(frame, name)?.cast(&DataType::Float64)?;
    let values = column.f64()?.iter();
    Ok(values.map(|value| value.unwrap_or(f64::NAN)).collect())
}

/// The words of a column; what is missing is empty.
pub fn words(frame: &DataFrame, name: &str) -> Result<Vec<String>> {
    let column = find(frame, name)?.cast(&DataType::String)?;
    let values = column.str()?.iter();
    Ok(values
        .map(|value| value.unwrap_or_default().to_owned())
        .collect())
}

/// Compares names instead of asking the table for one. A table finds its columns by hash, the hash starts from a number
/// that each program draws, and in a notebook each cell is a program of its own: a table made in one cell would not find its columns in the next.
fn find<'a>(frame: &'a DataFrame, name: &str) -> Result<&'a Column> {
    let columns = frame.columns();
    let found = columns.iter().find(|column| column.name() == name);
    found.ok_or_else(|| {
        let names: Vec<&str> = columns
            .iter()
            .map(|column| column.name().as_str())
            .collect();
        Error::Argument(format!(
            "there is no column `{name}`; there are: {}",
            names.join(", ")
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::df;

    #[test]
    fn what_is_missing_stays_apart() {
        let table = df!("model" => [Some("a"), None], "share" => [None, Some(0.5)]).unwrap();
        assert_eq!(words(&table, "model").unwrap(), ["a", ""]);
        let shares = numbers(&table, "share").unwrap();
        assert!(shares[0].is_nan() && shares[1] == 0.5);
        let error = numbers(&table, "shares").unwrap_err().to_string();
        assert!(error.contains("there are: model, share"), "{error}");
    }
}
