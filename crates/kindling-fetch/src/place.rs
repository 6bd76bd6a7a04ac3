//! Where files may lie.

use std::{env, fmt, path::PathBuf};

/// Where a file came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// It was fetched before.
    Cache,
    /// It lies in the folder that `KINDLING_MIRROR` names.
    Mirror,
    /// It was downloaded just now.
    Download,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cache => "cache",
            Self::Mirror => "mirror",
            Self::Download => "download",
        })
    }
}

/// The folder for files that can be fetched again, by each platform's custom.
#[must_use]
pub fn cache_folder() -> PathBuf {
    if let Some(folder) = path_from("KINDLING_CACHE") {
        return folder;
    }
    let home = || path_from("HOME").unwrap_or_else(env::temp_dir);
    let parent = if cfg!(windows) {
        path_from("LOCALAPPDATA").unwrap_or_else(env::temp_dir)
    } else if cfg!(target_os = "macos") {
        home().join("Library/Caches")
    } else {
        path_from("XDG_CACHE_HOME").unwrap_or_else(|| home().join(".cache"))
    };
    parent.join("kindling")
}

/// The path in an environment variable; an empty one counts as not set.
pub(crate) fn path_from(variable: &str) -> Option<PathBuf> {
    env::var_os(variable)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}
