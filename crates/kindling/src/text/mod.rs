//! From text to numbers and back.
//!
//! A model reads ids. On the way there, a text is made uniform ([`Normalizer`]), cut into [`sentences`] where needed, and
//! split into tokens: parts of words that are learned from text ([`Bpe`], as large models do), or whole [`words`] or
//! [`characters`] with a number each ([`Vocabulary`]). Sequences of different lengths meet in one tensor by [`pad`], with
//! [`padding_mask`] and [`causal_mask`] for attention. Where texts come from, and mini-batches of pairs
//! ([`SequencePairs`](crate::data::SequencePairs)), are the business of [`crate::data`].
//!
//! ```
//! use kindling::text::{Bpe, Normalizer, PAD, pad, sentences};
//! let text = Normalizer::default().normalize("Read the book. Read the book again! 读书。");
//! let bpe = Bpe::train_with_special([&text], 300, &["<pad>"])?;
//! let ids: Vec<Vec<u32>> = sentences(&text).into_iter().map(|sentence| bpe.encode(sentence)).collect();
//! let batch = pad(&ids, PAD, Some(16))?;
//! assert_eq!(batch.ids.dim(0)?, 3);
//! # Ok::<(), kindling::Error>(())
//! ```

mod bpe;
mod normalize;
mod padding;
mod sentences;
mod special_tokens;
mod vocabulary;
mod words;

pub use bpe::{Bpe, BpeParts, gpt2_pieces};
pub use normalize::{Control, Form, Normalizer};
pub(crate) use padding::causal_mask_after;
pub use padding::{HIDDEN, Padded, causal_mask, pad, padding_mask};
pub use sentences::{sentence_ranges, sentences};
pub use special_tokens::SpecialTokens;
pub use vocabulary::{BEGIN, END, PAD, UNKNOWN, Vocabulary, VocabularyConfig};
pub use words::{characters, words, words_and_punctuation};
