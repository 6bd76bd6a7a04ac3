//! What the turns of all sides gave.

use anyhow::{Result, bail};
use serde_json::{Map, Value, json};

/// The sides in their order, each with what its turns printed.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    pub(super) sides: Vec<(&'static str, Vec<Value>)>,
}

impl Measured {
    /// Sides that have had no turn yet.
    pub(super) fn of(sides: impl Iterator<Item = &'static str>) -> Self {
        Self {
            sides: sides.map(|side| (side, Vec::new())).collect(),
        }
    }

    /// The turns of each side, as somebody else has measured them.
    #[must_use]
    pub fn from_turns(sides: &[(&'static str, Vec<Value>)]) -> Self {
        Self {
            sides: sides.to_vec(),
        }
    }

    /// The median of a side's numbers under this key; nothing for a side that was left out.
    #[must_use]
    pub fn median(&self, side: &str, key: &str) -> Option<f64> {
        let (_, turns) = self.sides.iter().find(|(name, _)| *name == side)?;
        let mut values: Vec<f64> = turns.iter().filter_map(|turn| turn[key].as_f64()).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    }

    /// The medians of all sides, by name.
    #[must_use]
    pub fn row(&self, key: &str) -> Map<String, Value> {
        let sides = self.sides.iter();
        sides
            .map(|(side, _)| ((*side).to_owned(), json!(self.median(side, key))))
            .collect()
    }

    /// How quick each side is by the numbers under this key, such as `ours_tokens_per_s` where the unit is `tokens_per_s`, and
    /// `ratio_to_pytorch`: how many times as quick as the quickest of these peers our side is.
    #[must_use]
    pub fn speeds(&self, key: &str, unit: &str, peers: &[&str]) -> Map<String, Value> {
        let row = self.row(key).into_iter();
        let mut speeds: Map<String, Value> = row
            .map(|(side, speed)| (format!("{side}_{unit}"), speed))
            .collect();
        let ratios = peers.iter().map(|peer| self.ratio(key, "ours", peer));
        let ratio = ratios.flatten().min_by(f64::total_cmp);
        speeds.insert("ratio_to_pytorch".to_owned(), json!(ratio));
        speeds
    }

    /// One side's median divided by another's.
    #[must_use]
    pub fn ratio(&self, key: &str, side: &str, other: &str) -> Option<f64> {
        let pair = self.median(side, key).zip(self.median(other, key));
        pair.map(|(side, other)| side / other)
    }

    /// Whether all sides gave the same number, or list of numbers, under this key.
    ///
    /// Fails when one is not that of the first side to within `tolerance`: who computes something else is not slower or quicker, but wrong.
    pub fn agree(&self, key: &str, tolerance: f64) -> Result<()> {
        let numbers = |turns: &[Value]| -> Vec<f64> {
            let found = turns.first().map(|turn| &turn[key]);
            match found {
                Some(Value::Array(numbers)) => numbers.iter().filter_map(Value::as_f64).collect(),
                found => found.and_then(Value::as_f64).into_iter().collect(),
            }
        };
        let Some((first, own)) = self.sides.first() else {
            return Ok(());
        };
        let own = numbers(own);
        for (side, turns) in self.sides.iter().filter(|(_, turns)| !turns.is_empty()) {
            let theirs = numbers(turns);
            let differences = own.iter().zip(&theirs).map(|(a, b)| (a - b).abs());
            let largest = differences.fold(0.0, f64::max);
            if theirs.is_empty() || theirs.len() != own.len() || largest > tolerance {
                bail!(
                    "{side}: expected the {key} of {first}, {} numbers to within {tolerance}, found {} numbers and the difference {largest:.1e}",
                    own.len(),
                    theirs.len()
                );
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_those_of_medians_and_absent_without_a_peer() {
        let own = [4.0, 1.0, 3.0].map(|time| json!({"time": time})).to_vec();
        let measured = Measured::from_turns(&[
            ("ours", own),
            ("peer", vec![json!({"time": 6.0})]),
            ("missing", vec![]),
        ]);
        assert_eq!(measured.ratio("time", "ours", "peer"), Some(0.5));
        assert_eq!(measured.ratio("time", "ours", "missing"), None);
        let row = json!({"ours": 3.0, "peer": 6.0, "missing": null});
        assert_eq!(Value::Object(measured.row("time")), row);
    }

    #[test]
    fn the_ratio_of_speeds_is_to_the_quickest_peer_and_absent_without_one() {
        let turn = |speed: f64| vec![json!({"tokens_per_s": speed})];
        let all = [
            ("ours", turn(600.0)),
            ("pytorch", turn(300.0)),
            ("pytorch_best", turn(400.0)),
        ];
        let speeds = |sides| {
            let measured = Measured::from_turns(sides);
            measured.speeds("tokens_per_s", "tokens_per_s", &["pytorch", "pytorch_best"])
        };
        assert_eq!(speeds(&all)["ratio_to_pytorch"], json!(1.5));
        assert_eq!(speeds(&all)["pytorch_tokens_per_s"], json!(300.0));
        assert_eq!(speeds(&all[..1])["ratio_to_pytorch"], Value::Null);
    }

    #[test]
    fn a_side_that_computes_something_else_is_not_compared() {
        let sides = |theirs: Value| {
            Measured::from_turns(&[
                ("ours", vec![json!({"vector": [0.6, 0.8], "loss": 2.0})]),
                ("peer", vec![theirs]),
                ("missing", vec![]),
            ])
        };
        let close = sides(json!({"vector": [0.6, 0.8001], "loss": 2.0001}));
        assert!(close.agree("vector", 1e-3).is_ok() && close.agree("loss", 1e-3).is_ok());
        let far = sides(json!({"vector": [0.8, 0.6]}));
        let error = far.agree("vector", 1e-3).unwrap_err().to_string();
        assert!(
            error.starts_with("peer: expected the vector of ours, 2 numbers"),
            "{error}"
        );
        assert!(far.agree("loss", 1e-3).is_err(), "it gave none");
    }
}
