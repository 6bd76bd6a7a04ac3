//! Builds the book: mdBook, cell outputs, maths, translations, and the checks on them.
//!
//! A page goes through these steps: everything that is not prose is taken out ([`mod@source`]), maths is protected,
//! the rest is translated ([`mod@catalogue`]), mdBook renders it, and what was taken out is put back into the
//! finished HTML ([`mod@finish`]), with the outputs that the page's notebook stores.

mod build;
mod catalogue;
mod finish;
mod language;
mod links;
mod live;
mod maths;
mod outputs;
mod pattern;
mod source;
mod svg;

pub use build::{BookErrors, Index, Options, Report, build, check};
pub use catalogue::{
    Coverage, PageCoverage, Update, catalogue_is_stale, check_translations, coverage, merge,
    untranslated, update_catalogue,
};
pub use language::Language;
pub use live::{Change, Live, left_out};
