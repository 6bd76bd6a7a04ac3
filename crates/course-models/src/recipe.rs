//! How a model is trained in mini-batches.

use anyhow::Result;
use candle_core::Var;
use kindling::optim::{Adam, AdamW, AdamWConfig, Nesterov, NesterovConfig, Optimizer, Schedule};
use serde::Serialize;

use crate::options::Options;

/// Everything that decides how a model is trained, apart from its network, its data and the seed.
///
/// Weights keep it as JSON. A new field needs no more than that its absence means that it is off.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recipe {
    /// How often it goes through the training set.
    pub epochs: usize,
    /// How many examples each step looks at.
    pub batch_size: usize,
    /// The learning rate that the schedule starts from, or its highest.
    pub learning_rate: f64,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// What moves the parameters.
    pub optimizer: OptimizerKind,
    /// How much of each label's probability is spread over all classes or tokens.
    pub label_smoothing: f64,
    /// How long all gradients together may be.
    pub clip_norm: Option<f64>,
    /// After how many epochs without a smaller validation loss it ends, and takes the best weights.
    pub patience: Option<usize>,
}

/// An optimiser before it has parameters, with all but its learning rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub enum OptimizerKind {
    /// [`Adam`].
    Adam,
    /// [`AdamW`], which takes this share of each weight away at each step, times the learning rate.
    AdamW { weight_decay: f64 },
    /// [`Nesterov`].
    Nesterov { momentum: f64, weight_decay: f64 },
}

/// Up within a tenth of the training, and down in the rest.
pub const QUICK_RISE: Schedule = Schedule::OneCycle {
    rise: 0.1,
    first_divisor: 25.0,
    last_divisor: 1e3,
};

impl Recipe {
    /// The recipe, with what the command line says otherwise.
    pub fn with(&self, options: &Options) -> Self {
        let batch_size = options.batches.batch_size;
        Self {
            epochs: options.epochs.unwrap_or(self.epochs),
            batch_size: batch_size.unwrap_or(self.batch_size),
            learning_rate: options.learning_rate.unwrap_or(self.learning_rate),
            ..self.clone()
        }
    }

    /// The optimiser for these parameters.
    pub fn optimizer(&self, parameters: Vec<Var>) -> Result<Box<dyn Optimizer>> {
        let learning_rate = self.learning_rate;
        Ok(match self.optimizer {
            OptimizerKind::Adam => Box::new(Adam::new(parameters, learning_rate)?),
            OptimizerKind::AdamW { weight_decay } => Box::new(AdamW::with_config(
                parameters,
                AdamWConfig {
                    learning_rate,
                    weight_decay,
                    ..AdamWConfig::default()
                },
            )?),
            OptimizerKind::Nesterov {
                momentum,
                weight_decay,
            } => Box::new(Nesterov::with_config(
                parameters,
                NesterovConfig {
                    learning_rate,
                    momentum,
                    weight_decay,
                },
            )?),
        })
    }
}

#[cfg(test)]
mod tests {
    use kindling::train::Settings;
    use serde_json::{Value, json};

    use super::*;
    use crate::options::tests::options;

    const RECIPE: Recipe = Recipe {
        epochs: 10,
        batch_size: 128,
        learning_rate: 0.1,
        schedule: QUICK_RISE,
        optimizer: OptimizerKind::AdamW { weight_decay: 0.05 },
        label_smoothing: 0.0,
        clip_norm: None,
        patience: Some(4),
    };

    #[test]
    fn the_command_line_comes_before_the_recipe() {
        assert_eq!(RECIPE.with(&options("mnist-mlp --seed 3")), RECIPE);
        let other = RECIPE.with(&options(
            "mnist-mlp --epochs 2 --batch-size 3 --learning-rate 0.5",
        ));
        let expected = Recipe {
            epochs: 2,
            batch_size: 3,
            learning_rate: 0.5,
            ..RECIPE
        };
        assert_eq!(other, expected);
    }

    #[test]
    fn it_is_kept_as_json() {
        let settings = Settings::default().with("training", RECIPE).unwrap();
        let expected = json!({
            "version": 1,
            "values": {"training": {
                "epochs": 10,
                "batch_size": 128,
                "learning_rate": 0.1,
                "schedule": {"OneCycle": {"rise": 0.1, "first_divisor": 25.0, "last_divisor": 1000.0}},
                "optimizer": {"AdamW": {"weight_decay": 0.05}},
                "label_smoothing": 0.0,
                "clip_norm": null,
                "patience": 4,
            }},
        });
        let kept: Value = serde_json::from_str(&settings.to_json()).unwrap();
        assert_eq!(kept, expected);
    }
}
