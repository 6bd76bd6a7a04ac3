//! One progress line that updates in place, in a terminal and in a notebook.
