//! The training loop with everything adjustable.

use std::{
    fmt::{self, Display},
    path::PathBuf,
};

use candle_core::Tensor;

use super::{objective::Objective, settings::Settings};
use crate::{
    Error, Result,
    data::Random,
    optim::{Optimizer, Schedule},
};

/// How often a checkpoint is written; one is also written at the end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Every {
    /// After so many steps.
    Steps(usize),
    /// After so many seconds.
    Seconds(f64),
}

/// A training run: any model, any optimiser, any loader.
///
/// ```
/// use kindling::{data::Mnist, models::{Mlp, MlpConfig, Model}, optim::{Adam, Schedule}, train::Training};
/// # use kindling::data::{BatchIterator, Batches, Examples, Loader};
/// # struct Digits(Examples);
/// # impl Loader for Digits {
/// #     fn steps(&self) -> usize { 4 }
/// #     fn examples(&self) -> usize { 200 }
/// #     fn batches(&self, epoch: usize, skip: usize) -> kindling::Result<BatchIterator<'_>> {
/// #         Ok(Box::new(Batches::new(&self.0, 50, epoch as u64)?.skip(skip)))
/// #     }
/// # }
/// let mnist = Mnist::builtin(200, 50, 0)?;
/// # let loader = Digits(mnist.train.clone());
/// let model = Mlp::new(&MlpConfig::default(), 0)?;
/// let optimizer = Adam::new(model.parameters(), 0.001)?;
/// let history = Training::new(Box::new(optimizer))
///     .epochs(5)
///     .schedule(Schedule::ONE_CYCLE)
///     .label_smoothing(0.1)
///     .patience(2)
///     .fit(&model, &loader, &mnist.test)?;
/// println!("{history:?}");
/// # assert!(history.epochs.last().unwrap().loss < history.epochs[0].loss);
/// # Ok::<(), kindling::Error>(())
/// ```
pub struct Training {
    pub(super) optimizer: Box<dyn Optimizer>,
    pub(super) objective: Objective,
    pub(super) epochs: usize,
    pub(super) seed: u64,
    pub(super) schedule: Schedule,
    pub(super) clip_norm: Option<f64>,
    pub(super) patience: Option<usize>,
    pub(super) checkpoint: Option<(PathBuf, Every)>,
    pub(super) resume: bool,
    pub(super) log: Option<PathBuf>,
    pub(super) settings: Settings,
    pub(super) stop: Box<dyn Fn() -> bool>,
}

impl Training {
    /// One epoch with the cross-entropy loss, until told otherwise. The optimiser has the model's parameters.
    #[must_use]
    pub fn new(optimizer: Box<dyn Optimizer>) -> Self {
        Self {
            optimizer,
            objective: Objective::classifier(),
            epochs: 1,
            seed: 0,
            schedule: Schedule::Constant,
            clip_norm: None,
            patience: None,
            checkpoint: None,
            resume: false,
            log: None,
            settings: Settings::default(),
            stop: Box::new(|| false),
        }
    }

    /// How often to go through the training set.
    #[must_use]
    pub fn epochs(self, epochs: usize) -> Self {
        Self { epochs, ..self }
    }

    /// Decides what happens at random inside the model, such as dropout.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// How the optimiser's learning rate changes over all steps.
    #[must_use]
    pub fn schedule(self, schedule: Schedule) -> Self {
        Self { schedule, ..self }
    }

    /// Scales the gradients down where their common norm is larger than this.
    #[must_use]
    pub fn clip_norm(self, norm: f64) -> Self {
        Self {
            clip_norm: Some(norm),
            ..self
        }
    }

    /// Ends when the validation loss has not fallen for so many epochs; the model gets its best weights back.
    #[must_use]
    pub fn patience(self, epochs: usize) -> Self {
        Self {
            patience: Some(epochs),
            ..self
        }
    }

    /// Takes this much of each label's probability and spreads it over all classes (Szegedy et al., 2016).
    #[must_use]
    pub fn label_smoothing(mut self, share: f64) -> Self {
        self.objective.label_smoothing = share;
        self
    }

