//! No code of its own: turns each page of the book into its doctest.
