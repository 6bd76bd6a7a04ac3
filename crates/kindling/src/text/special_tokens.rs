//! The special tokens of the course: they stand for no text of their own.

/// The ids of the special tokens that models read and write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpecialTokens {
    /// Fills up short sequences.
    pub padding: u32,
    /// What a decoder reads before its first token.
    pub start: u32,
    /// What it says after its last.
    pub end: u32,
}

impl SpecialTokens {
    /// What they are called: padding, start, end.
    pub const TEXTS: [&'static str; 3] = ["<pad>", "<s>", "</s>"];

    /// Their ids where they were given to [`Bpe::train_with_special`](super::Bpe::train_with_special) in that order. A
    /// [`Vocabulary`](super::Vocabulary), which has a token for unknown words, too, has its own:
    /// [`Vocabulary::SPECIAL_TOKENS`](super::Vocabulary::SPECIAL_TOKENS).
    pub const FIRST: Self = Self {
        padding: 0,
        start: 1,
        end: 2,
    };
}
