//! The one way in which a test says that it cannot run here.
//!
//! The harness swallows what a passing test prints, so a test that returns early looks like one that passed. [`skip`] writes
//! a line into the file that `KINDLING_SKIPS` names instead, where `cargo course test` finds it. With `KINDLING_STRICT`, which
//! holds `all` or a list such as `mirror,kernel`, it fails the test: what must be there is there.

use std::ffi::OsString;
use std::fmt;
use std::fs::OpenOptions;
use std::io::Write;
use std::panic::Location;
use std::path::{Path, PathBuf};

/// The variable that names the file in which skipped tests are noted.
pub const FILE: &str = "KINDLING_SKIPS";

/// The variable that says what must be there: `all`, or needs with commas between.
pub const STRICT: &str = "KINDLING_STRICT";

/// What a test needs and a machine may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// The folder of data sets that `KINDLING_MIRROR` names.
    Mirror,
    /// A Chromium.
    Browser,
    /// Pretrained weights, such as those in the folder that `KINDLING_MINILM` names.
    Weights,
    /// The prepared notebook kernel.
    Kernel,
    /// Python 3 with what a test imports.
    Python,
    /// The rights of the system's administrator.
    Root,
}

impl Need {
    /// All needs.
    pub const ALL: [Self; 6] = [
        Self::Mirror,
        Self::Browser,
        Self::Weights,
        Self::Kernel,
        Self::Python,
        Self::Root,
    ];

