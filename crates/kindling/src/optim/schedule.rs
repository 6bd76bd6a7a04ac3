//! Schedules: learning rates that change while training goes on.

use std::f64::consts::PI;

use serde::Serialize;

use super::settings::{fraction, not_negative, positive};
use crate::{
    Error, Result,
    plot::{Figure, Lines},
};

/// How the learning rate changes from step to step; see [`at`](Self::at).
///
/// ```
/// use kindling::optim::Schedule;
/// let schedule = Schedule::WarmUp { steps: 9, then: Box::new(Schedule::Cosine { lowest: 0.0 }) };
/// assert!((schedule.at(0, 109, 0.1) - 0.01).abs() < 1e-12); // rises from a tenth …
/// assert!((schedule.at(9, 109, 0.1) - 0.1).abs() < 1e-12); // … to all of it …
/// assert!((schedule.at(59, 109, 0.1) - 0.05).abs() < 1e-12); // … and falls to half of it, half-way
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Schedule {
    /// The same rate in all steps.
    ///
    /// ```
    /// use kindling::optim::Schedule;
    /// assert_eq!(Schedule::Constant.at(700, 1_000, 0.1), 0.1);
    /// ```
    Constant,

    /// The rate is multiplied by `factor` after each `every` steps: `η γ^⌊t/every⌋`.
    ///
    /// ```
    /// use kindling::optim::Schedule;
    /// let schedule = Schedule::Step { every: 300, factor: 0.5 };
    /// assert_eq!(schedule.at(299, 1_000, 0.1), 0.1);
    /// assert_eq!(schedule.at(600, 1_000, 0.1), 0.025);
    /// ```
    Step {
        /// How many steps have the same rate.
        every: usize,
        /// What it is multiplied by then, such as 0.1.
        factor: f64,
    },

    /// The rate falls along half a cosine, slowly at both ends (Loshchilov and Hutter, 2017, equation 5):
    /// `low + (η − low) (1 + cos(π t/T)) / 2`.
    ///
    /// ```
    /// use kindling::optim::Schedule;
    /// let schedule = Schedule::Cosine { lowest: 0.01 };
    /// assert!((schedule.at(500, 1_000, 0.1) - 0.055).abs() < 1e-12); // half-way down after half the time
    /// ```
    Cosine {
        /// The rate at the end, such as 0.
        lowest: f64,
    },

    /// The rate rises in a straight line for `steps` steps, then another schedule takes over (Goyal and others, 2017).
    ///
    /// The first steps are taken while the weights are still random and Adam's means are made of few gradients.
    /// Small ones do no harm.
    ///
    /// ```
    /// use kindling::optim::Schedule;
    /// let schedule = Schedule::WarmUp { steps: 4, then: Box::new(Schedule::Constant) };
    /// let rates: Vec<f64> = (0..6).map(|step| schedule.at(step, 100, 5.0)).collect();
    /// assert_eq!(rates, [1.0, 2.0, 3.0, 4.0, 5.0, 5.0]);
    /// ```
    WarmUp {
        /// How many steps are below the full rate.
        steps: usize,
        /// What follows, for the steps that are left.
        then: Box<Schedule>,
    },

    /// Up and down once, along cosines; the rate given is the highest (Smith and Topin, 2018).
    ///
    /// ```
    /// use kindling::optim::Schedule;
    /// let schedule = Schedule::ONE_CYCLE;
    /// assert!((schedule.at(0, 1_000, 0.1) - 0.1 / 25.0).abs() < 1e-12);
    /// assert!((schedule.at(299, 1_000, 0.1) - 0.1).abs() < 1e-12);
    /// assert!(schedule.at(999, 1_000, 0.1) < 1e-6);
    /// ```
    OneCycle {
        /// Which share of the steps goes up.
        rise: f64,
        /// How many times smaller than the highest rate the first one is.
        first_divisor: f64,
        /// How many times smaller than the first rate the last one is.
        last_divisor: f64,
    },
}

impl Schedule {
    /// One cycle with the settings that PyTorch proposes: up for 0.3 of the steps, from a 25th, to a 10,000th of that.
    pub const ONE_CYCLE: Self = Self::OneCycle {
        rise: 0.3,
        first_divisor: 25.0,
        last_divisor: 1e4,
    };

