//! Reads a lesson page: its cells, its program, its notebook.
//!
//! A page is one Markdown file. Its prose is the book's page; its `rust` fences, top to bottom, are the
//! cells of one notebook and the statements of one program. This crate is the one place that says what a
//! cell is; the book, the notebooks, the doctests and the checks all ask it.

mod book;
mod cell;
mod doctest;
mod error;
mod extra;
mod file;
mod front_matter;
mod include;
mod notebook;
mod output;
mod page;
mod program;

pub use book::Book;
pub use cell::{Cell, CellKind, CodeLine, OTHER_FENCES, Tags, code_line};
pub use doctest::{Doctest, doctests, module_name};
pub use error::PageError;
pub use extra::{EXTRA_CRATES, ExtraCrate, kernel_names};
pub use file::write_whole;
pub use front_matter::{FrontMatter, Status};
pub use include::{Resolved, resolve_includes};
pub use notebook::{
    cell_metadata, fingerprint, mark_run, notebook, notebook_path, outputs, outputs_of,
    read_notebook, to_json,
};
pub use output::{LeftOut, Shown, forms, grouped, push, settle, shown, shown_of, strip_ansi};
pub use page::{Block, Fence, Page};
pub use program::{Program, program, program_until};
