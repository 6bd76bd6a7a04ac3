//! The folder that holds everything a kernel needs; nothing outside it is touched.

use crate::Crates;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// The project-local folder of the kernel: `KINDLING_HOME`, or `.kindling` in the repository.
#[derive(Debug, Clone)]
pub struct Home {
    root: PathBuf,
    repository: PathBuf,
}

impl Home {
    /// The home of the course in `repository`.
    pub fn locate(repository: &Path) -> Self {
        let root = match std::env::var_os("KINDLING_HOME") {
            Some(folder) if !folder.is_empty() => PathBuf::from(folder),
            _ => repository.join(".kindling"),
        };
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
    pub fn config(&self, crates: Crates) -> PathBuf {
        self.root.join(format!("config{}", crates.suffix()))
    }

    /// The compiled crates from which a kernel's folder is copied.
    pub fn template(&self, crates: Crates) -> PathBuf {
        self.sessions().join(format!("template{}", crates.suffix()))
    }

    /// The sources of our crates, as they were when a kernel's crates were compiled.
    pub(crate) fn sources(&self, crates: Crates) -> PathBuf {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_new_home_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let home = Home::locate(folder.path());
        home.create().unwrap();
        create_private(&home.pool()).unwrap();
        for made in [home.root(), &home.pool()] {
            let mode = std::fs::metadata(made).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{}", made.display());
        }
        // Once more does no harm.
        home.create().unwrap();
    }
}
