//! Operations that Candle lacks or does slowly, each with its own backward pass: the crate `kindling-ops` under the name that lessons use.

// A module of this crate, not another name of that one: the kernel names the types of variables by paths that begin with `kindling`.
pub use kindling_ops::*;
