//! The loop itself: mini-batch, loss, gradient, step, and again.

use std::time::{Duration, Instant};

use candle_core::{Tensor, Var, backprop::GradStore};
use kindling_progress::{Progress, stop_requested};

use super::{
    Epoch, History, Training, Validation, checkpoint::Checkpoints, evaluate::evaluate_with,
    log::Log, objective::Objective, report::short, settings::constants, state::State,
};
use crate::{
    Error, Result,
    data::{Loader, Random},
    models::Model,
    optim::clip_norm,
};

/// How often progress is shown: faster than this nobody reads.
const BEAT: Duration = Duration::from_millis(100);

impl Training {
    /// Trains the model on the loader's mini-batches; after each epoch it is measured on `validation`.
    ///
    /// A stop request of the learner ends it early: the model keeps what it has learned, the history what was recorded.
    pub fn fit<Input>(
        self,
        model: &dyn Model<Input>,
        loader: &dyn Loader<Input>,
        validation: &(impl Validation<Input> + ?Sized),
    ) -> Result<History> {
        self.check()?;
        if loader.steps() == 0 {
            return Err(Error::Argument(
                "training: expected at least one example, found none".to_owned(),
            ));
        }
        let forward = |inputs: &Input| model.forward(inputs);
        let measure = |objective: &Objective| evaluate_with(&forward, validation, objective);
        Run::start(self, model, loader)?.finish(&measure)
    }
}

/// A run under way.
pub(super) struct Run<'a, Input> {
    pub(super) training: Training,
    pub(super) model: &'a dyn Model<Input>,
    pub(super) parameters: Vec<Var>,
    /// What the schedule starts from.
    pub(super) base_rate: f64,
    pub(super) loader: &'a dyn Loader<Input>,
    pub(super) state: State,
    pub(super) checkpoints: Option<Checkpoints>,
    pub(super) saved: Instant,
    pub(super) log: Option<Log>,
    pub(super) progress: Progress,
}

impl<'a, Input> Run<'a, Input> {
    fn start(
        mut training: Training,
        model: &'a dyn Model<Input>,
        loader: &'a dyn Loader<Input>,
    ) -> Result<Self> {
        let settings = training.all_settings(loader)?;
        let base_rate = training.optimizer.learning_rate(); // before a checkpoint can change it
        let mut checkpoints = training
            .checkpoint
            .as_ref()
            .map(|(folder, _)| Checkpoints::new(folder, settings.clone()));
        let mut state = None;
        if let Some(checkpoints) = checkpoints.as_mut().filter(|_| training.resume) {
            state = checkpoints.load(model, training.optimizer.as_mut())?;
        }
        let state = state.unwrap_or_else(State::new);
        let log = match &training.log {
            Some(path) => {
                let constants = constants(model, settings, training.epochs);
                Some(Log::start(path, constants, &state.history.epochs)?)
            }
            None => None,
        };
        let steps = training.epochs * loader.steps();
        Ok(Self {
            progress: Progress::new(steps as u64, "training", "steps"),
            training,
            model,
            parameters: model.parameters(),
            base_rate,
            loader,
            state,
            checkpoints,
            saved: Instant::now(),
            log,
        })
    }

    /// Trains to the end, or to where it is told to stop.
    fn finish(mut self, measure: &dyn Fn(&Objective) -> Result<(f64, f64)>) -> Result<History> {
        let mut stopped = false;
        while self.state.epoch <= self.training.epochs && !self.out_of_patience() {
            stopped = !self.train_epoch()?;
            if stopped {
                break;
            }
            let validation = measure(&self.training.objective)?;
            self.close_epoch(validation)?;
        }
        self.save()?;
        let mut words = String::new();
        if stopped {
            words = format!("stopped in epoch {}", self.state.epoch);
        } else {
            self.state.restore_best(self.model)?; // after the checkpoint, which holds both
        }
        self.progress.finish(&words);
        self.state.history.stopped = stopped;
        Ok(self.state.history)
    }