    /// Its name in `KINDLING_STRICT`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mirror => "mirror",
            Self::Browser => "browser",
            Self::Weights => "weights",
            Self::Kernel => "kernel",
            Self::Python => "python",
            Self::Root => "root",
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Notes that the running test does not run, and why; the test returns after it.
///
/// # Panics
/// Where `KINDLING_STRICT` says that the need must be met.
#[track_caller]
#[allow(clippy::panic, reason = "a test fails by panicking")]
pub fn skip(need: Need, reason: &str) {
    let strict = std::env::var(STRICT).unwrap_or_default();
    match is_strict(&strict, need) {
        Ok(false) => {}
        Ok(true) => panic!("this test must not be skipped where {STRICT} is `{strict}`: {reason}"),
        Err(problem) => panic!("{problem}"),
    }
    let package = std::env::var("CARGO_PKG_NAME").unwrap_or_default();
    let test = test_name(Location::caller());
    let line = line(need, [&package, &program(), &test, reason]);
    let file = std::env::var_os(FILE).filter(|file| !file.is_empty());
    match file {
        None => eprintln!("skipped ({need}): {test}: {reason}"),
        Some(file) => {
            if let Err(error) = append(Path::new(&file), &line) {
                panic!("{}: {error}", Path::new(&file).display());
            }
        }
    }
}

/// The folder of data sets, which holds `sets` (such as `mnist/`), or a note that the running test is skipped.
#[track_caller]
#[must_use]
pub fn mirror(sets: &str) -> Option<PathBuf> {
    let folder = named(std::env::var_os("KINDLING_MIRROR"));
    if folder.is_none() {
        let reason = format!("set KINDLING_MIRROR to a folder that holds {sets}");
        skip(Need::Mirror, &reason);
    }
    folder
}

/// The folder of all-MiniLM-L6-v2, or a note that the running test is skipped.
#[track_caller]
#[must_use]
pub fn minilm() -> Option<PathBuf> {
    let folder = named(std::env::var_os("KINDLING_MINILM"));
    if folder.is_none() {
        let reason = "set KINDLING_MINILM to the folder of all-MiniLM-L6-v2";
        skip(Need::Weights, reason);
    }
    folder
}

/// The GGUF file of SmolLM2-135M-Instruct, or a note that the running test is skipped.
#[track_caller]
#[must_use]
pub fn smollm2() -> Option<PathBuf> {
    let file = named(std::env::var_os("KINDLING_SMOLLM2"));
    if file.is_none() {
        let reason = "set KINDLING_SMOLLM2 to the GGUF file of SmolLM2-135M-Instruct";
        skip(Need::Weights, reason);
    }
    file
}

/// An empty variable counts as not set.
fn named(value: Option<OsString>) -> Option<PathBuf> {
    value.filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Whether `strict` asks for the need; what it holds otherwise is an error, so that a slip of the pen does not pass for a list.
///
/// # Errors
/// One sentence that names the unknown word.
pub fn is_strict(strict: &str, need: Need) -> Result<bool, String> {
    let mut asked = false;
    for word in strict.split(',').map(str::trim) {
        match word {
            "" | "0" => {}
            "all" | "1" => asked = true,
            _ => match Need::ALL.iter().find(|known| known.name() == word) {
                Some(known) => asked |= *known == need,
                None => {
                    let known = Need::ALL.map(Need::name).join(", ");
                    return Err(format!(
                        "{STRICT}: expected `all` or some of {known}, found `{word}`"
                    ));
                }
            },
        }
    }
    Ok(asked)
}

/// The harness names a test's thread after it; a doctest has no thread of its own, and is known by its place.
fn test_name(caller: &Location<'_>) -> String {
    match std::thread::current().name() {
        Some(name) if name != "main" && !name.starts_with("tokio") => name.to_owned(),
        _ => format!("{}:{}", caller.file(), caller.line()),
    }
}

/// The test program that runs: its file without the hash that cargo puts behind.
fn program() -> String {
    let file = std::env::current_exe().unwrap_or_default();
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let name = name.rsplit_once('-').map_or(&*name, |(name, _)| name);
    name.to_owned()
}

/// One line of the file: need, then package, program, test and reason, with tabs between.
fn line(need: Need, parts: [&str; 4]) -> String {
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{need}\t{}\n", parts.map(plain).join("\t"))
}

/// One write at the end of the file: the lines of processes that write at once stay whole.
fn append(file: &Path, line: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(file)?;
    file.write_all(line.as_bytes())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_list_names_what_must_be_there() {
        assert_eq!(is_strict("", Need::Mirror), Ok(false));
        for all in ["all", "1", "root,all"] {
            assert_eq!(is_strict(all, Need::Mirror), Ok(true));
        }
        assert_eq!(is_strict("mirror, kernel", Need::Kernel), Ok(true));
        assert_eq!(is_strict("mirror,kernel", Need::Root), Ok(false));
        let error = is_strict("miror", Need::Root).unwrap_err();
        assert!(
            error.starts_with("KINDLING_STRICT: expected `all` or some of mirror, browser"),
            "{error}"
        );
    }

    /// Not a test of its own: what each process of the next tests does.
    #[test]
    fn child() {
        if std::env::var_os("KINDLING_SKIP_TEST_CHILD").is_none() {
            return;
        }
        for round in 0..50 {
            skip(Need::Root, &format!("a reason\nof two lines, {round}"));
        }
    }

    fn start(file: &Path, strict: &str) -> std::process::Child {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tests::child", "--nocapture"])
            .env("KINDLING_SKIP_TEST_CHILD", "1")
            .env(FILE, file)
            .env(STRICT, strict)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    }

    #[test]
    fn processes_that_skip_at_once_write_whole_lines() {
        let file = std::env::temp_dir().join(format!("kindling-skips-{}", std::process::id()));
        let children = [(); 4].map(|()| start(&file, "mirror"));
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(text.lines().count(), 200);
        for line in text.lines() {
            let start = "root\tkindling-skip\tkindling_skip\ttests::child\ta reason of two lines, ";
            assert!(line.starts_with(start), "{line}");
        }
    }

    #[test]
    fn what_must_be_there_fails_the_test() {
        let file = std::env::temp_dir().join("kindling-skips-never-written");
        let output = start(&file, "root").wait_with_output().unwrap();
        assert!(!output.status.success() && !file.exists());
        let said = String::from_utf8_lossy(&output.stderr);
        let expected = "this test must not be skipped where KINDLING_STRICT is `root`: a reason";
        assert!(said.contains(expected), "{said}");
    }

    #[test]
    fn a_doctest_is_known_by_its_place() {
        let place = Location::caller();
        let named = std::thread::Builder::new()
            .name("main".to_owned())
            .spawn(move || test_name(place))
            .unwrap();
        let name = named.join().unwrap();
        assert!(name.contains("lib.rs:"), "{name}");
        assert!(test_name(place).ends_with("a_doctest_is_known_by_its_place"));
    }
}
