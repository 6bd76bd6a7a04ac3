//! The notebook of a page: nbformat 4.5, the same bytes for the same page.

use crate::{Block, Cell, CellKind, Page, PageError, resolve_includes};
use nbformat::v4;
use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

/// Where the notebook of `page` lies, relative to the repository.
pub fn notebook_path(page: &Page) -> PathBuf {
    Path::new("notebooks").join(page.path.with_extension("ipynb"))
}

/// The notebook of `page`; cells that `previous` has with the same id and code keep their outputs.
pub fn notebook(
    root: &Path,
    page: &Page,
    previous: Option<&v4::Notebook>,
) -> Result<v4::Notebook, PageError> {
    let mut cells = Vec::new();
    let mut prose = String::new();
    let mut count = 0;
    for block in &page.blocks {
        match block {
            Block::Prose { line, text } => {
                let text = resolve_includes(root, &page.path, text, *line)?.text;
                append(&mut prose, &relink(page, &without_details(&text)));
            }
            // Shown only: it stays part of the prose around it.
            Block::Cell(cell) if cell.kind == CellKind::Ignore => {
                let code = resolve_includes(root, &page.path, &cell.raw, cell.line)?.text;
                append(&mut prose, &format!("```rust\n{code}```"));
            }
            Block::Cell(cell) => {
                flush(&mut cells, &mut prose, &mut count)?;
                cells.push(code_cell(page, cell, previous)?);
            }
        }
    }
    flush(&mut cells, &mut prose, &mut count)?;
    Ok(v4::Notebook {
        metadata: metadata(),
        nbformat: 4,
        nbformat_minor: 5,
        cells,
    })
}

/// Reads the notebook at `path`; `None` when there is no file.
pub fn read_notebook(path: &Path) -> Result<Option<v4::Notebook>, PageError> {
    let error = |message: String| PageError::new(path, 1, message);
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(problem) => return Err(error(format!("cannot read the notebook: {problem}"))),
    };
    match nbformat::parse_notebook(&text) {
        Ok(nbformat::Notebook::V4(notebook)) => Ok(Some(notebook)),
        Ok(_) => Err(error(
            "expected a notebook of format 4.5 with cell ids; delete it and generate it again"
                .into(),
        )),
        Err(problem) => {
            let advice = "delete it and run `cargo course notebooks`";
            Err(error(format!(
                "this is not a notebook ({problem}); {advice}"
            )))
        }
    }
}

/// The text of a notebook file, as Jupyter writes it.
pub fn to_json(notebook: &v4::Notebook) -> Result<String, nbformat::NotebookError> {
    nbformat::serialize_notebook(&nbformat::Notebook::V4(notebook.clone()))
}

/// The outputs of the cell `id`.
pub fn outputs<'a>(notebook: &'a v4::Notebook, id: &str) -> Option<&'a [v4::Output]> {
    notebook.cells.iter().find_map(|cell| match cell {
        v4::Cell::Code {
            id: found, outputs, ..
        } if found.as_str() == id => Some(outputs.as_slice()),
        _ => None,
    })
}

/// What the notebook says of `cell`: its tags, and that a solution starts folded.
pub fn cell_metadata(cell: &Cell) -> v4::CellMetadata {
    let mut tags = Vec::new();
    for (present, tag) in [
        (cell.tags.timing, "timing".to_owned()),
        (
            cell.tags.tolerance.is_some(),
            format!("tolerance={}", cell.tags.tolerance.unwrap_or_default()),
        ),
        (cell.tags.solution, "solution".to_owned()),
        // nbclient and Jupyter know this tag: an error here does not end a run.
        (cell.must_fail(), "raises-exception".to_owned()),
    ] {
        if present {
            tags.push(tag);
        }
    }
    let jupyter = cell.tags.solution.then(|| v4::JupyterCellMetadata {
        source_hidden: Some(true),
        outputs_hidden: None,
        additional: HashMap::new(),
    });
    let name = cell.tags.name.clone();
    v4::CellMetadata {
        tags: (!tags.is_empty()).then_some(tags),
        jupyter,
        name,
        ..Default::default()
    }
}

fn code_cell(
    page: &Page,
    cell: &Cell,
    previous: Option<&v4::Notebook>,
) -> Result<v4::Cell, PageError> {
    let source = source_lines(cell.source.trim_end());
    let kept = previous
        .into_iter()
        .flat_map(|notebook| &notebook.cells)
        .find_map(|found| match found {
            v4::Cell::Code {
                id,
                source: old,
                outputs,
                ..
            } if id.as_str() == cell.id && old.concat() == source.concat() => Some(outputs.clone()),
            _ => None,
        });
    let id = v4::CellId::new(&cell.id).map_err(|problem| {
        PageError::new(
            page.shown_path(),
            cell.fence_line,
            format!("{problem}: {}", cell.id),
        )
    })?;
    Ok(v4::Cell::Code {
        id,
        metadata: cell_metadata(cell),
        execution_count: None,
        source,
        outputs: kept.unwrap_or_default(),
    })
}

fn flush(
    cells: &mut Vec<v4::Cell>,
    prose: &mut String,
    count: &mut usize,
) -> Result<(), PageError> {
    let text = std::mem::take(prose);
    if text.trim().is_empty() {
        return Ok(());
    }
    *count += 1;
    let id = v4::CellId::new(&format!("prose-{count}"))
        .map_err(|problem| PageError::new("notebooks", 1, problem))?;
    let source = source_lines(text.trim());
    cells.push(v4::Cell::Markdown {
        id,
        metadata: v4::CellMetadata::default(),
        source,
        attachments: None,
    });
    Ok(())
}

