//! Figures: each one is inline in a notebook and an SVG in the book.
//!
//! One file per kind of chart: [`Lines`] (curves), [`Scatter`] (points), [`Bars`], [`Contours`] (a function of two
//! variables and the paths that optimisers take over it), [`Images`] (a grid of pictures), [`BoxedImages`]
//! (pictures with boxes around things), [`Heatmap`] (a confusion
//! matrix, an attention map) and [`Graph`] (what is computed from what). All work alike: name the figure, add data,
//! call `draw`. [`draw_boxes`] draws into a picture's own pixels instead. Adding never fails; `draw` reports the first thing that is wrong, by name.
//!
//! ```
//! use kindling_plot::Lines;
//! let losses = vec![2.3, 0.9, 0.4, 0.2];
//! let figure = Lines::new("Training").axes("epoch", "loss").series("training set", losses).draw()?;
//! assert!(figure.svg().starts_with("<svg"));
//! # Ok::<(), kindling_base::Error>(())
//! ```
//!
//! plotters lays out the axes and maps the data; the SVG is written by a backend of our own (`canvas`, `backend`), because
//! stored notebooks want small files and smooth curves: coordinates have one decimal, runs of one style are one path.

mod axis;
mod backend;
mod bars;
mod boxed_images;
mod canvas;
mod contours;
mod drawn_boxes;
mod figure;
mod frame;
mod graph;
mod heatmap;
mod images;
mod layout;
mod lines;
mod marching;
mod path;
mod picture_grid;
mod pixels;
mod png;
mod points;
mod scatter;
mod style;
mod text;

pub use bars::Bars;
pub use boxed_images::BoxedImages;
pub use contours::Contours;
pub use drawn_boxes::draw_boxes;
pub use figure::Figure;
pub use graph::Graph;
pub use heatmap::Heatmap;
pub use images::Images;
pub use lines::Lines;
pub use points::Points;
pub use scatter::Scatter;
pub use style::PALETTE;

use kindling_base::{Error, Result};

#[cfg(test)]
mod tests;
