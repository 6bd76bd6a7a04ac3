//! Whether the numbers of a command line make sense.

use anyhow::{Result, bail};

/// Fails unless each number, after the name of its option, is at least 1 and at most the largest that makes sense.
pub fn in_range(numbers: &[(&str, usize, usize)]) -> Result<()> {
    for (option, number, most) in numbers {
        if *number == 0 {
            bail!("{option}: expected at least 1, found 0");
        }
        if number > most {
            bail!("{option}: expected at most {most}, found {number}");
        }
    }
    Ok(())
}

/// Fails unless the number is above zero and finite.
pub fn positive(option: &str, number: f64) -> Result<()> {
    if !(number.is_finite() && number > 0.0) {
        bail!("{option}: expected a positive number, found {number}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_and_its_number_are_named() {
        let problem = |number| {
            in_range(&[("--window", number, 9)])
                .unwrap_err()
                .to_string()
        };
        assert_eq!(problem(0), "--window: expected at least 1, found 0");
        assert_eq!(problem(10), "--window: expected at most 9, found 10");
        assert!(in_range(&[("--window", 9, 9), ("--epochs", 1, 1)]).is_ok());
        for number in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let error = positive("--rate", number).unwrap_err().to_string();
            assert_eq!(
                error,
                format!("--rate: expected a positive number, found {number}")
            );
        }
    }
}
