//! Pretrained language models for the lessons: sentence embeddings and summaries.
//!
//! A model is a folder as the Hugging Face hub lays it out: `config.json`, `tokenizer.json` and `model.safetensors`. [`hub::find`] says where
//! it is, [`Embedder`] turns sentences into vectors with a BERT, [`Pretrained`] writes summaries with a T5, and [`summarizer`](fn@summarizer) gives any
//! engine by its name. What needs no pretrained model is in [`kindling::pipeline`]. Everything here runs on the processor.

mod bert;
mod embedder;
mod folder;
mod gguf;
pub mod hub;
mod pretrained;
mod summarizer;
mod t5;

pub use bert::{Bert, BertConfig};
pub use embedder::Embedder;
pub use gguf::read_gguf;
pub use pretrained::Pretrained;
pub use summarizer::{
    SENTENCE_MODEL, SENTENCE_MODEL_FOLDER, abstractive, is_abstractive, sentence_model, summarizer,
};
pub use t5::{Answer, T5};
