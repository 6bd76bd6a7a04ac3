//! What the loop does beside training: it reads what was measured, shows it, and keeps checkpoints.

use std::time::Instant;

use super::{
    Every, History,
    checkpoint::Checkpoints,
    fit::Run,
    measures::{Diverged, Measures},
    state::State,
};
use crate::{Error, Result};

impl<Input> Run<'_, Input> {
    /// Whether no epoch before had a smaller validation loss.
    pub(super) fn is_best(&self, validation_loss: f64) -> bool {
        let History { epochs, best, .. } = &self.state.history;
        best.is_none_or(|best| validation_loss < epochs[best].validation_loss)
    }

    /// Whether it has not become better for too long.
    pub(super) fn out_of_patience(&self) -> bool {
        let History { epochs, best, .. } = &self.state.history;
        let since_best = best.map(|best| epochs.len() - 1 - best);
        match (self.training.patience, since_best) {
            (Some(patience), Some(since)) => since >= patience,
            _ => false,
        }
    }

    /// Reads what the last steps measured.
    pub(super) fn settle(&mut self) -> Result<()> {
        let (epoch, step) = (self.state.epoch, self.state.step);
        match self.state.measures.settle()? {
            None => Ok(()),
            Some(Diverged {
                ago,
                loss,
                learning_rate,
            }) => {
                let place = format!("step {} of epoch {epoch}", step - ago);
                let hint = self.checkpoints.as_ref().and_then(Checkpoints::hint);
                let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
                Err(Error::Training(format!(
                    "the loss is {loss} at {place}; try a learning rate smaller than {}{hint}",
                    short(learning_rate)
                )))
            }
        }
    }

    pub(super) fn show(&self) {
        let State { epoch, .. } = self.state;
        let Measures { latest, .. } = self.state.measures;
        self.progress
            .message(&format!("epoch {epoch} · loss {latest:.3}"));
        self.progress.set(self.done() as u64);
    }

    pub(super) fn save_is_due(&self, now: Instant) -> bool {
        match self.training.checkpoint {
            Some((_, Every::Steps(steps))) => self.done().is_multiple_of(steps),
            Some((_, Every::Seconds(seconds))) => (now - self.saved).as_secs_f64() >= seconds,
            None => false,
        }
    }

    /// Writes a checkpoint, where one is wanted.
    pub(super) fn save(&mut self) -> Result<()> {
        self.settle()?; // so that nothing is kept after a loss that was no number
        if let Some(checkpoints) = &mut self.checkpoints {
            checkpoints.save(&self.state, self.model, self.training.optimizer.as_ref())?;
            self.saved = Instant::now();
        }
        Ok(())
    }
}

/// A learning rate in three digits, such as `1.44e-3`.
pub(super) fn short(rate: f64) -> String {
    let rounded = format!("{rate:.2e}").parse::<f64>();
    format!("{:e}", rounded.unwrap_or(rate))
}
