//! The translators by name.

use kindling::models::{Seq2SeqConfig, TransformerConfig};

use crate::sequences::{self, QUICK_RISE};

/// The networks that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// Attention alone.
    Transformer,
    /// Recurrent, with attention on the source.
    Gru,
}

/// What translates, and how it is trained.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// What translates.
    pub architecture: Architecture,
    /// How it is trained.
    pub training: sequences::Recipe,
}

/// The longest sequence, in tokens.
pub const MAX_LENGTH: usize = 256;

/// What can be trained by name.
pub const NAMES: [&str; 2] = ["transformer-translate", "gru-translate"];

const RECIPES: [Recipe; 2] = [
    Recipe {
        architecture: Architecture::Transformer,
        training: training(NAMES[0], 30),
    },
    Recipe {
        architecture: Architecture::Gru,
        training: training(NAMES[1], 12),
    },
];

/// What all translators have in common.
const fn training(name: &'static str, epochs: usize) -> sequences::Recipe {
    sequences::Recipe {
        name,
        vocabulary_size: 8_000,
        epochs,
        batch_size: 128,
        learning_rate: 0.002,
        schedule: QUICK_RISE,
        label_smoothing: 0.1,
        clip_norm: 1.0,
        patience: None,
    }
}

/// The recipe of this name, if there is one.
pub fn recipe(name: &str) -> Option<Recipe> {
    RECIPES
        .into_iter()
        .find(|recipe| recipe.training.name == name)
}

/// A small Transformer: 29,000 pairs are soon learned by heart by a large one.
pub fn transformer(vocabulary: usize, padding: u32) -> TransformerConfig {
    TransformerConfig {
        source_vocabulary: vocabulary,
        target_vocabulary: vocabulary,
        hidden_size: 128,
        num_heads: 4,
        num_layers: 4,
        feed_forward_size: 256,
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