    /// Another loss: from outputs and targets to `()`. Accuracies are not measured then, unless [`Self::right`] says how.
    #[must_use]
    pub fn loss(self, loss: impl Fn(&Tensor, &Tensor) -> Result<Tensor> + 'static) -> Self {
        self.sampled_loss(move |outputs, targets, _| loss(outputs, targets))
    }

    /// [`Self::loss`] for a loss that looks only at a random sample of the outputs; it is given what is left of this step's chance.
    #[must_use]
    pub fn sampled_loss(
        mut self,
        loss: impl Fn(&Tensor, &Tensor, &mut Random) -> Result<Tensor> + 'static,
    ) -> Self {
        self.objective = Objective::custom(Box::new(loss));
        self
    }

    /// Which answers are right: from outputs and targets to a tensor that is 1 for each right answer and 0 for each other.
    #[must_use]
    pub fn correct(
        mut self,
        correct: impl Fn(&Tensor, &Tensor) -> Result<Tensor> + 'static,
    ) -> Self {
        self.objective.set_correct(Box::new(correct));
        self
    }

    /// Keeps a checkpoint in this folder, from which an interrupted run can go on.
    #[must_use]
    pub fn checkpoint(self, folder: impl Into<PathBuf>, every: Every) -> Self {
        Self {
            checkpoint: Some((folder.into(), every)),
            ..self
        }
    }

    /// Goes on from the checkpoint, where there is one, bit for bit as if there had been no interruption.
    #[must_use]
    pub fn resume(self, resume: bool) -> Self {
        Self { resume, ..self }
    }

    /// Writes a line of JSON for each epoch to this file, from which tables can be made.
    #[must_use]
    pub fn log(self, file: impl Into<PathBuf>) -> Self {
        Self {
            log: Some(file.into()),
            ..self
        }
    }

    /// Something that this loop does not know but a log should name and a resumed run must share, such as a batch size.
    #[must_use]
    pub fn setting(mut self, name: &str, value: impl Display) -> Self {
        self.settings.put(name, &value);
        self
    }

    /// [`Self::setting`] for several, which may be structures.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = self.settings.and(settings);
        self
    }

    /// Asked after each step; `true` ends the run as a stop request of the learner does.
    #[must_use]
    pub fn stop_when(self, stop: impl Fn() -> bool + 'static) -> Self {
        Self {
            stop: Box::new(stop),
            ..self
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        self.schedule.check()?;
        let problem = match self {
            Self { epochs: 0, .. } => "epochs: expected at least 1, found 0".to_owned(),
            Self {
                patience: Some(0), ..
            } => "patience: expected at least 1, found 0".to_owned(),
            Self {
                clip_norm: Some(norm),
                ..
            } if !(norm.is_finite() && *norm > 0.0) => {
                format!("clip_norm: expected a positive number, found {norm}")
            }
            Self { objective, .. } if !(0.0..1.0).contains(&objective.label_smoothing) => format!(
                "label_smoothing: expected a number from 0 up to, but not including, 1, found {}",
                objective.label_smoothing
            ),
            Self {
                checkpoint: Some((_, Every::Steps(0))),
                ..
            } => "checkpoint: expected at least 1 step, found 0".to_owned(),
            Self {
                resume: true,
                checkpoint: None,
                ..
            } => "resume: expected a checkpoint folder to resume from, found none".to_owned(),
            _ => return Ok(()),
        };
        Err(Error::Argument(problem))
    }
}

impl fmt::Debug for Training {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Training")
            .field("epochs", &self.epochs)
            .field("seed", &self.seed)
            .field("learning_rate", &self.optimizer.learning_rate())
            .field("schedule", &self.schedule)
            .field("objective", &self.objective)
            .field("clip_norm", &self.clip_norm)
            .field("patience", &self.patience)
            .field("checkpoint", &self.checkpoint)
            .field("resume", &self.resume)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
