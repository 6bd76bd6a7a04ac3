//! What translates, and how it is trained.

use kindling::{
    models::{Seq2SeqConfig, TransformerConfig},
    optim::Schedule,
};

/// The networks that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// Attention alone.
    Transformer,
    /// Recurrent, with attention on the source.
    Gru,
}

/// Everything that decides what a trained translator is, apart from the seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// What the command line calls it.
    pub name: &'static str,
    /// What translates.
    pub architecture: Architecture,
    /// How many tokens both languages share.
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
}

/// The longest sequence, in tokens.
pub const MAX_LENGTH: usize = 256;

const QUICK_RISE: Schedule = Schedule::OneCycle {
    rise: 0.1,
    first_divisor: 25.0,
    last_divisor: 1e3,
};

const RECIPES: [Recipe; 2] = [
    Recipe {
        name: "transformer-translate",
        architecture: Architecture::Transformer,
        vocabulary_size: 8_000,
        epochs: 12,
        batch_size: 64,
        learning_rate: 0.001,
        schedule: QUICK_RISE,
        label_smoothing: 0.1,
        clip_norm: 1.0,
    },
    Recipe {
        name: "gru-translate",
        architecture: Architecture::Gru,
        vocabulary_size: 8_000,
        epochs: 12,
        batch_size: 128,
        learning_rate: 0.002,
        schedule: QUICK_RISE,
        label_smoothing: 0.1,
        clip_norm: 1.0,
    },
];

/// What can be trained by name.
pub const NAMES: [&str; 2] = [RECIPES[0].name, RECIPES[1].name];

/// The recipe of this name, if there is one.
pub fn recipe(name: &str) -> Option<Recipe> {
    RECIPES.into_iter().find(|recipe| recipe.name == name)
}

/// A small Transformer: 29,000 pairs are soon learned by heart by a large one.
pub fn transformer(vocabulary: usize, padding: u32) -> TransformerConfig {
    TransformerConfig {
        source_vocabulary: vocabulary,
        target_vocabulary: vocabulary,
        hidden_size: 256,
        num_heads: 4,
        num_layers: 3,
        feed_forward_size: 512,
        max_length: MAX_LENGTH,
        dropout: 0.2,
        padding,
        ..TransformerConfig::default()
    }
}

/// A recurrent network with about as many parameters.
pub fn gru(vocabulary: usize, padding: u32) -> Seq2SeqConfig {
    Seq2SeqConfig {
        source_vocabulary: vocabulary,
        target_vocabulary: vocabulary,
        features: 128,
        hidden_size: 256,
        dropout: 0.3,
        padding,
        ..Seq2SeqConfig::default()
    }
}
