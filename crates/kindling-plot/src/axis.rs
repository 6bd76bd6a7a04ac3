//! An axis: a range of numbers with round ticks, straight or logarithmic.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use super::text;
use crate::{Error, Result};

/// A range of numbers on the figure. For plotters it is a coordinate.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    logarithmic: bool,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// From `low` to `high`, widened by the share `margin` on both sides, with about `count` ticks.
    pub(super) fn linear(
        chart: &str,
        low: f64,
        high: f64,
        margin: f64,
        count: usize,
    ) -> Result<Self> {
        let (low, high) = widened(low, high);
        let extra = (high - low) * margin;
        let (low, high) = (low - extra, high + extra);
        if !(high - low).is_finite() {
            return Err(Error::Plot(format!(
                "{chart}: numbers from {low:e} to {high:e} are too far apart to draw; use a logarithmic axis"
            )));
        }
        Ok(Self {
            low,
            high,
            logarithmic: false,
            ticks: round_ticks(low, high, count),
        })
    }

    /// From `low` to `high`, both above zero, in equal steps for equal ratios.
    pub(super) fn logarithmic(low: f64, high: f64, margin: f64) -> Self {
        let (mut low, mut high) = (low.log10(), high.log10());
        if high - low < 0.3 {
            (low, high) = (low - 0.3, high + 0.3);
        }
        let extra = (high - low) * margin;
        let (low, high) = (low - extra, high + extra);
        Self {
            low: 10_f64.powf(low),
            high: 10_f64.powf(high),
            logarithmic: true,
            ticks: decades(low, high),
        }
    }

    /// Places 0, 1, 2 … with a name each.
    pub(super) fn named(names: &[String]) -> Self {
        let ticks = names
            .iter()
            .enumerate()
            .map(|(place, name)| (place as f64, name.clone()))
            .collect();
        Self {
            low: -0.5,
            high: names.len() as f64 - 0.5,
            logarithmic: false,
            ticks,
        }
    }

    /// The same, from the other end.
    pub(super) fn reversed(mut self) -> Self {
        std::mem::swap(&mut self.low, &mut self.high);
        self
    }

    /// The room that the widest label needs.
    pub(super) fn label_width(&self, size: f64) -> f64 {
        self.ticks
            .iter()
            .map(|(_, label)| text::width(label, size))
            .fold(0.0, f64::max)
    }

    /// Keeps every second, third … label, so that all fit side by side into `length` pixels.
    pub(super) fn thinned(self, size: f64, length: f64) -> Self {
        let room = self.label_width(size) + 8.0;
        self.every(room, length)
    }

    /// Keeps every second, third … label, so that each of them has `room` of the `length` pixels.
    pub(super) fn every(mut self, room: f64, length: f64) -> Self {
        let fits = (length / room).max(1.0) as usize;
        let every = self.ticks.len().div_ceil(fits).max(1);
        self.ticks = self.ticks.into_iter().step_by(every).collect();
        self
    }

    fn share(&self, value: f64) -> f64 {
        if self.logarithmic {
            (value.log10() - self.low.log10()) / (self.high.log10() - self.low.log10())
        } else {
            (value - self.low) / (self.high - self.low)
        }
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let (start, end) = (f64::from(limit.0), f64::from(limit.1));
        (start + (end - start) * self.share(*value)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // plotters asks twice: for the lines with labels, and for the finer ones between them, of which there are none.
        if hint.weight().allow_light_points() {
            return Vec::new();
        }
        self.ticks.iter().map(|(value, _)| *value).collect()
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        let label = self.ticks.iter().find(|(tick, _)| tick == value);
        label.map_or_else(String::new, |(_, label)| label.clone())
    }
}

/// A range that is not empty.
fn widened(low: f64, high: f64) -> (f64, f64) {
    let middle = low.abs().max(high.abs());
    if high - low > middle * 1e-9 {
        return (low, high);
    }
    let half = if middle > 0.0 { middle * 0.1 } else { 0.5 };
    (low - half, high + half)
}

/// Multiples of 1, 2 or 5 times a power of ten, about `count` of them.
fn round_ticks(low: f64, high: f64, count: usize) -> Vec<(f64, String)> {
    let least = (high - low) / count as f64;
    let power = least.log10().floor();
    let unit = 10_f64.powf(power);
    let factor = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .find(|factor| factor * unit >= least * 0.999)
        .unwrap_or(10.0);
    let size = factor * unit;
    let decimals = if factor < 10.0 { -power } else { -power - 1.0 }.clamp(0.0, 8.0) as usize;
    let first = (low / size - 1e-9).ceil();
    (0..2 * count)
        .map(|index| (first + index as f64) * size)
        .take_while(|tick| *tick <= high + size * 1e-9)
        .map(|tick| (tick, text::number(tick, decimals)))
        .collect()
}

/// Powers of ten between two exponents; with their doubles and fives when there are few.
fn decades(low: f64, high: f64) -> Vec<(f64, String)> {
    let every = ((high - low) / 8.0).ceil().max(1.0) as i32;
    let factors: &[f64] = match high - low {
        span if span < 1.5 => &[1.0, 2.0, 3.0, 5.0],
        span if span < 2.5 => &[1.0, 3.0],
        _ => &[1.0],
    };
    let plain = low > -4.0 && high < 5.0;
    let mut ticks = Vec::new();
    for exponent in
        (low.floor() as i32..=high.ceil() as i32).filter(|exponent| exponent.rem_euclid(every) == 0)
    {
        for factor in factors {
            let tick = factor * 10_f64.powi(exponent);
            if (low - 1e-9..=high + 1e-9).contains(&tick.log10()) {
                let label = if plain {
                    text::number(tick, (-exponent).max(0) as usize)
                } else if *factor == 1.0 {
                    format!("10{}", text::superscript(exponent))
                } else {
                    format!("{factor}×10{}", text::superscript(exponent))
                };
                ticks.push((tick, label));
            }
        }
    }
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round() {
        let axis = |low, high| Axis::linear("x", low, high, 0.0, 6).unwrap();
        assert_eq!(
            labels(&axis(-3.0, 3.0)),
            ["−3", "−2", "−1", "0", "1", "2", "3"]
        );
        assert_eq!(
            labels(&axis(0.0, 1.0)),
            ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(
            labels(&axis(0.97, 0.985)),
            ["0.970", "0.975", "0.980", "0.985"]
        );
        assert_eq!(
            labels(&axis(0.0, 3e7)),
            ["0", "5×10⁶", "10⁷", "1.5×10⁷", "2×10⁷", "2.5×10⁷", "3×10⁷"]
        );
    }

    #[test]
    fn one_number_is_still_a_range() {
        for value in [0.0, 1.0, -5e-300, 1e300] {
            let axis = Axis::linear("x", value, value, 0.0, 6).unwrap();
            assert!(axis.low < axis.high && axis.ticks.len() < 20, "{axis:?}");
        }
        assert!(Axis::linear("x", -1e308, 1e308, 0.0, 6).is_err());
    }

    #[test]
    fn logarithmic_ticks_are_powers_of_ten() {
        assert_eq!(
            labels(&Axis::logarithmic(0.01, 100.0, 0.0)),
            ["0.01", "0.1", "1", "10", "100"]
        );
        assert_eq!(
            labels(&Axis::logarithmic(1.0, 10.0, 0.0)),
            ["1", "2", "3", "5", "10"]
        );
        assert_eq!(
            labels(&Axis::logarithmic(1e-9, 1e-7, 0.0)),
            ["10⁻⁹", "3×10⁻⁹", "10⁻⁸", "3×10⁻⁸", "10⁻⁷"]
        );
    }
}
