//! The command `cargo course`.

fn main() {}
