//! Which crates a kernel starts with.

use kindling_pages::{EXTRA_CRATES, ExtraCrate, kernel_names};

/// The crates that every page has, and for some pages one more: a row of [`EXTRA_CRATES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct KernelKind(Option<&'static str>);

impl KernelKind {
    /// Candle and the course's crate: what most pages need.
    pub const COURSE: Self = Self(None);

    /// The kernels that there are, the one of most pages first.
    pub fn all() -> impl Iterator<Item = Self> {
        let extra = EXTRA_CRATES.map(|row| Self(Some(row.name)));
        std::iter::once(Self::COURSE).chain(extra)
    }

    /// What `extra`, the crate that a page asks for, needs; `None` when there is no such kernel.
    pub fn with(extra: Option<&str>) -> Option<Self> {
        Self::all().find(|crates| crates.0 == extra)
    }

    /// The crate besides those of every page.
    pub fn extra(self) -> Option<&'static str> {
        self.0
    }

    /// The kernel's name in a notebook.
    pub fn kernel(self) -> &'static str {
        kernel_names(self.0).0
    }

    /// The seconds that the crate besides those of every page takes to compile on two cores.
    pub(crate) fn extra_seconds(self) -> Option<f64> {
        Some(ExtraCrate::named(self.0?)?.seconds)
    }

    /// All crates that a cell can name.
    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        ["candle-core", "candle-nn", "kindling"]
            .into_iter()
            .chain(self.0)
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
        let tables = KernelKind::with(Some("kindling-tables")).unwrap();
        let detection = KernelKind::with(Some("kindling-detection")).unwrap();
        assert_eq!(KernelKind::with(None), Some(KernelKind::COURSE));
        assert_eq!(KernelKind::with(Some("serde")), None);
        assert!(KernelKind::COURSE < detection && detection < tables);
        assert_eq!(tables.names().last(), Some("kindling-tables"));
        assert_ne!(tables.suffix(), KernelKind::COURSE.suffix());
        assert_eq!(KernelKind::all().count(), EXTRA_CRATES.len() + 1);
        assert!(
            KernelKind::all()
                .skip(1)
                .all(|crates| crates.extra_seconds().is_some())
        );
    }
}
