//! The support crate of the Kindling course: what Candle lacks, small enough to read.