    /// Goes through the batches that the epoch still has; `false` when asked to stop.
    fn train_epoch(&mut self) -> Result<bool> {
        let loader = self.loader;
        let (epoch, behind) = (self.state.epoch, self.state.seconds);
        let started = Instant::now();
        let mut shown: Option<Instant> = None;
        for batch in loader.batches(epoch, self.state.step)? {
            if stop_requested() || (self.training.stop)() {
                return Ok(false);
            }
            let (inputs, targets) = batch?;
            self.step(&inputs, &targets)?;
            let now = Instant::now();
            self.state.seconds = behind + (now - started).as_secs_f64();
            if self.save_is_due(now) {
                self.save()?;
            }
            let beat = shown.is_none_or(|shown| now - shown >= BEAT);
            if beat || self.state.measures.full() {
                self.settle()?;
            }
            if beat {
                self.show();
                shown = Some(now);
            }
        }
        self.settle()?;
        Ok(true)
    }

    /// The next step: its learning rate, its chance, the step itself, and what it measured.
    fn step(&mut self, inputs: &Input, targets: &Tensor) -> Result<()> {
        let total = self.training.epochs * self.loader.steps();
        let rate = self
            .training
            .schedule
            .at(self.done(), total, self.base_rate);
        self.training.optimizer.set_learning_rate(rate)?;
        self.state.step += 1;
        let (epoch, step) = (self.state.epoch as u64, self.state.step as u64);
        // Another seed than the loader's, or what a layer drops would depend on which example comes when.
        let mut random = Random::for_step(!self.training.seed, epoch, step);
        let (outputs, loss) = self.train_step(inputs, targets, &mut random)?;
        let right = self.training.objective.correct(&outputs, targets)?;
        self.state.measures.add(targets.dim(0)?, rate, loss, right);
        Ok(())
    }

    // ANCHOR: train_step
    /// One step downhill on one mini-batch; returns what the model said before it, and the loss of that.
    fn train_step(
        &mut self,
        inputs: &Input,
        labels: &Tensor,
        random: &mut Random,
    ) -> Result<(Tensor, Tensor)> {
        let logits = self.model.forward_training(inputs, random)?; // (batch, classes)
        let loss = self
            .training
            .objective
            .training_loss(&logits, labels, random)?; // ()
        let mut gradients = loss.backward()?;
        self.clip(&mut gradients, &loss)?;
        self.training.optimizer.step(&gradients)?;
        Ok((logits.detach(), loss.detach()))
    }
    // ANCHOR_END: train_step

    /// Scales the gradients down, where that is wanted.
    fn clip(&mut self, gradients: &mut GradStore, loss: &Tensor) -> Result<()> {
        let Some(norm) = self.training.clip_norm else {
            return Ok(());
        };
        clip_norm(gradients, &self.parameters, norm)
            .map(drop)
            .map_err(|error| {
                let rate = self.training.optimizer.learning_rate();
                // A loss that is no number is the better explanation.
                self.state.measures.add(1, rate, loss.detach(), None);
                let State { epoch, step, .. } = self.state;
                let place = format!(
                    "step {step} of epoch {epoch}, learning rate {}",
                    short(rate)
                );
                let error = match error {
                    Error::Training(problem) => Error::Training(format!("{place}: {problem}")),
                    error => error,
                };
                self.settle().err().unwrap_or(error)
            })
    }

    /// How many steps of the whole run are behind.
    pub(super) fn done(&self) -> usize {
        (self.state.epoch - 1) * self.loader.steps() + self.state.step
    }

    fn close_epoch(&mut self, (validation_loss, validation_accuracy): (f64, f64)) -> Result<()> {
        let (loss, accuracy) = self.state.measures.means();
        let measured = Epoch {
            loss,
            accuracy,
            validation_loss,
            validation_accuracy,
            learning_rate: self.training.optimizer.learning_rate(),
            seconds: self.state.seconds,
        };
        let number = self.state.epoch;
        self.state.close_epoch(measured);
        if self.training.patience.is_some() && self.is_best(validation_loss) {
            self.state.history.best = Some(number - 1);
            self.state.keep_best(self.model)?;
        }
        match &self.log {
            Some(log) => log.append(number, &measured),
            None => Ok(()),
        }
    }
}
