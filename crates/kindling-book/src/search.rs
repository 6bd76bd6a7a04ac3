//! The search index: Pagefind over the finished pages of all languages. It cuts Chinese text into words, which
//! mdBook's own search cannot.

use anyhow::{Context, Result, anyhow};
use pagefind::api::PagefindIndex;
use pagefind::options::PagefindServiceConfig;
use std::path::Path;

/// Indexes the pages below `folder` and writes the index to `folder/pagefind`. Returns the number of pages.
pub(crate) fn index(folder: &Path) -> Result<usize> {
    // The caller may run inside an async runtime, where another one cannot start: use a thread of its own.
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(index_async(folder))
        });
        thread
            .join()
            .map_err(|_| anyhow!("the search index could not be built: Pagefind failed"))?
    })
}

async fn index_async(folder: &Path) -> Result<usize> {
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
        let target = folder.join("pagefind").join(&file.filename);
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&target, file.contents)
            .with_context(|| format!("cannot write {}", target.display()))?;
    }
    Ok(pages)
}
