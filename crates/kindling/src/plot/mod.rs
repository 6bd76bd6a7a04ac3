//! Figures: each value is inline in a notebook and an SVG in the book.
