//! What a check depends on: the files it can read, the toolchain, and what the environment says.
//!
//! Where it is in doubt a check depends on the whole repository. What a package's tests can read is decided by its sources:
//! those of itself and of what it needs in the workspace, the data that ships, and every file that the package names. Tests that
//! find the repository and know the places of the book can read all of it.

use super::workspace::Workspace;
use anyhow::{Context, Result, bail};
use data_encoding::HEXLOWER;
use kindling_pages::Page;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

/// Files that no check reads.
const UNREAD: [&str; 7] = [
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "LICENSE-PROSE",
    "CHANGELOG.md",
    "README.zh-CN.md",
    ".github/workflows/ci.yml",
    ".ci/run",
];

/// What every package depends on, besides sources: how it is compiled, the data that ships, and what runs the tests.
const COMMON: [&str; 9] = [
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
    "rust-toolchain",
    ".cargo/",
    "data/",
    "book/book.toml",
    "crates/course/src/test/",
    "crates/course/src/cargo.rs",
];

/// How a source finds the repository that it lies in.
const FINDS_ROOT: [&str; 6] = [
    "CARGO_MANIFEST_DIR",
    "KINDLING_REPOSITORY",
    "current_dir",
    "repository(",
    "kindling_tests::root",
    "../../../",
];

/// How a source names what lies outside the crates and the data.
const NAMES_PAGES: [&str; 7] = [
    "book/src",
    "book/po",
    "book/theme",
    "book/build",
    "notebooks/",
    "\"notebooks",
    "Book::open",
];

/// How an end-to-end test reaches the pages through the program.
const USES_BOOK: [&str; 10] = [
    "Up::start",
    "is_prepared",
    "\"up\"",
    "\"book\"",
    "\"check\"",
    "\"sync\"",
    "\"test\"",
    "\"kernel\"",
    "\"jupyter\"",
    "\"git\"",
];

/// How a source uses the prepared kernel.
const USES_KERNEL: [&str; 2] = ["is_prepared", "Session::start"];

/// Takes of `kindling-pages` only what reads no page: the table of crates, and how outputs are read. A test looks into its sources.
const READS_NO_PAGE: &str = "kindling-kernel";

/// Variables that say how the tests are run, not what they find.
const NOT_INPUTS: [&str; 10] = [
    kindling_skip::FILE,
    // What leaves a proof skipped nothing: it passes where everything must be there, too.
    kindling_skip::STRICT,
    "KINDLING_OFFLINE",
    "KINDLING_CI_CACHE",
    "KINDLING_COMPILED",
    "KINDLING_LESSONS",
    super::stages::COMPILED_ONLY,
    "KINDLING_COURSE",
    super::wrapper::PROVEN,
    super::wrapper::RUSTDOC,
];

impl Reach {
    /// Reads the sources of all packages.
    pub fn find(root: &Path, workspace: &Workspace) -> Result<Self> {
        let files: BTreeSet<String> = listed(root)?.into_iter().collect();
        let sources = files.iter().filter(|name| name.ends_with(".rs"));
        let sources: BTreeMap<&String, Source> = sources
            .filter_map(|name| {
                let text = std::fs::read_to_string(root.join(name)).ok()?;
                Some((name, Source::read(&text, &files)))
            })
            .collect();
        let mut reach = Self::default();
        for package in &workspace.packages {
            let name = &package.name;
            let of = |folder: &str| -> Vec<&Source> {
                let sources = sources.iter();
                let own = sources.filter(|(file, _)| lies_in(file, folder));
                own.map(|(_, source)| source).collect()
            };
            let own = of(&package.folder);
            let all = workspace.folders(name);
            let names_pages = || {
                let read = all
                    .iter()
                    .filter(|folder| name != READS_NO_PAGE || **folder == package.folder);
                read.into_iter()
                    .any(|folder| of(folder).iter().any(|source| source.names_pages))
            };
            if own.iter().any(|source| source.finds_root) && names_pages() {
                reach.unbounded.insert(name.clone());
            }
            if own.iter().any(|source| source.uses_kernel) {
                reach.uses_kernel.insert(name.clone());
            }
            let named = own.iter().flat_map(|source| source.named.clone());
            reach.named.insert(name.clone(), named.collect());
            let folders = all.iter().map(|folder| (*folder).to_owned());
            reach.folders.insert(name.clone(), folders.collect());
            for program in package.tests.iter().filter(|_| package.is_end_to_end()) {
                let file = format!("{}/tests/{program}.rs", package.folder);
                let unit = format!("{name}/{program}");
                let source = sources.get(&file);
                // A program whose file is not where it is expected is one that nothing is known of.
                if source.is_none_or(|source| source.names_pages || source.uses_book) {
                    reach.unbounded.insert(unit.clone());
                }
                if source.is_none_or(|source| source.uses_kernel) {
                    reach.uses_kernel.insert(unit);
                }
            }
        }
        Ok(reach)
    }
}

