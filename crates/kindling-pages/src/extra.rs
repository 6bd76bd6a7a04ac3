//! The crates that a page can ask for in its front matter, besides those of every page.

/// A crate that few pages need. It is in a kernel of its own, because type inference reads all that it needs at each start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExtraCrate {
    /// Its name, which is the name of its kernel, too.
    pub name: &'static str,
    /// The feature of `kindling-lessons` that compiles its pages' doctests; none where they always are.
    pub feature: Option<&'static str>,
    /// The seconds that it takes to compile on two cores, besides what every kernel has.
    pub seconds: f64,
}

/// All of them. A new row also needs the crate among the dependencies of `kindling-lessons`.
pub const EXTRA_CRATES: [ExtraCrate; 2] = [
    ExtraCrate {
        name: "kindling-detection",
        feature: None,
        seconds: 40.0,
    },
    ExtraCrate {
        name: "kindling-tables",
        feature: Some("tables"),
        seconds: 300.0,
    },
];

impl ExtraCrate {
    /// The row of the crate with this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        const ROWS: &[ExtraCrate] = &EXTRA_CRATES;
        ROWS.iter().find(|row| row.name == name)
    }
}

/// The kernel that has the crate `extra`: its name in a notebook, and the name that Jupyter shows.
pub fn kernel_names(extra: Option<&str>) -> (&str, String) {
    match extra {
        None => ("kindling", "Rust (Kindling)".to_owned()),
        Some(extra) => (extra, format!("Rust (Kindling, {extra})")),
    }
}
