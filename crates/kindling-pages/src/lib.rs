//! Reads a lesson page: its cells, its program, its notebook.