    /// The learning rate of `step`, the first being 0, in a training of `total_steps` steps with the rate `base_rate`.
    ///
    /// Where training goes on after `total_steps`, the last rate holds.
    #[must_use]
    pub fn at(&self, step: usize, total_steps: usize, base_rate: f64) -> f64 {
        let (now, total) = (step.min(total_steps) as f64, total_steps.max(1) as f64);
        match *self {
            Self::Constant => base_rate,
            Self::Step { every, factor } => {
                let falls = step.min(total_steps) / every.max(1);
                base_rate * factor.powi(i32::try_from(falls).unwrap_or(i32::MAX))
            }
            Self::Cosine { lowest } => cosine(base_rate, lowest, now / total),
            Self::WarmUp { steps, ref then } => match step.checked_sub(steps) {
                None => base_rate * (step + 1) as f64 / (steps + 1) as f64,
                Some(step) => then.at(step, total_steps.saturating_sub(steps), base_rate),
            },
            Self::OneCycle {
                rise,
                first_divisor,
                last_divisor,
            } => {
                let first = base_rate / first_divisor;
                let (top, end) = (rise * total - 1.0, total - 1.0);
                if now <= top {
                    cosine(first, base_rate, if top > 0.0 { now / top } else { 1.0 })
                } else {
                    let share = (now - top) / (end - top);
                    cosine(base_rate, first / last_divisor, share.min(1.0))
                }
            }
        }
    }

    /// Fails when a setting makes no sense, and names it.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::Constant => Ok(()),
            Self::Step { every: 0, .. } => Err(Error::Argument(
                "every: expected at least one step, found 0".to_owned(),
            )),
            Self::Step { factor, .. } => not_negative("factor", *factor),
            Self::Cosine { lowest } => not_negative("lowest", *lowest),
            Self::WarmUp { then, .. } => then.check(),
            Self::OneCycle {
                rise,
                first_divisor,
                last_divisor,
            } => {
                fraction("rise", *rise)?;
                positive("first_divisor", *first_divisor)?;
                positive("last_divisor", *last_divisor)
            }
        }
    }

    /// Draws the learning rate over all steps.
    ///
    /// ```
    /// use kindling::optim::Schedule;
    /// let figure = Schedule::ONE_CYCLE.plot(1_000, 0.1)?;
    /// # Ok::<(), kindling::Error>(())
    /// ```
    pub fn plot(&self, total_steps: usize, base_rate: f64) -> Result<Figure> {
        self.check()?;
        not_negative("base_rate", base_rate)?;
        let rates: Vec<f64> = (0..total_steps)
            .map(|step| self.at(step, total_steps, base_rate))
            .collect();
        Lines::new("The learning rate")
            .axes("step", "learning rate")
            .series("learning rate", &rates)
            .draw()
    }
}

/// From `start` to `end` along half a cosine; `share`, from 0 to 1, is how much of the way is done.
fn cosine(start: f64, end: f64, share: f64) -> f64 {
    end + (start - end) * (1.0 + (PI * share).cos()) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_has_a_rate_whatever_the_settings() {
        let one_cycle = |rise| Schedule::OneCycle {
            rise,
            first_divisor: 25.0,
            last_divisor: 1e4,
        };
        let after = |steps, then| Schedule::WarmUp {
            steps,
            then: Box::new(then),
        };
        let schedules = [
            Schedule::Constant,
            Schedule::Step {
                every: 0,
                factor: 0.5,
            },
            Schedule::Cosine { lowest: 0.0 },
            one_cycle(0.0),
            one_cycle(0.3),
            one_cycle(0.999),
            after(0, Schedule::Constant),
            after(500, Schedule::ONE_CYCLE),
        ];
        for schedule in schedules {
            for total in [0, 1, 2, 3, 10, 101] {
                for step in 0..200 {
                    let rate = schedule.at(step, total, 0.1);
                    assert!(
                        (0.0..=0.1 + 1e-12).contains(&rate),
                        "{schedule:?} {step}/{total}: {rate}"
                    );
                }
            }
        }
    }

    #[test]
    fn senseless_settings_are_named() {
        let error = |schedule: Schedule| schedule.plot(10, 0.1).unwrap_err().to_string();
        let step = Schedule::Step {
            every: 0,
            factor: 0.5,
        };
        assert_eq!(error(step), "every: expected at least one step, found 0");
        let then = Box::new(Schedule::Cosine { lowest: f64::NAN });
        let warm_up = Schedule::WarmUp { steps: 3, then };
        assert!(error(warm_up).starts_with("lowest: "));
        let one_cycle = Schedule::OneCycle {
            rise: 1.0,
            first_divisor: 25.0,
            last_divisor: 1e4,
        };
        assert!(error(one_cycle).starts_with("rise: "));
        assert!(Schedule::Constant.plot(0, 0.1).is_err());
    }
}
