//! A file through which a browser finds the address of the server, and nobody else.

use anyhow::{Context, Result};
use kindling_kernel::{Home, write_private};
use std::path::{Path, PathBuf};

/// The file; removed when it is dropped.
#[derive(Debug)]
pub struct Doorway(PathBuf);

impl Doorway {
    /// Writes a page that leads to `url`, for its owner's eyes only.
    pub fn to(home: &Home, url: &str) -> Result<Self> {
        home.create()?;
        let file = home
            .root()
            .join(format!("open-{}.html", std::process::id()));
        let page = format!(
            "<!doctype html>\n<meta charset=\"utf-8\">\n<title>Kindling</title>\n<meta http-equiv=\"refresh\" content=\"0;url={url}\">\n"
        );
        // One that is there may be open to others.
        let _ = std::fs::remove_file(&file);
        write_private(&file, &page).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(Self(file))
    }

    /// The file to open.
    pub fn file(&self) -> &Path {
        &self.0
    }
}

impl Drop for Doorway {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn only_its_owner_reads_it_and_it_goes() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().join("home"), folder.path());
        let doorway = Doorway::to(&home, "http://127.0.0.1:1/?token=abc").unwrap();
        let file = doorway.file().to_owned();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(home.root())), (0o600, 0o700));
        assert!(
            std::fs::read_to_string(&file)
                .unwrap()
                .contains("url=http://127.0.0.1:1/?token=abc")
        );
        drop(doorway);
        assert!(!file.exists());
    }
}
