//! A finished figure.

use std::{fmt, fs, path::Path};

use crate::{Error, Result};

/// A finished figure: an SVG document. As the last value of a notebook cell it is shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Figure {
    svg: String,
    title: String,
}

impl Figure {
    pub(super) fn new(svg: String, title: String) -> Self {
        Self { svg, title }
    }

    /// The SVG document.
    #[must_use]
    pub fn svg(&self) -> &str {
        &self.svg
    }

    /// Writes the SVG to a file, which is either complete or left as it was.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let failed = |source| Error::File {
            path: path.display().to_string(),
            source,
        };
        let Some(name) = path.file_name() else {
            return Err(failed(std::io::Error::other(
                "expected the name of a file, such as loss.svg",
            )));
        };
        // Beside the target, because a rename is atomic only within one file system; the number keeps two programs apart.
        let mut part = name.to_owned();
        part.push(format!(".{}.part", std::process::id()));
        let part = path.with_file_name(part);
        let written = fs::write(&part, &self.svg).and_then(|()| fs::rename(&part, path));
        if written.is_err() {
            let _ = fs::remove_file(&part);
        }
        written.map_err(failed)
    }

    /// Shows the figure in a notebook; the evcxr kernel calls this for the last value of a cell.
    pub fn evcxr_display(&self) {
        println!(
            "EVCXR_BEGIN_CONTENT image/svg+xml\n{}\nEVCXR_END_CONTENT",
            self.svg
        );
    }
}

impl fmt::Debug for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Figure({:?}, {:.1} kB of SVG)",
            self.title,
            self.svg.len() as f64 / 1e3
        )
    }
}
