//! The translators that can be trained by name, one constant each; the registry lists them.

use kindling::models::{Seq2SeqConfig, TransformerConfig};

use super::NamedTranslator;
use crate::recipe::{OptimizerKind, QUICK_RISE, Recipe};

/// Attention alone.
pub static TRANSFORMER: NamedTranslator = NamedTranslator {
    name: "transformer-translate",
    architecture: Architecture::Transformer,
    vocabulary_size: 8_000,
    recipe: RECIPE,
};

/// Recurrent, with attention on the source.
pub static GRU: NamedTranslator = NamedTranslator {
    name: "gru-translate",
    architecture: Architecture::Gru,
    vocabulary_size: 8_000,
    recipe: RECIPE,
};

/// What all translators have in common.
const RECIPE: Recipe = Recipe {
    epochs: 12,
    batch_size: 64,
    learning_rate: 0.001,
    schedule: QUICK_RISE,
    optimizer: OptimizerKind::Adam,
    label_smoothing: 0.1,
    clip_norm: Some(1.0),
    patience: None,
};

/// The networks that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// [`kindling::models::Transformer`], attention alone.
    Transformer,
    /// [`kindling::models::Seq2Seq`], recurrent.
    Gru,
}

/// The longest sequence, in tokens.
pub const MAX_LENGTH: usize = 256;

/// A small Transformer: a large one soon has 29,000 pairs by heart.
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
