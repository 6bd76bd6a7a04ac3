//! The notebooks in real Jupyter: nbclient runs every cell of a lesson through the kernelspec that it names.

use anyhow::Result;
use kindling_kernel::{Home, KernelKind, is_prepared};
use kindling_skip::{Need, skip};
use kindling_tests::{course, root};
use std::path::PathBuf;
use std::process::Command;

const PROGRAM: &str = r#"
import sys, time, nbformat
from nbclient import NotebookClient
kernels = sys.argv[1].split(",")
for path in sys.argv[2:]:
    start = time.time()
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name in kernels, path
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    NotebookClient(notebook, timeout=600, startup_timeout=180).execute()
    shown = sum(bool(cell.get("outputs")) for cell in notebook.cells)
    figures = sum("image/svg+xml" in output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", []))
    assert shown >= 8 and figures >= 2, (path, shown, figures)
    # A progress line is overwritten: what is left of it is one line.
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert output.get("text", "").count("\n") < 60, (path, cell.id)
    print(f"{path}: {shown} cells show something, {figures} figures, {time.time() - start:.0f} s")
"#;

/// One lesson for each kernel that there is; that every cell of all lessons runs is what `course notebooks --check` sees to.
#[test]
fn nbclient_runs_a_lesson_on_each_kernel() -> Result<()> {
    let lesson = |name: &str| root().join(format!("notebooks/algorithms/{name}.ipynb"));
    run(&[
        lesson("forward-propagation"),
        lesson("image-classification"),
        lesson("boxes"),
    ])
}

#[test]
#[ignore = "takes minutes: run it with `cargo course test --full`"]
fn nbclient_runs_every_lesson() -> Result<()> {
    let mut notebooks: Vec<PathBuf> = Vec::new();
    for folder in std::fs::read_dir(root().join("notebooks"))? {
        let folder = folder?.path();
        if folder.is_dir() {
            for entry in std::fs::read_dir(folder)? {
                notebooks.push(entry?.path());
            }
        }
    }
    notebooks.retain(|path| path.extension().is_some_and(|end| end == "ipynb"));
    assert!(notebooks.len() >= 8, "{notebooks:?}");
    run(&notebooks)
}

fn run(notebooks: &[PathBuf]) -> Result<()> {
    let home = Home::locate(&root());
    if !is_prepared(&home) {
        let reason = "the kernel is not prepared; run `cargo course kernel prepare`";
        skip(Need::Kernel, reason);
        return Ok(());
    }
    let installed = Command::new(course()?)
        .args(["jupyter", "--install-only"])
        .current_dir(root())
        .output()?;
    if !installed.status.success() {
        skip(Need::Python, &String::from_utf8_lossy(&installed.stderr));
        return Ok(());
    }
    let python = String::from_utf8_lossy(&installed.stdout)
        .lines()
        .last()
        .unwrap_or_default()
        .trim()
        .to_owned();
    let kernels: Vec<&str> = KernelKind::all().map(KernelKind::kernel).collect();
    let scratch = tempfile::tempdir()?;
    let output = Command::new(python)
        .args(["-c", PROGRAM, &kernels.join(",")])
        .args(notebooks)
        .current_dir(scratch.path())
        .env("JUPYTER_PATH", home.jupyter())
        .env("JUPYTER_RUNTIME_DIR", scratch.path().join("runtime"))
        .env("IPYTHONDIR", scratch.path().join("ipython"))
        .output()?;
    print!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