/// What one source says.
struct Source {
    finds_root: bool,
    names_pages: bool,
    uses_book: bool,
    uses_kernel: bool,
    /// The files that it names from the top of the repository.
    named: BTreeSet<String>,
}

impl Source {
    fn read(text: &str, files: &BTreeSet<String>) -> Self {
        let has = |signs: &[&str]| signs.iter().any(|sign| text.contains(sign));
        let is_of_path = |letter: char| letter.is_alphanumeric() || "/._-".contains(letter);
        let words = text
            .split(|letter| !is_of_path(letter))
            .filter(|word| word.contains('/'));
        let named = words.map(|word| word.trim_start_matches("../").trim_end_matches('.'));
        Self {
            finds_root: has(&FINDS_ROOT),
            names_pages: has(&NAMES_PAGES),
            uses_book: has(&USES_BOOK),
            uses_kernel: has(&USES_KERNEL),
            named: named
                .filter(|word| files.contains(*word))
                .map(str::to_owned)
                .collect(),
        }
    }
}

/// One thing that passes or fails, and need not run again while its inputs are the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// A check of everything.
    Repository,
    /// The tests of a package.
    Package(String),
    /// One program of a package of end-to-end tests.
    Program { package: String, program: String },
    /// One page, as a doctest or as a notebook.
    Page(PathBuf),
}

impl Unit {
    /// Its name in the summary, and in the list of what is proven.
    pub fn name(&self) -> String {
        match self {
            Self::Repository => "all of it".to_owned(),
            Self::Package(name) => name.clone(),
            Self::Program { package, program } => format!("{package}/{program}"),
            Self::Page(path) => path.with_extension("").display().to_string(),
        }
    }
}

/// Everything that a check may depend on, as it is now.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// The hash of each file, by its path from the top of the repository.
    files: BTreeMap<String, [u8; 32]>,
    environment: String,
    /// The stamps of the prepared kernels.
    kernel: String,
    reach: Rc<Reach>,
    /// What each page includes.
    included: BTreeMap<PathBuf, BTreeSet<String>>,
}

/// How far the tests of each package reach, by its sources.
///
/// Found once in a run: if a source that it was found by changes meanwhile, so do the keys, and nothing is kept.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    /// The packages, and programs of end-to-end tests, that can read all of the repository.
    unbounded: BTreeSet<String>,
    uses_kernel: BTreeSet<String>,
    /// The folders of a package and of what it needs.
    folders: BTreeMap<String, Vec<String>>,
    /// Files that a package names though they lie outside it.
    named: BTreeMap<String, BTreeSet<String>>,
}

impl Inputs {
    /// Reads all files that git knows or would know.
    pub fn read(root: &Path, pages: &[Page], reach: &Rc<Reach>) -> Result<Self> {
        let mut files = BTreeMap::new();
        for name in listed(root)? {
            // A file that is deleted and not yet committed is listed; its absence is what counts.
            if let Ok(bytes) = std::fs::read(root.join(&name)) {
                files.insert(name, Sha256::digest(&bytes).into());
            }
        }
        Ok(Self {
            files,
            environment: environment(root)?,
            kernel: kernel(root),
            reach: Rc::clone(reach),
            included: pages
                .iter()
                .map(|page| (page.path.clone(), includes(page)))
                .collect(),
        })
    }

