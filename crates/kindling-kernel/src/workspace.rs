//! The workspace in which a kernel's cells are compiled: the course's own, seen from the kernel's folder.
//!
//! Cargo names what it compiled after the package's place in its workspace, its features and its profile. So the template of
//! a kernel has the course's manifest, lock file and profiles, and the course's crates at the same places: what tests and
//! commands have compiled is then what cells need, and Candle is compiled once for all of them. What a kernel needs is copied
//! out of the course's target folder, because evcxr works in a folder of its own.
//!
//! The sources are copies as well. Cargo compares times, so that a kernel which found the repository's own files touched by
//! `git switch` would compile the support crate anew each time that it starts.

use crate::{Home, KernelKind, shared, spawn};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Makes a command of cargo compile as evcxr compiles cells, so that each finds what the other has compiled.
///
/// The target is named although it is this machine, and the standard library is linked dynamically. Run with another target
/// or other flags, cargo compiles all crates once more.
pub fn compile_as_cells(command: &mut Command) -> Result<()> {
    let mut flags = "-Cprefer-dynamic".to_owned();
    if linker() == Some("lld") {
        flags.push_str(" -Clink-arg=-fuse-ld=lld");
    }
    command
        .env("CARGO_BUILD_TARGET", host()?)
        .env("RUSTFLAGS", flags)
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    Ok(())
}

/// The linker that evcxr will choose: what it finds first. The flag for lld is part of what cargo compares.
fn linker() -> Option<&'static str> {
    let found = |name: &str| {
        Command::new(name)
            .arg("--version")
            .stdin(Stdio::null())
            .output()
            .is_ok()
    };
    ["mold", "lld"]
        .into_iter()
        .find(|name| !cfg!(target_os = "macos") && found(name))
}

/// What rustc calls this kind of machine.
fn host() -> Result<String> {
    let version = rustc_version()?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("`rustc -Vv` names no host")
}

/// All that `rustc -Vv` says of itself.
pub(crate) fn rustc_version() -> Result<String> {
    let output = Command::new("rustc")
        .arg("-Vv")
        .output()
        .context("cannot run rustc; install Rust with rustup")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// How cells are compiled: they run once, so quick compilation beats quick code, yet a loop over numbers that a lesson writes
/// out must not crawl.
pub(crate) const CELLS_LEVEL: i64 = 1;

/// Writes the template's manifests and links; nothing is compiled.
pub(crate) fn write(home: &Home, crates: KernelKind) -> Result<()> {
    let folder = home.template(crates);
    for member in ["cells", "preload", shared::FOLDER] {
        std::fs::create_dir_all(folder.join(member).join("src"))
            .with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let mut members = vec![
        "cells".to_owned(),
        "preload".to_owned(),
        shared::FOLDER.to_owned(),
    ];
    let sources = home.sources(crates);
    for name in crates.sources() {
        members.push(format!("crates/{name}"));
        mirror_crate(home.repository(), &sources, name)?;
    }
    let data = sources.join("data");
    std::fs::create_dir_all(&data)
        .and_then(|()| {
            let list = home.repository().join("data/datasets.toml");
            spawn::copy_with_time(&list, &data.join("datasets.toml"))
        })
        .with_context(|| format!("cannot write {}", data.display()))?;
    for part in ["crates", "data"] {
        link(&sources.join(part), &folder.join(part))?;
    }
    write_if_changed(
        &folder.join("Cargo.toml"),
        &root_manifest(home.repository(), members)?,
    )?;
    shared::write(&folder.join(shared::FOLDER), crates)?;
    let package = |name: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nedition = \"2024\"\n\n")
    };
    let dependencies = format!("[dependencies]\n{}", requirements(crates));
    let library = "[lib]\ncrate-type = [\"cdylib\"]\npath = \"src/lib.rs\"\n\n";
    write_if_changed(
        &folder.join("preload/Cargo.toml"),
        &format!("{}{dependencies}", package("preload")),
    )?;
    write_if_changed(
        &folder.join("cells/Cargo.toml"),
        &format!("{}{library}{dependencies}", package("ctx")),
    )?;
    write_if_changed(&folder.join("preload/src/lib.rs"), "")?;
    write_if_changed(&folder.join("cells/src/lib.rs"), "")?;
    std::fs::copy(
        home.repository().join("Cargo.lock"),
        folder.join("Cargo.lock"),
    )
    .context("cannot copy Cargo.lock")?;
    Ok(())
}

/// The `[dependencies]` of a cell: the crates by their names, and the library that holds them.
pub(crate) fn requirements(crates: KernelKind) -> String {
    let mut text = shared::requirements(crates);
    text.push_str(&format!(
        "{} = {{ path = \"../{}\" }}\n",
        shared::NAME,
        shared::FOLDER
    ));
    text
}

