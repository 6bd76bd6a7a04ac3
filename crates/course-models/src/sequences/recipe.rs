//! How such a model is trained.

use kindling::optim::Schedule;

use crate::train::Args;

/// Everything that decides how a model of sequences is trained, apart from its network and the seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// What the command line calls it.
    pub name: &'static str,
    /// How many tokens source and target share.
    pub vocabulary_size: usize,
    /// How often it goes through the training set.
    pub epochs: usize,
    /// How many pairs each step looks at.
    pub batch_size: usize,
    /// The highest learning rate.
    pub learning_rate: f64,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// How much of each token's probability is spread over all tokens.
    pub label_smoothing: f64,
    /// How long all gradients together may be.
    pub clip_norm: f64,
    /// After how many epochs without a smaller validation loss it ends, and takes the best weights.
    pub patience: Option<usize>,
}

/// Up within a tenth of the training, and down in the rest.
pub const QUICK_RISE: Schedule = Schedule::OneCycle {
    rise: 0.1,
    first_divisor: 25.0,
    last_divisor: 1e3,
};

impl Recipe {
    /// The recipe, with what the command line says otherwise.
    pub fn with(self, args: &Args) -> Self {
        Self {
            epochs: args.epochs.unwrap_or(self.epochs),
            batch_size: args.batch_size.unwrap_or(self.batch_size),
            learning_rate: args.learning_rate.unwrap_or(self.learning_rate),
            ..self
        }
    }
}
