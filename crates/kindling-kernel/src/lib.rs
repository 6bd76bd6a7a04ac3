//! Prepares, warms and talks to the evcxr_jupyter kernel.