/// The course's manifest with other members, and a level of optimisation for cells.
fn root_manifest(repository: &Path, members: Vec<String>) -> Result<String> {
    let mut manifest = read_manifest(&repository.join("Cargo.toml"))?;
    let workspace = table(&mut manifest, "workspace")?;
    workspace.remove("exclude");
    let members = members.into_iter().map(toml::Value::String).collect();
    workspace.insert("members".to_owned(), toml::Value::Array(members));
    let development = table(table(&mut manifest, "profile")?, "dev")?;
    let cells = table(table(development, "package")?, "ctx")?;
    cells.insert("opt-level".to_owned(), toml::Value::Integer(CELLS_LEVEL));
    Ok(toml::to_string(&manifest)?)
}

/// One of our crates: its sources, and its manifest without what only its tests need.
fn mirror_crate(repository: &Path, sources: &Path, name: &str) -> Result<()> {
    let (from, to) = (
        repository.join("crates").join(name),
        sources.join("crates").join(name),
    );
    let copied = std::fs::create_dir_all(&to).and_then(|()| {
        // A file that is gone from the repository must be gone here.
        let _ = std::fs::remove_dir_all(to.join("src"));
        spawn::copy_tree(&from.join("src"), &to.join("src"))?;
        match from.join("build.rs") {
            script if script.is_file() => spawn::copy_with_time(&script, &to.join("build.rs")),
            _ => Ok(()),
        }
    });
    copied.with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    let mut manifest = read_manifest(&from.join("Cargo.toml"))?;
    manifest.remove("dev-dependencies");
    write_if_changed(&to.join("Cargo.toml"), &toml::to_string(&manifest)?)
}

fn read_manifest(file: &Path) -> Result<toml::Table> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    toml::from_str(&text).with_context(|| format!("{} is no manifest", file.display()))
}

/// The table of this name in another, made where it is missing.
fn table<'a>(parent: &'a mut toml::Table, name: &str) -> Result<&'a mut toml::Table> {
    let entry = parent
        .entry(name)
        .or_insert_with(|| toml::Value::Table(toml::Table::new()));
    entry
        .as_table_mut()
        .with_context(|| format!("expected `{name}` to be a table of the course's manifest"))
}

/// Makes `to` a symbolic link to the folder `from`; where there are none, a copy.
fn link(from: &Path, to: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        if std::fs::read_link(to).is_ok_and(|target| target == from) {
            return Ok(());
        }
        // A link to elsewhere, or what an earlier version put there.
        let _ = std::fs::remove_file(to).or_else(|_| std::fs::remove_dir_all(to));
        std::os::unix::fs::symlink(from, to)
            .with_context(|| format!("cannot link {} to {}", to.display(), from.display()))
    }
    #[cfg(not(unix))]
    {
        let copied = spawn::copy_tree(from, to);
        copied.with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
    }
}

