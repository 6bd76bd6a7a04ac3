//! The search index: Pagefind over the finished pages of all languages. It cuts Chinese text into words, which
//! mdBook's own search cannot.

use anyhow::{Context, Result};
use pagefind::api::PagefindIndex;
use pagefind::options::PagefindServiceConfig;
use std::path::Path;

/// Indexes the pages below `folder` and writes the index to `folder/pagefind`. Returns the number of pages.
pub fn index(folder: &Path) -> Result<usize> {
    // Aside first: a reader who searches meanwhile meets the old index or the new one.
    let (unfinished, finished) = (folder.join("pagefind.part"), folder.join("pagefind"));
    let _ = std::fs::remove_dir_all(&unfinished);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let pages = runtime.block_on(write(folder, &unfinished))?;
    let _ = std::fs::remove_dir_all(&finished);
    std::fs::rename(&unfinished, &finished)
        .with_context(|| format!("cannot write {}", finished.display()))?;
    Ok(pages)
}

async fn write(folder: &Path, to: &Path) -> Result<usize> {
    let options = PagefindServiceConfig::builder()
        .keep_index_url(true)
        .build();
    let mut index = PagefindIndex::new(Some(options)).context("cannot start Pagefind")?;
    index
        .add_directory(folder.display().to_string(), Some("**/*.html".to_owned()))
        .await
        .context("cannot index the book")?;
    let mut pages = 0;
    for file in index
        .get_files()
        .await
        .context("cannot build the search index")?
    {
        // The book brings its own dialog; Pagefind's interfaces stay out.
        let name = file.filename.to_string_lossy();
        if name.contains("-ui.")
            || name.contains("_ui.")
            || name.contains("highlight")
            || name.contains("playground")
        {
            continue;
        }
        pages += usize::from(file.filename.starts_with("fragment"));
        let target = to.join(&file.filename);
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&target, file.contents)
            .with_context(|| format!("cannot write {}", target.display()))?;
    }
    Ok(pages)
}
