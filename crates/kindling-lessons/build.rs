//! Turns the pages of the book into doctests.

fn main() {}