    /// Whether the unit may read the file.
    pub fn reads(&self, unit: &Unit, file: &str) -> bool {
        let is_read = !UNREAD.contains(&file);
        let common = || {
            let listed = COMMON.iter().any(|common| match common.strip_suffix('/') {
                Some(folder) => lies_in(file, folder),
                None => file == *common,
            });
            listed || lies_in(file, "crates/kindling-skip")
        };
        let of = |package: &str| {
            let folders = self.reach.folders.get(package).into_iter().flatten();
            folders.into_iter().any(|folder| lies_in(file, folder))
        };
        let named = |package: &str| {
            let named = self.reach.named.get(package);
            named.is_some_and(|named| named.contains(file))
        };
        match unit {
            Unit::Repository => is_read,
            Unit::Package(name) if self.reach.unbounded.contains(name) => is_read,
            Unit::Package(name) => common() || of(name) || named(name),
            Unit::Program { .. } if self.reach.unbounded.contains(&unit.name()) => is_read,
            // It runs the programs, which are made of any crate.
            Unit::Program { package, .. } => {
                common() || of(package) || named(package) || lies_in(file, "crates")
            }
            Unit::Page(path) => {
                let shown = format!("book/src/{}", slashed(path));
                let notebook = format!("notebooks/{}", slashed(&path.with_extension("ipynb")));
                let included = self.included.get(path);
                common()
                    || file == shown
                    || file == notebook
                    || included.is_some_and(|files| files.contains(file))
                    || lies_in(file, "crates")
            }
        }
    }

    /// The key of a unit of a stage: a hash of all that it depends on.
    pub fn key(&self, stage: &str, unit: &Unit) -> String {
        let mut hash = Sha256::new();
        let mut feed = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        };
        feed(stage);
        feed(&unit.name());
        feed(&self.environment);
        let name = unit.name();
        if matches!(unit, Unit::Page(_)) || self.reach.uses_kernel.contains(&name) {
            feed(&self.kernel);
        }
        for (file, digest) in &self.files {
            if self.reads(unit, file) {
                feed(file);
                feed(&HEXLOWER.encode(digest));
            }
        }
        HEXLOWER.encode(&hash.finalize())
    }
}

fn slashed(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "/")
}

fn lies_in(file: &str, folder: &str) -> bool {
    file.strip_prefix(folder)
        .is_some_and(|rest| rest.starts_with('/'))
}

/// All files but those that git is told to ignore.
fn listed(root: &Path) -> Result<Vec<String>> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root)
        .output()
        .context("cannot start git")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`git ls-files` failed: {}", said.trim());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut files: Vec<String> = text.split('\0').map(str::to_owned).collect();
    files.retain(|file| !file.is_empty());
    files.sort();
    files.dedup();
    Ok(files)
}

/// The files that a page shows parts of, from the top of the repository.
fn includes(page: &Page) -> BTreeSet<String> {
    let folder = Path::new("book/src").join(page.path.parent().unwrap_or(Path::new("")));
    let targets = page.source.split("{{#").skip(1).filter_map(|rest| {
        let (_, target) = rest.split_once("include ")?;
        let target = target.split("}}").next()?;
        target.split(':').next().map(str::trim)
    });
    targets
        .map(|target| slashed(&normal(&folder.join(target))))
        .collect()
}

/// Without `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

