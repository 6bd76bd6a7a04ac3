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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn search_cuts_chinese_sentences_into_words() {
        let book = tempfile::tempdir().unwrap();
        let page = |name: &str, language: &str, text: &str| {
            let html = format!(
                "<!DOCTYPE html><html lang=\"{language}\"><head><title>T</title></head><body><main data-pagefind-body><h1>T</h1><p>{text}</p></main></body></html>"
            );
            std::fs::write(book.path().join(name), html).unwrap();
        };
        page("index.html", "en", "Lower the learning rate a little.");
        page("zh.html", "zh-CN", "另一页说，把学习率调低一点。");
        assert_eq!(index(book.path()).unwrap(), 2);
        // Again, over the old index: nothing of it stays.
        std::fs::write(book.path().join("pagefind/stale"), "").unwrap();
        assert_eq!(index(book.path()).unwrap(), 2);
        let folder = book.path().join("pagefind");
        assert!(!folder.join("stale").exists());
        assert!(!book.path().join("pagefind.part").exists());
        let entry = std::fs::read_to_string(folder.join("pagefind-entry.json")).unwrap();
        assert!(
            entry.contains("\"en\"") && entry.contains("\"zh-cn\""),
            "{entry}"
        );
        assert!(!folder.join("pagefind-ui.js").exists());
        let mut words = Vec::new();
        for file in std::fs::read_dir(folder.join("index")).unwrap() {
            let file = std::fs::File::open(file.unwrap().path()).unwrap();
            flate2::read::GzDecoder::new(file)
                .read_to_end(&mut words)
                .unwrap();
        }
        // A word of the index is a CBOR string: its length, then its bytes.
        let holds = |word: &str| {
            let mut entry = vec![0x60 + u8::try_from(word.len()).unwrap()];
            entry.extend_from_slice(word.as_bytes());
            words.windows(entry.len()).any(|window| window == entry)
        };
        assert!(
            holds("learn") || holds("learning"),
            "the English word is not in the index"
        );
        assert!(
            holds("学习") || holds("学习率"),
            "the Chinese word is not in the index"
        );
        assert!(!holds("把学习率"), "the sentence was not cut");
    }
}