/// Writes a file only when its text is new: cargo takes a file that was written again for one that was changed.
pub(crate) fn write_if_changed(file: &Path, text: &str) -> Result<()> {
    if std::fs::read_to_string(file).is_ok_and(|old| old == text) {
        return Ok(());
    }
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// The target folder of the course: what tests and commands compile into.
pub fn target_folder(repository: &Path) -> Result<PathBuf> {
    let output = Command::new("cargo")
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(repository)
        .output()
        .context("cannot run cargo; install Rust with rustup")?;
    let metadata: Value = serde_json::from_slice(&output.stdout).with_context(|| {
        format!(
            "cargo cannot read the course's manifest: {}",
            String::from_utf8_lossy(&output.stderr)
        )
    })?;
    match metadata["target_directory"].as_str() {
        Some(folder) => Ok(folder.into()),
        None => bail!("`cargo metadata` names no target folder"),
    }
}

/// What cargo calls each thing that a build used, taken from its messages: the last part of the names of its files.
#[derive(Debug, Default)]
pub(crate) struct Units(HashSet<String>);

impl Units {
    /// Notes the files of a message of `cargo build --message-format=json`.
    pub(crate) fn note(&mut self, message: &Value) {
        let files = message["filenames"].as_array().into_iter().flatten();
        for file in files.chain([&message["out_dir"]]) {
            let path = Path::new(file.as_str().unwrap_or_default());
            // `deps/libserde-0123.rlib`, `build/serde-0123/build-script-build`, `build/serde-0123/out`.
            self.0
                .extend(path.components().rev().take(2).filter_map(|part| {
                    hash_of(&part.as_os_str().to_string_lossy()).map(str::to_owned)
                }));
        }
    }

    /// Copies what was noted from one target folder to another; whatever is compiled is a link where that can be.
    pub(crate) fn copy(&self, from: &Path, to: &Path) -> Result<()> {
        let copied = |source: &Path, target: &Path| -> std::io::Result<()> {
            for profile in profiles(source) {
                let below = profile.strip_prefix(source).unwrap_or(&profile);
                for folder in [".fingerprint", "build", "deps"] {
                    let target = target.join(below).join(folder);
                    std::fs::create_dir_all(&target)?;
                    for entry in entries(&profile.join(folder)) {
                        let name = entry.file_name().to_string_lossy().into_owned();
                        if hash_of(&name).is_some_and(|hash| self.0.contains(hash)) {
                            spawn::copy_entry(&entry, &target.join(entry.file_name()))?;
                        }
                    }
                }
            }
            Ok(())
        };
        copied(from, to).with_context(|| {
            format!(
                "cannot copy the compiled crates from {} to {}",
                from.display(),
                to.display()
            )
        })
    }
}

/// The folders of the development profile: for this machine's own programs, and for the named target.
fn profiles(target: &Path) -> Vec<PathBuf> {
    let named = entries(target).map(|entry| entry.path().join("debug"));
    std::iter::once(target.join("debug"))
        .chain(named)
        .filter(|folder| folder.join(".fingerprint").is_dir())
        .collect()
}

fn entries(folder: &Path) -> impl Iterator<Item = std::fs::DirEntry> {
    std::fs::read_dir(folder).into_iter().flatten().flatten()
}

/// The sixteen hexadecimal digits that end a name of cargo's, before its ending.
fn hash_of(name: &str) -> Option<&str> {
    let stem = name.split('.').next().unwrap_or(name);
    let (_, hash) = stem.rsplit_once('-')?;
    (hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_units_of_a_build_are_copied_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let (mine, other) = ("0123456789abcdef", "fedcba9876543210");
        for hash in [mine, other] {
            for (place, name) in [
                ("x/debug/deps", format!("libserde-{hash}.rlib")),
                ("x/debug/deps", format!("serde-{hash}.d")),
                (
                    &format!("debug/.fingerprint/serde-{hash}"),
                    "lib-serde".to_owned(),
                ),
                (
                    &format!("x/debug/.fingerprint/serde-{hash}"),
                    "lib-serde".to_owned(),
                ),
            ] {
                std::fs::create_dir_all(from.join(place)).unwrap();
                std::fs::write(from.join(place).join(name), hash).unwrap();
            }
        }
        let mut units = Units::default();
        units.note(&json!({"filenames": [format!("/t/x/debug/deps/libserde-{mine}.rlib")]}));
        units.copy(&from, &to).unwrap();
        assert!(
            to.join(format!("x/debug/deps/libserde-{mine}.rlib"))
                .is_file()
        );
        assert!(to.join(format!("x/debug/deps/serde-{mine}.d")).is_file());
        assert!(
            to.join(format!("debug/.fingerprint/serde-{mine}/lib-serde"))
                .is_file()
        );
        assert!(
            !to.join(format!("x/debug/deps/libserde-{other}.rlib"))
                .exists()
        );
        assert!(
            !to.join(format!("x/debug/.fingerprint/serde-{other}"))
                .exists()
        );
    }

    #[test]
    fn a_build_names_its_units_by_their_files() {
        let mut units = Units::default();
        units.note(
            &json!({"filenames": ["/t/debug/build/libc-00000000000000aa/build-script-build"]}),
        );
        units.note(&json!({"out_dir": "/t/x/debug/build/libc-00000000000000bb/out"}));
        units.note(&json!({"reason": "build-finished"}));
        let mut found: Vec<_> = units.0.into_iter().collect();
        found.sort();
        assert_eq!(found, ["00000000000000aa", "00000000000000bb"]);
    }

    #[test]
    fn the_template_has_the_courses_profiles_and_other_members() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = "[workspace]\nmembers = [\"crates/*\"]\nexclude = [\"x\"]\n[profile.dev.package.kindling]\nopt-level = 3\n";
        std::fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
        let text = root_manifest(folder.path(), vec!["cells".to_owned()]).unwrap();
        let manifest: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(manifest["workspace"]["members"][0].as_str(), Some("cells"));
        assert!(manifest["workspace"].get("exclude").is_none());
        let packages = &manifest["profile"]["dev"]["package"];
        assert_eq!(packages["kindling"]["opt-level"].as_integer(), Some(3));
        assert_eq!(packages["ctx"]["opt-level"].as_integer(), Some(CELLS_LEVEL));
    }
}
