//! Which crates a kernel starts with.

/// The crates that every page has, and for some pages one more.
///
/// A crate that few pages need is not in every kernel: type inference reads all that it needs, at each start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Crates {
    /// Candle and the course's crate.
    #[default]
    Course,
    /// And `kindling-detection`, which reads annotated photographs.
    Detection,
    /// And `kindling-tables`, with Polars and Linfa.
    Tables,
}

impl Crates {
    /// The kernels that there are.
    pub const ALL: [Self; 3] = [Self::Course, Self::Detection, Self::Tables];

    /// What `extra`, the crate that a page asks for, needs; `None` when there is no such kernel.
    pub fn with(extra: Option<&str>) -> Option<Self> {
        Self::ALL.into_iter().find(|crates| crates.extra() == extra)
    }

    /// The crate besides those of every page.
    pub fn extra(self) -> Option<&'static str> {
        match self {
            Self::Course => None,
            Self::Detection => Some("kindling-detection"),
            Self::Tables => Some("kindling-tables"),
        }
    }

    /// All crates that a cell can name.
    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        ["candle-core", "candle-nn", "kindling"]
            .into_iter()
            .chain(self.extra())
    }

    /// The kernel's name in a notebook, and the name that Jupyter shows.
    pub(crate) fn kernel(self) -> (&'static str, String) {
        match self.extra() {
            None => ("kindling", "Rust (Kindling)".to_owned()),
            Some(extra) => (extra, format!("Rust (Kindling, {extra})")),
        }
    }

    /// What tells the files of this kernel from those of the one for every page.
    pub(crate) fn suffix(self) -> String {
        self.extra()
            .map_or(String::new(), |extra| format!("-{extra}"))
    }

    /// The folders below `crates/` whose sources are compiled.
    pub(crate) fn sources(self) -> impl Iterator<Item = &'static str> {
        [
            "kindling",
            "kindling-base",
            "kindling-fetch",
            "kindling-ops",
            "kindling-plot",
            "kindling-progress",
            "kindling-unified",
        ]
        .into_iter()
        .chain(self.extra())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_finds_its_kernel() {
        assert_eq!(Crates::with(None), Some(Crates::Course));
        assert_eq!(Crates::with(Some("kindling-tables")), Some(Crates::Tables));
        let detection = Crates::with(Some("kindling-detection"));
        assert_eq!(detection, Some(Crates::Detection));
        assert_eq!(Crates::with(Some("serde")), None);
        assert_eq!(Crates::Tables.names().last(), Some("kindling-tables"));
        assert_ne!(Crates::Tables.suffix(), Crates::Course.suffix());
    }
}
