//! What happened during training, epoch by epoch.

use std::fmt;

use crate::{
    Result,
    plot::{Figure, Lines},
};

/// The record of a training run. Printed, it is a table.
#[derive(Clone, Default, PartialEq)]
pub struct History {
    /// One entry for each finished epoch.
    pub epochs: Vec<Epoch>,
    /// Whether the learner asked to stop before the last epoch.
    pub stopped: bool,
    /// Which of `epochs` had the smallest validation loss, when training ends there and restores its weights.
    pub best: Option<usize>,
}

/// The measures of one epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Epoch {
    /// Mean loss over the training set, each example measured just before the step it took part in.
    pub loss: f64,
    /// Accuracy over the training set, measured likewise.
    pub accuracy: f64,
    /// Mean loss over the validation set, after the epoch.
    pub validation_loss: f64,
    /// Accuracy over the validation set, after the epoch.
    pub validation_accuracy: f64,
    /// The learning rate of its last step.
    pub learning_rate: f64,
    /// How long its steps took, without the validation.
    pub seconds: f64,
}

impl History {
    /// The loss of the training and the validation set over the epochs.
    pub fn plot(&self) -> Result<Figure> {
        self.curves("Loss", "mean cross-entropy", |epoch| {
            (epoch.loss, epoch.validation_loss)
        })
    }

    /// The accuracy of the training and the validation set over the epochs, in percent.
    pub fn plot_accuracy(&self) -> Result<Figure> {
        self.curves("Accuracy", "accuracy in %", |epoch| {
            (100.0 * epoch.accuracy, 100.0 * epoch.validation_accuracy)
        })
    }

    /// The learning rate over the epochs.
    pub fn plot_learning_rate(&self) -> Result<Figure> {
        let rates = (1..).zip(&self.epochs);
        let rates = rates.map(|(number, epoch)| (f64::from(number), epoch.learning_rate));
        Lines::new("Learning rate")
            .axes("epoch", "learning rate")
            .series("learning rate", rates.collect::<Vec<_>>())
            .draw()
    }

    fn curves(
        &self,
        title: &str,
        label: &str,
        pick: impl Fn(&Epoch) -> (f64, f64),
    ) -> Result<Figure> {
        let mut curves = (Vec::new(), Vec::new());
        for (number, epoch) in (1..).zip(&self.epochs) {
            let (training, validation) = pick(epoch);
            curves.0.push((f64::from(number), training));
            curves.1.push((f64::from(number), validation));
        }
        Lines::new(title)
            .axes("epoch", label)
            .series("training", curves.0)
            .series("validation", curves.1)
            .draw()
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "epoch    loss  accuracy  validation loss  validation accuracy"
        )?;
        for (number, epoch) in (1..).zip(&self.epochs) {
            write!(
                f,
                "\n{number:>5}  {:>6.4}  {:>6}",
                epoch.loss,
                Percent(epoch.accuracy)
            )?;
            write!(
                f,
                "  {:>15.4}  {:>17}",
                epoch.validation_loss,
                Percent(epoch.validation_accuracy)
            )?;
        }
        if let Some(best) = self.best {
            write!(f, "\nweights of epoch {}, the best", best + 1)?;
        }
        if self.stopped {
            write!(f, "\nstopped early")?;
        }
        Ok(())
    }
}

/// A share in percent, or a dash where nothing was counted.
struct Percent(f64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = f.width().unwrap_or(0);
        if self.0.is_nan() {
            write!(f, "{:>width$}  ", "–")
        } else {
            write!(f, "{:>width$.2} %", 100.0 * self.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_printed_as_a_table() {
        let epoch = Epoch {
            loss: 0.35,
            accuracy: 0.9,
            validation_loss: 0.2,
            validation_accuracy: 0.945,
            learning_rate: 0.001,
            seconds: 1.5,
        };
        let history = History {
            epochs: vec![epoch],
            stopped: true,
            best: None,
        };
        let expected = "epoch    loss  accuracy  validation loss  validation accuracy\n    \
                        1  0.3500   90.00 %           0.2000              94.50 %\nstopped early";
        assert_eq!(format!("{history:?}"), expected);
        assert!(
            history
                .plot()
                .is_ok_and(|figure| figure.svg().contains("validation"))
        );
        assert!(history.plot_accuracy().is_ok());
        assert!(history.plot_learning_rate().is_ok());
        assert!(History::default().plot().is_err(), "nothing to draw");
    }
}
