//! The support crate of the Kindling course: what Candle lacks, small enough to read.
//!
//! Lessons use [`candle_core::Tensor`] directly; this crate adds what they need around it:
//! data sets and mini-batches ([`data`]), text as numbers ([`text`]), fast operations with their backward passes ([`ops`]), layers
//! ([`nn`]), boxes around things ([`boxes`]), whole models ([`models`]), optimisers ([`optim`]), the training loop ([`train`]), answers that are sequences ([`decode`]),
//! measures ([`metrics`]), whole answers ([`pipeline`]) and figures ([`plot`]). Its public types own their data and can be
//! named, so a value made in one notebook cell can be used in the next.

pub mod boxes;
pub mod data;
pub mod decode;
pub mod metrics;
pub mod models;
pub mod nn;
pub mod ops;
pub mod optim;
pub mod pipeline;
pub mod plot;
mod tensor_file;
pub mod text;
pub mod train;

pub use kindling_base::{Error, Result};
