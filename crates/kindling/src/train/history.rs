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
                "\n{number:>5}  {:>6.4}  {:>6.2} %",
                epoch.loss,
                100.0 * epoch.accuracy
            )?;
            write!(
                f,
                "  {:>15.4}  {:>17.2} %",
                epoch.validation_loss,
                100.0 * epoch.validation_accuracy
            )?;
        }
        if self.stopped {
            write!(f, "\nstopped early")
        } else {
            Ok(())
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
        };
        let history = History {
            epochs: vec![epoch],
            stopped: true,
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
        assert!(History::default().plot().is_err(), "nothing to draw");
    }
}
