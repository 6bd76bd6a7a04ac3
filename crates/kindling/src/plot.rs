//! Figures, each inline in a notebook and an SVG in the book: the crate `kindling-plot` under the name that lessons use.

// A module of this crate for the same reason as `ops`.
pub use kindling_plot::*;