/// What the compiler, the processor, the variables and the data at hand say.
fn environment(root: &Path) -> Result<String> {
    let compiler = Command::new("rustc")
        .arg("-Vv")
        .output()
        .context("cannot run rustc; install Rust with rustup")?;
    let mut text = String::from_utf8_lossy(&compiler.stdout).into_owned();
    // Sums differ in their last digits where other instructions add them up.
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mut lines = processor.lines();
    text.extend(lines.find(|line| line.starts_with("flags")));
    let mut variables: Vec<(String, String)> = std::env::vars_os()
        .map(|(name, value)| {
            let plain = |text: &std::ffi::OsStr| text.to_string_lossy().into_owned();
            (plain(&name), plain(&value))
        })
        .filter(|(name, _)| is_input(name))
        .collect();
    variables.sort();
    for (name, value) in variables {
        text.push_str(&format!("\n{name}={value}"));
    }
    // What a data set holds is checked by its hash; whether it is here decides what a lesson can load.
    // The same goes for models that were trained here: they come before those that ship.
    for folder in [kindling_fetch::cache_folder(), root.join(".kindling/runs")] {
        text.push_str(&format!("\nhere: {:?}\n", here(&folder)));
    }
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    if let Some(home) = home {
        text.push_str(&std::fs::read_to_string(home.join("config.toml")).unwrap_or_default());
    }
    Ok(text)
}

/// The names in a folder, but for folders that hold decoded pictures alone: these are made of a data set that lies elsewhere, by the first
/// run that reads it, and decide nothing.
fn here(folder: &Path) -> BTreeSet<String> {
    let entries = |folder: &Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let is_decoded = |file: &PathBuf| file.extension().is_some_and(|end| end == "safetensors");
    let mut found = entries(folder);
    found.retain(|path| {
        let inside = entries(path);
        inside.is_empty() || !inside.iter().all(is_decoded)
    });
    let names = found.iter().filter_map(|path| path.file_name());
    names
        .map(|name| name.to_string_lossy().into_owned())
        .collect()
}

fn is_input(variable: &str) -> bool {
    let starts = [
        "KINDLING_",
        "CARGO_PROFILE_",
        "CARGO_BUILD_",
        "CARGO_TARGET_",
        "RUST_TEST_",
        "HF_",
        "CANDLE_",
    ];
    let names = [
        "CHROME",
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "RUSTC_WRAPPER",
        "RUSTC",
        "RUSTUP_TOOLCHAIN",
        "RAYON_NUM_THREADS",
    ];
    let is_named =
        starts.iter().any(|start| variable.starts_with(start)) || names.contains(&variable);
    is_named && !NOT_INPUTS.contains(&variable) && !variable.ends_with("_RUNNER")
}