fn append(prose: &mut String, text: &str) {
    if !prose.is_empty() && !text.trim().is_empty() {
        prose.push_str("\n\n");
    }
    prose.push_str(text.trim_matches('\n'));
}

fn source_lines(text: &str) -> Vec<String> {
    text.split_inclusive('\n').map(str::to_owned).collect()
}

/// A fold cannot reach over notebook cells: its summary becomes a heading line, its end goes.
fn without_details(text: &str) -> String {
    let whole =
        text.contains("<details") && text.contains("</details>") && !text.contains("Solution");
    if whole {
        return text.to_owned();
    }
    let mut lines = Vec::new();
    for line in text.lines() {
        let start = line.find("<summary>").map(|at| at + "<summary>".len());
        match (
            line.trim_start().starts_with("<details"),
            start,
            line.find("</summary>"),
        ) {
            (true, Some(start), Some(end)) => lines.push(format!("*{}*", line[start..end].trim())),
            _ if line.trim() == "</details>" => {}
            _ => lines.push(line.to_owned()),
        }
    }
    lines.join("\n")
}

/// Links to other pages lead to their notebooks, or to the page's source where there is none.
fn relink(page: &Page, text: &str) -> String {
    let mut linked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("](") {
        let (before, after) = rest.split_at(start + 2);
        linked.push_str(before);
        let Some(end) = after.find(')') else {
            rest = after;
            break;
        };
        let target = &after[..end];
        let (file, anchor) = target
            .split_once('#')
            .map_or((target, ""), |(file, anchor)| (file, anchor));
        let local =
            !target.contains("://") && !target.starts_with(['/', '#', '<']) && !file.is_empty();
        if local {
            linked.push_str(&to_source(page, file));
            if !anchor.is_empty() {
                linked.push('#');
                linked.push_str(anchor);
            }
        } else {
            linked.push_str(target);
        }
        rest = &after[end..];
    }
    linked.push_str(rest);
    linked
}

/// The way from the folder of the page's notebook to a file named relative to the page.
fn to_source(page: &Page, file: &str) -> String {
    let folder = page.path.parent().unwrap_or(Path::new(""));
    let up = "../".repeat(folder.components().count() + 1);
    let mut parts: Vec<String> = Vec::new();
    for part in folder.join(file).components() {
        match part {
            Component::ParentDir => drop(parts.pop()),
            part => parts.push(part.as_os_str().to_string_lossy().into_owned()),
        }
    }
    format!("{up}book/src/{}", parts.join("/"))
}

fn metadata() -> v4::Metadata {
    let kernelspec = v4::KernelSpec {
        display_name: "Rust (Kindling)".to_owned(),
        name: "kindling".to_owned(),
        language: Some("rust".to_owned()),
        additional: HashMap::new(),
    };
    let language_info = v4::LanguageInfo {
        name: "rust".to_owned(),
        version: None,
        codemirror_mode: Some(v4::CodemirrorMode::String("rust".to_owned())),
        additional: HashMap::from([
            ("file_extension".to_owned(), ".rs".into()),
            ("mimetype".to_owned(), "text/rust".into()),
        ]),
    };
    v4::Metadata {
        kernelspec: Some(kernelspec),
        language_info: Some(language_info),
        authors: None,
        additional: HashMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "---\nstatus: complete\n---\n# T\n\nSee [that](../x.md#y) and [web](https://e.org).\n\n```rust,timing\n# use a;\n1 + 1\n```\n\n<details><summary>Solution</summary>\n\n```rust,solution\n2\n```\n\n</details>\n";

    fn page(source: &str) -> Page {
        Page::parse(Path::new("a/b.md"), source).unwrap()
    }

    #[test]
    fn the_same_page_gives_the_same_bytes_and_keeps_outputs() {
        let root = Path::new("/");
        let mut first = notebook(root, &page(PAGE), None).unwrap();
        if let v4::Cell::Code { outputs, .. } = &mut first.cells[1] {
            outputs.push(v4::Output::Stream {
                name: "stdout".into(),
                text: v4::MultilineString("2\n".into()),
            });
        }
        let second = notebook(root, &page(PAGE), Some(&first)).unwrap();
        assert_eq!(to_json(&first).unwrap(), to_json(&second).unwrap());
        assert_eq!(outputs(&second, "t-1").unwrap().len(), 1);
        let edited = notebook(root, &page(&PAGE.replace("1 + 1", "1 + 2")), Some(&first)).unwrap();
        assert!(outputs(&edited, "t-1").unwrap().is_empty());
    }

    #[test]
    fn prose_and_solutions_read_well_in_a_notebook() {
        let json = to_json(&notebook(Path::new("/"), &page(PAGE), None).unwrap()).unwrap();
        assert!(json.contains("](../../book/src/x.md#y)") && json.contains("(https://e.org)"));
        assert!(json.contains("*Solution*") && !json.contains("details"));
        assert!(json.contains("\"source_hidden\": true") && json.contains("\"timing\""));
        assert!(json.contains("\"use a;\\n\""));
    }

    #[test]
    fn what_is_not_a_notebook_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.ipynb");
        assert!(read_notebook(&path).unwrap().is_none());
        std::fs::write(&path, "not json").unwrap();
        let error = read_notebook(&path).unwrap_err().to_string();
        assert!(
            error.contains("x.ipynb:1: this is not a notebook"),
            "{error}"
        );
    }
}
