//! The notebook of a page: nbformat 4.5, the same bytes for the same page.

use crate::page::slug;
use crate::{Block, Cell, CellKind, Page, PageError, kernel_names, resolve_includes};
use nbformat::v4;
use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

/// Where the notebook of the page at `path` (relative to `book/src`) lies: in the repository, and in the built book.
pub fn notebook_path(path: &Path) -> PathBuf {
    Path::new("notebooks").join(path.with_extension("ipynb"))
}

/// The notebook of `page`; cells that `previous` has with the same id and code keep their outputs.
pub fn notebook(
    root: &Path,
    page: &Page,
    previous: Option<&v4::Notebook>,
) -> Result<v4::Notebook, PageError> {
    let mut writer = Writer::default();
    for block in &page.blocks {
        match block {
            Block::Prose { line, text } => {
                let text = resolve_includes(root, &page.path, text, *line)?.text;
                writer.add(&relink(root, page, &unfold(&text)));
            }
            // Shown only: it stays part of the prose around it.
            Block::Cell(cell) if cell.kind == CellKind::Ignore => {
                let code = resolve_includes(root, &page.path, &cell.raw, cell.line)?.text;
                writer.add(&format!("```rust\n{code}```"));
            }
            Block::Cell(cell) => {
                writer.end_prose(page)?;
                writer.cells.push(code_cell(page, cell, previous)?);
            }
        }
    }
    writer.end_prose(page)?;
    let mut notebook = v4::Notebook {
        metadata: metadata(page),
        nbformat: 4,
        nbformat_minor: 5,
        cells: writer.cells,
    };
    if let Some(ran) = previous.and_then(outputs_of) {
        mark(&mut notebook, ran);
    }
    Ok(notebook)
}

/// What the outputs of the notebook were made from, as [`fingerprint`] gives it; `None` before the first run.
pub fn outputs_of(notebook: &v4::Notebook) -> Option<&str> {
    notebook.metadata.additional.get("kindling")?["outputs_of"].as_str()
}

/// Notes that the outputs are those of `page` as it is now.
pub fn mark_run(notebook: &mut v4::Notebook, page: &Page) {
    mark(notebook, &fingerprint(page));
}

fn mark(notebook: &mut v4::Notebook, fingerprint: &str) {
    let note = serde_json::json!({ "outputs_of": fingerprint });
    notebook
        .metadata
        .additional
        .insert("kindling".to_owned(), note);
}

