//! Builds the book: mdBook, cell outputs, maths, translations, search, and the checks on them.
