//! The facts at the top of a page: how long it takes and what it needs.

use crate::{EXTRA_CRATES, ExtraCrate, PageError};
use std::path::Path;

/// Whether a page is a lesson or still a promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    /// A lesson: it has cells and must be translated in full.
    Complete,
    /// A title and what the page will teach.
    #[default]
    Outline,
}

/// The `key: value` lines between two `---` lines at the top of a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FrontMatter {
    /// Reading and running time in minutes.
    pub minutes: Option<u32>,
    /// Memory that the cells need, such as `300 MB`.
    pub memory: Option<String>,
    /// What the cells download, such as `11 MB`.
    pub download: Option<String>,
    /// What the cells compute on, such as `CPU`.
    pub device: Option<String>,
    /// The crate that the cells use besides those of every page, one of [`EXTRA_CRATES`].
    pub crates: Option<String>,
    /// Lesson or outline.
    pub status: Status,
    /// How many lines the block takes, its two `---` lines included; 0 when there is none.
    pub lines: usize,
}

const KEYS: &str = "minutes, memory, download, device, crates, status";

impl FrontMatter {
    /// Reads the block at the top of `source`; `path` is named in errors.
    pub fn parse(path: &Path, source: &str) -> Result<Self, PageError> {
        let mut front = Self::default();
        let mut lines = source.lines().enumerate();
        if lines
            .next()
            .is_none_or(|(_, first)| first.trim_end() != "---")
        {
            return Ok(front);
        }
        for (index, line) in lines {
            let error = |message: String| PageError::new(path, index + 1, message);
            if line.trim_end() == "---" {
                front.lines = index + 1;
                return Ok(front);
            }
            if line.trim().is_empty() {
                continue;
            }
            let Some((key, value)) = line.split_once(':') else {
                return Err(error(format!(
                    "expected `key: value` in the front matter, found `{line}`"
                )));
            };
            front.set(key.trim(), value.trim()).map_err(error)?;
        }
        Err(PageError::new(
            path,
            1,
            "the front matter is not closed; end it with a line `---`",
        ))
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "minutes" => {
                let minutes = value
                    .parse()
                    .map_err(|_| format!("`minutes` must be a whole number, found `{value}`"))?;
                self.minutes = Some(minutes);
            }
            "memory" => self.memory = Some(value.to_owned()),
            "download" => self.download = Some(value.to_owned()),
            "device" => self.device = Some(value.to_owned()),
            "crates" if ExtraCrate::named(value).is_some() => self.crates = Some(value.to_owned()),
            "crates" => {
                return Err(format!(
                    "`crates` names what the cells use besides candle_core, candle_nn and kindling: expected {}, found `{value}`",
                    EXTRA_CRATES
                        .map(|row| format!("`{}`", row.name))
                        .join(" or ")
                ));
            }
            "status" => {
                self.status = match value {
                    "complete" => Status::Complete,
                    "outline" => Status::Outline,
                    other => {
                        return Err(format!(
                            "`status` must be `complete` or `outline`, found `{other}`"
                        ));
                    }
                }
            }
            other => {
                return Err(format!(
                    "unknown key `{other}` in the front matter; the keys are {KEYS}"
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(lines: &str) -> Result<FrontMatter, String> {
        let page = format!("---\nminutes: 5\n{lines}\nstatus: complete\n---\n# T\n");
        FrontMatter::parse(Path::new("book/src/a.md"), &page).map_err(|error| error.to_string())
    }

    #[test]
    fn a_page_names_the_crate_that_it_needs() {
        assert_eq!(parse("").unwrap().crates, None);
        assert_eq!(
            parse("crates: kindling-tables").unwrap().crates.as_deref(),
            Some("kindling-tables")
        );
    }

    #[test]
    fn another_crate_is_an_error_with_page_and_line() {
        for wrong in ["serde", "", "kindling-tables, serde"] {
            let error = parse(&format!("crates: {wrong}")).unwrap_err();
            let wanted =
                format!("expected `kindling-detection` or `kindling-tables`, found `{wrong}`");
            assert!(
                error.starts_with("book/src/a.md:3: `crates` names") && error.ends_with(&wanted),
                "{error}"
            );
        }
    }
}
