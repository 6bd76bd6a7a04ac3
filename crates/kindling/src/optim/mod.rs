//! Optimisers: gradient descent and its descendants.