/// A number for all that the outputs of a page depend on: the code of its cells, which of them fail, the crate that
/// the page asks for, and the version of the course's crates.
pub fn fingerprint(page: &Page) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325; // FNV-1a: short, and the same everywhere
    let mut feed = |text: &str| {
        for byte in text.bytes().chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    feed(env!("CARGO_PKG_VERSION"));
    page.front.crates.iter().for_each(|name| feed(name));
    for cell in page.cells().filter(|cell| cell.in_notebook()) {
        feed(if cell.must_fail() { "fails" } else { "runs" });
        feed(cell.source.trim_end());
    }
    format!("{hash:016x}")
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

/// Gathers prose until the next code cell.
#[derive(Default)]
struct Writer {
    cells: Vec<v4::Cell>,
    prose: String,
    counts: HashMap<String, usize>,
    section: String,
}

impl Writer {
    fn add(&mut self, text: &str) {
        if !self.prose.is_empty() && !text.trim().is_empty() {
            self.prose.push_str("\n\n");
        }
        self.prose.push_str(text.trim_matches('\n'));
    }

    /// Makes a cell of the prose. It is called after the section that it begins, or stands in: a cell that is added
    /// to another section does not rename it.
    fn end_prose(&mut self, page: &Page) -> Result<(), PageError> {
        let text = std::mem::take(&mut self.prose);
        let text = text.trim();
        if text.is_empty() {
            return Ok(());
        }
        if let Some(heading) = first_heading(text) {
            self.section = slug(heading);
        }
        let count = self.counts.entry(self.section.clone()).or_default();
        *count += 1;
        let id = v4::CellId::new(&format!("prose_{}-{count}", self.section))
            .map_err(|problem| PageError::new(page.shown_path(), 1, problem))?;
        self.cells.push(v4::Cell::Markdown {
            id,
            metadata: v4::CellMetadata::default(),
            source: source_lines(text),
            attachments: None,
        });
        if let Some(heading) = last_heading(text) {
            self.section = slug(heading);
        }
        Ok(())
    }
}

fn headings(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    let marks =
        |line: &&str| line.starts_with('#') && line.trim_start_matches('#').starts_with(' ');
    text.lines()
        .filter(marks)
        .map(|line| line.trim_start_matches('#').trim())
}

fn first_heading(text: &str) -> Option<&str> {
    headings(text).next()
}

fn last_heading(text: &str) -> Option<&str> {
    headings(text).next_back()
}

fn source_lines(text: &str) -> Vec<String> {
    text.split_inclusive('\n').map(str::to_owned).collect()
}

/// A fold cannot reach over notebook cells. One that is opened and closed in the same prose stays; of any other the
/// summary becomes a line of its own, and its end goes.
fn unfold(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut open = Vec::new();
    let mut keep = vec![true; lines.len()];
    for (index, line) in lines.iter().enumerate() {
        if line.contains("<details") {
            open.push(index);
        }
        if line.contains("</details>") {
            keep[index] = open.pop().is_some();
        }
    }
    for index in open {
        keep[index] = false;
    }
    let mut unfolded = Vec::new();
    for (line, keep) in lines.iter().zip(keep) {
        if keep {
            unfolded.push((*line).to_owned());
        } else if let Some((_, rest)) = line.split_once("<summary>") {
            let summary = rest.split("</summary>").next().unwrap_or(rest);
            unfolded.push(format!("*{}*", summary.trim()));
        }
    }
    unfolded.join("\n")
}

/// Links to other pages lead to their notebooks, or to the page's source where there is none.
fn relink(root: &Path, page: &Page, text: &str) -> String {
    let mut linked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("](") {
        let (before, after) = rest.split_at(start + 2);
        linked.push_str(before);
        let Some(end) = after.find(')') else {
            rest = after;
            break;
        };
        linked.push_str(&from_notebook(root, page, &after[..end]));
        rest = &after[end..];
    }
    linked.push_str(rest);
    linked
}

/// The target of a link as the page's notebook has to write it.
fn from_notebook(root: &Path, page: &Page, target: &str) -> String {
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    if file.is_empty() || target.contains(':') || target.starts_with(['/', '<']) {
        return target.to_owned();
    }
    if has_notebook(root, page, file) {
        return Path::new(file)
            .with_extension("ipynb")
            .display()
            .to_string();
    }
    let anchor = if anchor.is_empty() {
        String::new()
    } else {
        format!("#{anchor}")
    };
    format!("{}{anchor}", to_source(page, file))
}

fn has_notebook(root: &Path, page: &Page, file: &str) -> bool {
    let folder = page.path.parent().unwrap_or(Path::new(""));
    let path = folder.join(file);
    if path.extension().is_none_or(|end| end != "md") {
        return false;
    }
    let text = std::fs::read_to_string(root.join("book/src").join(&path)).unwrap_or_default();
    Page::parse(&path, &text).is_ok_and(|page| page.cells().any(Cell::in_notebook))
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

fn metadata(page: &Page) -> v4::Metadata {
    let (name, display_name) = kernel_names(page.front.crates.as_deref());
    let kernelspec = v4::KernelSpec {
        display_name,
        name: name.to_owned(),
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
    fn ids_of_other_sections_survive_a_new_cell() {
        let ids = |source: &str| -> Vec<String> {
            let notebook = notebook(Path::new("/"), &page(source), None).unwrap();
            notebook
                .cells
                .iter()
                .map(|cell| cell.id().to_string())
                .collect()
        };
        let source = format!("{PAGE}\n## More\n\nWords.\n\n```rust\n3\n```\n\nLast.\n");
        let before = ids(&source);
        assert_eq!(
            before,
            [
                "prose_t-1",
                "t-1",
                "prose_t-2",
                "t-2",
                "prose_more-1",
                "more-1",
                "prose_more-2"
            ]
        );
        let after = ids(&source.replace("See", "```rust\n0\n```\n\nSee"));
        assert_eq!(before[4..], after[after.len() - 3..]);
        let unique: std::collections::HashSet<_> = after.iter().collect();
        assert_eq!(unique.len(), after.len());
    }

    #[test]
    fn a_fold_in_one_piece_stays_and_others_open() {
        let text = "</details>\n\n<details class=\"quiz\"><summary>Why?</summary>\n\nSo.\n\n</details>\n\n<details><summary>Solution</summary>";
        let wanted =
            "\n<details class=\"quiz\"><summary>Why?</summary>\n\nSo.\n\n</details>\n\n*Solution*";
        assert_eq!(unfold(text), wanted);
    }

    #[test]
    fn a_link_to_a_lesson_leads_to_its_notebook() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("book/src/a")).unwrap();
        std::fs::write(root.path().join("book/src/x.md"), PAGE).unwrap();
        let link = |target| from_notebook(root.path(), &page(PAGE), target);
        assert_eq!(link("../x.md#y"), "../x.ipynb");
        assert_eq!(link("../y.md#z"), "../../book/src/y.md#z");
        assert_eq!(link("images/a.svg"), "../../book/src/a/images/a.svg");
        assert_eq!(link("#here"), "#here");
        assert_eq!(link("mailto:a@b.c"), "mailto:a@b.c");
    }

    #[test]
    fn outputs_know_what_they_are_of() {
        let first = page(PAGE);
        let mut ran = notebook(Path::new("/"), &first, None).unwrap();
        assert_eq!(outputs_of(&ran), None);
        mark_run(&mut ran, &first);
        let changed = page(&PAGE.replace("1 + 1", "1 + 2"));
        let kept = notebook(Path::new("/"), &changed, Some(&ran)).unwrap();
        assert_eq!(outputs_of(&kept), Some(fingerprint(&first).as_str()));
        assert_ne!(fingerprint(&first), fingerprint(&changed));
        assert_eq!(
            fingerprint(&first),
            fingerprint(&page(&PAGE.replace("See", "Look at")))
        );
        assert!(to_json(&ran).unwrap().contains("outputs_of"));
    }

    #[test]
    fn a_page_with_a_crate_of_its_own_has_a_kernel_of_its_own() {
        let plain = page(PAGE);
        let tables = page(&PAGE.replace("status", "crates: kindling-tables\nstatus"));
        let kernel = |page: &Page| {
            let notebook = notebook(Path::new("/"), page, None).unwrap();
            let spec = notebook.metadata.kernelspec.unwrap();
            (spec.name, spec.display_name)
        };
        let pair = |name: &str, shown: &str| (name.to_owned(), shown.to_owned());
        assert_eq!(kernel(&plain), pair("kindling", "Rust (Kindling)"));
        assert_eq!(
            kernel(&tables),
            pair("kindling-tables", "Rust (Kindling, kindling-tables)")
        );
        assert_ne!(fingerprint(&plain), fingerprint(&tables));
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
