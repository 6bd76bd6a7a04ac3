//! No code of its own: turns each page of the book into its doctest.
//!
//! `build.rs` writes one module for each lesson. Line N of a module is line N of its page, so rustc's errors
//! name the reader's line. The three items here do the same for failures at run time.

use std::error::Error;
use std::panic::PanicHookInfo;
use std::sync::Mutex;

include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// The pages' programs, for clippy alone.
#[cfg(clippy)]
mod programs {
    include!(concat!(env!("OUT_DIR"), "/programs.rs"));
}

/// Where a program is: its page, the page's line of the cell, and the compiler's file and line for it.
struct Place {
    page: &'static str,
    cell_line: u32,
    file: &'static str,
    line: u32,
}

static PLACE: Mutex<Place> = Mutex::new(Place {
    page: "",
    cell_line: 0,
    file: "",
    line: 0,
});

/// Runs the cells of `page`; a panic or an error names the page and the line.
pub fn run(
    page: &'static str,
    cells: fn() -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    if let Ok(mut place) = PLACE.lock() {
        place.page = page;
    }
    std::panic::set_hook(Box::new(report));
    let result = cells();
    if let (Err(error), Ok(place)) = (&result, PLACE.lock()) {
        eprintln!(
            "{}:{}: the cell that starts here returned an error: {error}",
            place.page, place.cell_line
        );
    }
    result
}

/// Notes that the cell whose fence is at `cell_line` starts. With `compiled_only`, the rest of the page is
/// compiled and not run (set `KINDLING_RUN_ALL=1` to run it): the answer says whether to stop.
pub fn enter(cell_line: u32, compiled_only: bool, file: &'static str, line: u32) -> bool {
    if let Ok(mut place) = PLACE.lock() {
        *place = Place {
            page: place.page,
            cell_line,
            file,
            line,
        };
    }
    compiled_only && std::env::var_os("KINDLING_RUN_ALL").is_none()
}

fn report(panic: &PanicHookInfo<'_>) {
    let payload = panic.payload();
    let message = match (
        payload.downcast_ref::<&str>(),
        payload.downcast_ref::<String>(),
    ) {
        (Some(message), _) => message,
        (_, Some(message)) => message.as_str(),
        _ => "(a panic without a message)",
    };
    let Ok(place) = PLACE.lock() else { return };
    let line = match panic.location() {
        Some(location) if location.file() == place.file => {
            place.cell_line + location.line().saturating_sub(place.line)
        }
        _ => place.cell_line,
    };
    eprintln!("{}:{line}: this cell panicked: {message}", place.page);
}

/// Marks the start of a cell; see [`enter`].
#[macro_export]
macro_rules! cell {
    ($line:literal, $compiled_only:literal) => {
        if $crate::enter($line, $compiled_only, file!(), line!()) {
            return Ok(());
        }
    };
}
