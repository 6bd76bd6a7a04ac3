//! The folder that holds everything a kernel needs; nothing outside it is touched.

use crate::KernelKind;
use anyhow::{Context, Result, bail};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// The folder of the kernel: `KINDLING_HOME`, or `.kindling` in the repository, or, where evcxr cannot read that path, a folder of
/// the user's cache.
#[derive(Debug, Clone)]
pub struct Home {
    root: PathBuf,
    repository: PathBuf,
}

impl Home {
    /// The home of the course in `repository`.
    pub fn locate(repository: &Path) -> Self {
        let named = std::env::var_os("KINDLING_HOME").filter(|folder| !folder.is_empty());
        let root = match named {
            Some(folder) => PathBuf::from(folder),
            None => usual(repository, user_cache()),
        };
        Self::at(root, repository)
    }

    /// The home in the folder `root`.
    pub fn at(root: PathBuf, repository: &Path) -> Self {
        let root = std::path::absolute(&root).unwrap_or(root);
        // One spelling of the path: what is prepared is compared by it.
        let repository =
            std::fs::canonicalize(repository).unwrap_or_else(|_| repository.to_owned());
        Self { root, repository }
    }

    /// Makes the folder, if it is not there. Nobody else may look into it: what lies there lets its reader run code.
    pub fn create(&self) -> Result<()> {
        create_private(&self.root)
    }

    /// Says in one sentence why no kernel can run in this folder, before anything is compiled.
    pub fn refuse_unfit(&self) -> Result<()> {
        if !is_fit(&self.root) {
            bail!(
                "the kernel cannot run in {}: evcxr reads only paths of plain letters, digits and `/._-`; set KINDLING_HOME to \
                 such a folder, for example KINDLING_HOME=/tmp/kindling",
                self.root.display()
            );
        }
        Ok(())
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The repository that this home serves.
    pub fn repository(&self) -> &Path {
        &self.repository
    }

    /// The pinned kernel.
    pub fn evcxr(&self) -> PathBuf {
        self.root
            .join("kernel/bin")
            .join(format!("evcxr_jupyter{}", std::env::consts::EXE_SUFFIX))
    }

    /// The copy of `course` that Jupyter starts, so that a rebuild does not take it away.
    pub fn course(&self) -> PathBuf {
        self.root
            .join("bin")
            .join(format!("course{}", std::env::consts::EXE_SUFFIX))
    }

    /// evcxr's configuration: which crates a kernel starts with.
    pub fn config(&self, crates: KernelKind) -> PathBuf {
        self.root.join(format!("config{}", crates.suffix()))
    }

    /// The compiled crates from which a kernel's folder is copied.
    pub fn template(&self, crates: KernelKind) -> PathBuf {
        self.sessions().join(format!("template{}", crates.suffix()))
    }

    /// The sources of our crates, as they were when a kernel's crates were compiled.
    pub(crate) fn sources(&self, crates: KernelKind) -> PathBuf {
        self.root.join(format!("sources{}", crates.suffix()))
    }

    /// One folder for each running kernel.
    pub fn sessions(&self) -> PathBuf {
        self.root.join("sessions")
    }

    /// Kernels that are warm and wait for a notebook.
    pub fn pool(&self) -> PathBuf {
        self.root.join("pool")
    }

    /// The standard library's sources, reduced to what type inference reads.
    pub(crate) fn library(&self) -> PathBuf {
        self.root.join("library")
    }

    /// A Jupyter data folder that holds the kernelspec.
    pub fn jupyter(&self) -> PathBuf {
        self.root.join("jupyter")
    }

    /// The virtual environment of JupyterLab.
    pub fn python(&self) -> PathBuf {
        self.root.join("python")
    }
}

/// Makes a folder that only its owner can enter; one that is there stays as it is.
pub(crate) fn create_private(folder: &Path) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(folder)
        .with_context(|| format!("cannot create {}", folder.display()))
}

/// Whether evcxr can work below a path: it cuts its own orders at spaces, and hands paths to linkers and search lists.
fn is_fit(path: &Path) -> bool {
    let others = if cfg!(windows) {
        "\\:/._-+@~,="
    } else {
        "/._-+@~,="
    };
    let fits = |letter: char| letter.is_ascii_alphanumeric() || others.contains(letter);
    path.to_str().is_some_and(|path| path.chars().all(fits))
}

/// `.kindling` in the repository; where that does not fit, a folder of the user's cache that belongs to this repository alone.
fn usual(repository: &Path, cache: Option<PathBuf>) -> PathBuf {
    let local = repository.join(".kindling");
    let local = std::path::absolute(&local).unwrap_or(local);
    match cache {
        Some(cache) if !is_fit(&local) && is_fit(&cache) => {
            let repository =
                std::fs::canonicalize(repository).unwrap_or_else(|_| repository.to_owned());
            let hash = Sha256::digest(repository.as_os_str().as_encoded_bytes());
            cache.join("kindling").join(HEXLOWER.encode(&hash[..8]))
        }
        _ => local,
    }
}

/// Where programs keep what they can make again.
fn user_cache() -> Option<PathBuf> {
    let variable = if cfg!(windows) {
        "LOCALAPPDATA"
    } else {
        "XDG_CACHE_HOME"
    };
    let named = std::env::var_os(variable).map(PathBuf::from);
    let below = if cfg!(target_os = "macos") {
        "Library/Caches"
    } else {
        ".cache"
    };
    let named = named.filter(|folder| folder.is_absolute());
    named.or_else(|| std::env::home_dir().map(|home| home.join(below)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_new_home_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().join("home"), folder.path());
        home.create().unwrap();
        create_private(&home.pool()).unwrap();
        for made in [home.root(), &home.pool()] {
            let mode = std::fs::metadata(made).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{}", made.display());
        }
        // Once more does no harm.
        home.create().unwrap();
    }

    #[test]
    fn a_project_in_an_odd_folder_has_its_kernel_elsewhere() {
        let cache = || Some(PathBuf::from("/home/someone/.cache"));
        let plain = Path::new("/home/someone/kindling-main_2");
        assert_eq!(usual(plain, cache()), plain.join(".kindling"));
        let mut found = Vec::new();
        for odd in [
            "a b",
            "Jose\u{301}",
            "\u{1f525}",
            "it's",
            "say \"hi\"",
            "a#b",
            "a:b",
        ] {
            let home = usual(&Path::new("/home/someone").join(odd), cache());
            assert!(
                home.starts_with("/home/someone/.cache/kindling"),
                "{home:?}"
            );
            assert!(is_fit(&home), "{home:?}");
            Home::at(home.clone(), Path::new("/"))
                .refuse_unfit()
                .unwrap();
            found.push(home);
        }
        found.dedup();
        assert_eq!(found.len(), 7, "each project has its own");
    }

    #[test]
    fn an_odd_folder_that_was_named_is_refused_in_one_sentence() {
        let home = Home::at("/home/a b/kernel".into(), Path::new("/"));
        let error = home.refuse_unfit().unwrap_err().to_string();
        assert!(error.contains("/home/a b/kernel") && error.contains("KINDLING_HOME"));
        assert_eq!(error.lines().count(), 1);
        // Nothing is left to fall back on.
        let cache = Some(PathBuf::from("/home/a b/.cache"));
        let home = usual(Path::new("/home/a b/kindling"), cache);
        assert_eq!(home, Path::new("/home/a b/kindling/.kindling"));
    }
}
