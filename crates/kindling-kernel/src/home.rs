//! The folder that holds everything a kernel needs; nothing outside it is touched.

use crate::Crates;
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
