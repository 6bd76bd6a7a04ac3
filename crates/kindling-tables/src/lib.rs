//! Tables and classical baselines for the lessons that compare.
//!
//! [`runs`] reads what training runs logged into a [Polars](polars) table and asks it questions; [`show()`] draws a table
//! below a cell. [`baselines`] fits what a neural network has to beat: [Linfa](linfa)'s logistic regression and nearest
//! neighbours. [`pca`] and [`tsne`] draw vectors of many dimensions in the plane. The crate is apart from `kindling`, because Polars takes minutes to compile: only pages whose front matter
//! says `crates: kindling-tables` load it.

pub mod baselines;
mod columns;
mod error;
mod projection;
pub mod runs;
mod table;

pub use columns::{numbers, words};
pub use error::{Error, Result};
pub use projection::{TsneConfig, pca, tsne};
pub use table::{Table, show};

// A lesson names these two through this crate, so that it gets the versions that the crate was compiled with.
pub use {linfa, polars};