/// What the stamps of the prepared kernels say.
fn kernel(root: &Path) -> String {
    let home = kindling_kernel::Home::locate(root);
    let mut stamps = BTreeSet::new();
    for entry in std::fs::read_dir(home.root())
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("prepared") {
            let stamp = std::fs::read_to_string(entry.path()).unwrap_or_default();
            stamps.insert(format!("{name} {stamp}"));
        }
    }
    stamps.into_iter().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::stages::units;
    use kindling_pages::Book;

    /// This repository.
    fn real() -> (Workspace, Vec<Page>, Inputs) {
        let root = crate::repository().unwrap();
        let workspace = Workspace::read(&root).unwrap();
        let pages = Book::open(&root).unwrap().pages;
        let reach = Rc::new(Reach::find(&root, &workspace).unwrap());
        let inputs = Inputs::read(&root, &pages, &reach).unwrap();
        (workspace, pages, inputs)
    }

    fn keys(
        workspace: &Workspace,
        inputs: &Inputs,
        pages: &[Page],
    ) -> BTreeMap<(&'static str, String), String> {
        let units = units(workspace, pages);
        let keys = units
            .iter()
            .map(|(stage, unit)| ((*stage, unit.name()), inputs.key(stage, unit)));
        keys.collect()
    }

    #[test]
    fn every_file_is_read_by_a_check_or_by_none_on_purpose() {
        let (workspace, pages, inputs) = real();
        let units = units(&workspace, &pages);
        for file in inputs.files.keys() {
            let read = units.iter().any(|(_, unit)| inputs.reads(unit, file));
            assert_eq!(read, !UNREAD.contains(&file.as_str()), "{file}");
        }
        for file in UNREAD {
            assert!(
                inputs.files.contains_key(file),
                "{file} is gone: take it from the list"
            );
        }
    }

    #[test]
    fn a_key_changes_with_each_file_of_the_package_of_what_it_needs_and_of_the_data() {
        let (workspace, _, inputs) = real();
        for package in workspace
            .packages
            .iter()
            .filter(|package| !package.is_end_to_end())
        {
            let unit = Unit::Package(package.name.clone());
            let folders = workspace.folders(&package.name);
            for file in inputs.files.keys() {
                let must = folders.iter().any(|folder| lies_in(file, folder))
                    || lies_in(file, "data")
                    || ["Cargo.lock", "Cargo.toml", ".cargo/config.toml"].contains(&file.as_str());
                if must {
                    assert!(inputs.reads(&unit, file), "{} {file}", package.name);
                }
            }
        }
        let unit = Unit::Package("kindling".to_owned());
        let before = inputs.key("crates", &unit);
        for file in [
            "crates/kindling-fetch/src/lib.rs",
            "crates/kindling/fixtures/porter.json",
            "data/datasets.toml",
            "Cargo.lock",
        ] {
            let mut changed = inputs.clone();
            changed.files.get_mut(file).unwrap()[0] ^= 1;
            assert_ne!(changed.key("crates", &unit), before, "{file}");
            changed.files.remove(file);
            assert_ne!(changed.key("crates", &unit), before, "{file} is gone");
        }
        let mut changed = inputs.clone();
        changed
            .files
            .insert("crates/kindling/src/new.rs".to_owned(), [0; 32]);
        assert_ne!(changed.key("crates", &unit), before);
        let mut changed = inputs.clone();
        changed.environment.push('x');
        assert_ne!(changed.key("crates", &unit), before);
    }

    #[test]
    fn a_changed_page_touches_its_own_units_and_what_reads_the_book() {
        let (workspace, pages, inputs) = real();
        let before = keys(&workspace, &inputs, &pages);
        let mut changed = inputs.clone();
        let file = "book/src/algorithms/backpropagation.md";
        changed.files.get_mut(file).unwrap()[0] ^= 1;
        let after = keys(&workspace, &changed, &pages);
        let touched: BTreeSet<(&str, &str)> = before
            .iter()
            .filter(|(unit, key)| after[*unit] != **key)
            .map(|((stage, unit), _)| (*stage, unit.as_str()))
            .collect();
        for unit in [
            ("check", "all of it"),
            ("lints", "all of it"),
            ("pages", "algorithms/backpropagation"),
            ("notebooks", "algorithms/backpropagation"),
            ("end-to-end", "kindling-tests/browser"),
            ("end-to-end", "kindling-tests/notebooks"),
            ("end-to-end", "kindling-tests/command_line"),
            ("crates", "kindling-lessons"),
            ("tools", "course"),
        ] {
            assert!(touched.contains(&unit), "{unit:?}");
        }
        for unit in [
            ("crates", "kindling"),
            ("crates", "kindling-pretrained"),
            ("crates", "course-models"),
            ("pages", "kindling"),
            ("pages", "algorithms/forward-propagation"),
            ("notebooks", "algorithms/forward-propagation"),
            ("tools", "kindling-kernel"),
            ("tools", "kindling-fetch"),
            ("end-to-end", "kindling-tests/training"),
            ("end-to-end", "kindling-tests/translation"),
            ("end-to-end", "kindling-tests/detection"),
            ("end-to-end", "kindling-tests/word_vectors"),
        ] {
            assert!(
                !touched.contains(&unit) && before.contains_key(&(unit.0, unit.1.to_owned())),
                "{unit:?}"
            );
        }
    }

    #[test]
    fn what_is_said_to_read_no_page_reads_none() {
        let root = crate::repository().unwrap();
        let sources = listed(&root).unwrap();
        let folder = format!("crates/{READS_NO_PAGE}/");
        let own = sources
            .iter()
            .filter(|name| name.starts_with(&folder) && name.ends_with(".rs"));
        let mut count = 0;
        for name in own {
            let text = std::fs::read_to_string(root.join(name)).unwrap();
            for sign in ["Book", "Page::", "pages::Page", "read_notebook"] {
                assert!(!text.contains(sign), "{name}: {sign}");
            }
            count += 1;
        }
        assert!(count > 10, "{count}");
    }

    #[test]
    fn the_theme_a_catalogue_and_a_fixture_touch_what_reads_them() {
        let (_, _, inputs) = real();
        for file in [
            "book/theme/kindling.css",
            "book/po/zh-CN.po",
            "README.md",
            "clippy.toml",
            "rustfmt.toml",
        ] {
            assert!(inputs.reads(&Unit::Repository, file), "{file}");
        }
        let training = Unit::Program {
            package: "kindling-tests".to_owned(),
            program: "training".to_owned(),
        };
        // It is named in the test, which gives it to the program as an input.
        assert!(inputs.reads(&training, "book/screenshot.png"));
    }

    #[test]
    fn a_page_depends_on_what_it_includes() {
        let source = "---\nstatus: complete\n---\n# T\n\n```rust,ignore,reason=\"x\"\n{{#include ../../../code/a.rs:there}}\n```\n";
        let page = Page::parse(Path::new("a/b.md"), source).unwrap();
        let files: Vec<String> = includes(&page).into_iter().collect();
        assert_eq!(files, ["code/a.rs"]);
        let (_, pages, inputs) = real();
        let mut seen = 0;
        for page in &pages {
            for file in includes(page) {
                seen += 1;
                assert!(
                    inputs.files.contains_key(&file),
                    "{}: {file}",
                    page.path.display()
                );
                assert!(inputs.reads(&Unit::Page(page.path.clone()), &file));
            }
        }
        assert!(seen > 0);
    }

    #[test]
    fn files_of_a_folder_are_read_as_they_are_now() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let git = |arguments: &[&str]| {
            let status = Command::new("git")
                .args(arguments)
                .current_dir(root)
                .status();
            assert!(status.unwrap().success());
        };
        git(&["init", "--quiet"]);
        std::fs::create_dir_all(root.join("crates/net/src")).unwrap();
        std::fs::write(root.join(".gitignore"), "/target\n").unwrap();
        let workspace = crate::test::workspace::tests::sample();
        let unit = Unit::Package("net".to_owned());
        let key = || {
            let reach = Rc::new(Reach::find(root, &workspace).unwrap());
            let inputs = Inputs::read(root, &[], &reach).unwrap();
            inputs.key("crates", &unit)
        };
        let write = |name: &str, text: &str| std::fs::write(root.join(name), text).unwrap();
        write("crates/net/src/lib.rs", "1");
        let first = key();
        assert_eq!(key(), first);
        write("crates/net/src/lib.rs", "2");
        let second = key();
        assert_ne!(second, first);
        write("crates/net/src/new file é.rs", "");
        let third = key();
        assert_ne!(third, second, "a file that is not yet committed counts");
        git(&["add", "."]);
        assert_eq!(key(), third);
        std::fs::remove_file(root.join("crates/net/src/new file é.rs")).unwrap();
        assert_eq!(key(), second, "a file that is gone counts");
        write("crates/net/src/lib.rs", "1");
        assert_eq!(key(), first);
        std::fs::create_dir_all(root.join("target")).unwrap();
        write("target/x", "");
        write("README.md", "words");
        assert_eq!(key(), first);
    }

    #[test]
    fn decoded_pictures_decide_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        };
        write("bccd/0123.safetensors");
        assert!(here(folder.path()).is_empty());
        write("mnist/labels.gz");
        write("mnist/decoded.safetensors");
        let names: Vec<String> = here(folder.path()).into_iter().collect();
        assert_eq!(names, ["mnist"]);
        assert!(here(&folder.path().join("none")).is_empty());
    }

    #[test]
    fn variables_that_change_what_a_test_finds_are_inputs() {
        for name in [
            "KINDLING_MIRROR",
            "KINDLING_MINILM",
            "RUSTFLAGS",
            "CARGO_PROFILE_DEV_OPT_LEVEL",
            "CHROME",
        ] {
            assert!(is_input(name), "{name}");
        }
        for name in [
            "KINDLING_SKIPS",
            "KINDLING_STRICT",
            "HOME",
            "CARGO_TARGET_X_RUNNER",
        ] {
            assert!(!is_input(name), "{name}");
        }
    }
}
