//! What there is to test: the packages of the workspace, as cargo names them.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The crate that makes a package one that computes.
const HEAVY: &str = "candle-core";

/// A package of the workspace.
#[derive(Debug, Clone)]
pub struct Package {
    pub name: String,
    /// Its folder, from the top of the repository, with `/`.
    pub folder: String,
    /// The packages of the workspace that it asks for, for building or testing.
    pub needs: Vec<String>,
    /// Whether Candle is compiled for it.
    pub computes: bool,
    /// Whether it is compiled on its own, because its needs would change the features of what all others are compiled from.
    pub alone: bool,
    /// The names of its test programs under `tests/`.
    pub tests: Vec<String>,
    /// Whether its library has doctests.
    pub documented: bool,
}

impl Package {
    /// The package of the end-to-end tests lies beside the crates, not among them.
    pub fn is_end_to_end(&self) -> bool {
        !self.folder.starts_with("crates/")
    }
}

/// All packages, by name.
#[derive(Debug, Clone)]
pub struct Workspace {
    pub packages: Vec<Package>,
}

impl Workspace {
    /// Asks cargo.
    pub fn read(root: &Path) -> Result<Self> {
        let output = std::process::Command::new(crate::cargo::program())
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .current_dir(root)
            .output()
            .context("cannot start `cargo metadata`")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("`cargo metadata` failed: {}", said.trim());
        }
        let file = root.join("Cargo.lock");
        let lock = std::fs::read_to_string(&file)
            .with_context(|| format!("cannot read {}", file.display()))?;
        Self::parse(&serde_json::from_slice(&output.stdout)?, &lock)
    }

    /// Reads what `cargo metadata --no-deps` printed, and the lock file, which has the graph of all crates.
    fn parse(metadata: &Value, lock: &str) -> Result<Self> {
        let unknown = || "`cargo metadata` printed something else than this program expects";
        let top = metadata["workspace_root"].as_str().with_context(unknown)?;
        let heavy = computing(lock)?;
        let mut packages = Vec::new();
        for package in metadata["packages"].as_array().with_context(unknown)? {
            let name = package["name"].as_str().with_context(unknown)?;
            let manifest = package["manifest_path"].as_str().with_context(unknown)?;
            let folder = Path::new(manifest)
                .parent()
                .and_then(|folder| folder.strip_prefix(top).ok())
                .with_context(unknown)?;
            let needs = package["dependencies"].as_array().into_iter().flatten();
            let targets: Vec<&Value> = package["targets"]
                .as_array()
                .into_iter()
                .flatten()
                .collect();
            let of_kind = |target: &Value, kind: &str| target["kind"][0] == kind;
            packages.push(Package {
                name: name.to_owned(),
                folder: folder.to_string_lossy().replace('\\', "/"),
                needs: needs
                    .filter(|need| need["path"].is_string())
                    .filter_map(|need| need["name"].as_str().map(str::to_owned))
                    .collect(),
                computes: heavy.contains(name),
                alone: package["metadata"]["course"]["alone"] == true,
                tests: targets
                    .iter()
                    .filter(|target| of_kind(target, "test"))
                    .filter_map(|target| target["name"].as_str().map(str::to_owned))
                    .collect(),
                documented: targets.iter().any(|target| target["doctest"] == true),
            });
        }
        packages.sort_by(|one, other| one.name.cmp(&other.name));
        if packages.is_empty() {
            bail!("{}", unknown());
        }
        Ok(Self { packages })
    }

    /// The packages that are tools: everything without Candle that is no end-to-end test.
    pub fn tools(&self) -> impl Iterator<Item = &Package> {
        self.without_candle().filter(|package| !package.alone)
    }

    /// The tools that are compiled on their own.
    pub fn alone(&self) -> impl Iterator<Item = &Package> {
        self.without_candle().filter(|package| package.alone)
    }

    fn without_candle(&self) -> impl Iterator<Item = &Package> {
        let packages = self.packages.iter();
        packages.filter(|package| !package.computes && !package.is_end_to_end())
    }

    /// The packages that compute.
    pub fn computing(&self) -> impl Iterator<Item = &Package> {
        let packages = self.packages.iter();
        packages.filter(|package| package.computes && !package.is_end_to_end())
    }

    /// The packages of end-to-end tests.
    pub fn end_to_end(&self) -> impl Iterator<Item = &Package> {
        let packages = self.packages.iter();
        packages.filter(|package| package.is_end_to_end())
    }

    /// The package of this name.
    pub fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }

    /// The folders of a package and of all that it needs in the workspace, however far.
    pub fn folders(&self, name: &str) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        let mut open = vec![name];
        while let Some(package) = open.pop().and_then(|name| self.package(name)) {
            if found.insert(package.folder.as_str()) {
                open.extend(package.needs.iter().map(String::as_str));
            }
        }
        found
    }
}

/// The crates of the lock file that need Candle, however far.
fn computing(lock: &str) -> Result<BTreeSet<String>> {
    let lock: toml::Table = lock
        .parse()
        .context("Cargo.lock: expected the lock file of cargo")?;
    let mut users: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let packages = lock.get("package").and_then(toml::Value::as_array);
    for package in packages.into_iter().flatten() {
        let name = package.get("name").and_then(toml::Value::as_str);
        let needs = package.get("dependencies").and_then(toml::Value::as_array);
        for need in needs.into_iter().flatten().filter_map(toml::Value::as_str) {
            let need = need.split(' ').next().unwrap_or(need);
            users.entry(need).or_default().extend(name);
        }
    }
    let mut found = BTreeSet::new();
    let mut open = vec![HEAVY];
    while let Some(name) = open.pop() {
        if found.insert(name.to_owned()) {
            open.extend(users.get(name).into_iter().flatten());
        }
    }
    Ok(found)
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use serde_json::json;

    /// A workspace of a tool, a library on Candle through another crate, and end-to-end tests.
    pub fn sample() -> Workspace {
        let package = |name: &str, folder: &str, needs: &[&str]| {
            let needs: Vec<Value> = needs
                .iter()
                .map(|need| json!({"name": need, "path": format!("/top/crates/{need}")}))
                .chain([json!({"name": "serde", "path": null})])
                .collect();
            json!({"name": name, "manifest_path": format!("/top/{folder}/Cargo.toml"), "dependencies": needs,
                "targets": [{"kind": ["lib"], "name": name, "doctest": true}, {"kind": ["test"], "name": "fit", "doctest": false}]})
        };
        let metadata = json!({"workspace_root": "/top", "packages": [
            package("tool", "crates/tool", &["base"]), package("base", "crates/base", &[]),
            package("net", "crates/net", &["base"]), package("end", "tests", &["tool"]),
            {"name": "index", "manifest_path": "/top/crates/index/Cargo.toml", "metadata": {"course": {"alone": true}}}]});
        let lock = "[[package]]\nname = \"net\"\ndependencies = [\"candle-nn 0.1\"]\n[[package]]\nname = \"candle-nn\"\ndependencies = [\"candle-core\"]\n[[package]]\nname = \"tool\"\ndependencies = [\"base\"]\n";
        Workspace::parse(&metadata, lock).unwrap()
    }

    fn names<'a>(packages: impl Iterator<Item = &'a Package>) -> Vec<&'a str> {
        packages.map(|package| package.name.as_str()).collect()
    }

    #[test]
    fn packages_are_told_apart_by_what_they_need_and_where_they_lie() {
        let workspace = sample();
        assert_eq!(names(workspace.tools()), ["base", "tool"]);
        assert_eq!(names(workspace.alone()), ["index"]);
        assert_eq!(names(workspace.computing()), ["net"]);
        assert_eq!(names(workspace.end_to_end()), ["end"]);
        let folders: Vec<&str> = workspace.folders("end").into_iter().collect();
        assert_eq!(folders, ["crates/base", "crates/tool", "tests"]);
        assert_eq!(workspace.packages[0].tests, ["fit"]);
    }

    #[test]
    fn every_package_of_this_repository_is_tested_once() {
        let root = crate::repository().unwrap();
        let workspace = Workspace::read(&root).unwrap();
        let all = workspace.tools().chain(workspace.alone());
        let all = all.chain(workspace.computing());
        let mut tested = names(all.chain(workspace.end_to_end()));
        tested.sort_unstable();
        let mut folders: Vec<String> = std::fs::read_dir(root.join("crates"))
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.path().join("Cargo.toml").is_file())
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        folders.push("kindling-tests".to_owned());
        folders.sort();
        assert_eq!(tested, folders);
        let tools = names(workspace.tools());
        assert!(tools.contains(&"course") && tools.contains(&"kindling-fetch"));
        assert!(!tools.contains(&"kindling") && !tools.contains(&"kindling-lessons"));
    }

    #[test]
    fn what_is_no_metadata_is_said() {
        let error = Workspace::parse(&json!({}), "").unwrap_err().to_string();
        assert!(error.starts_with("`cargo metadata` printed"), "{error}");
    }
}
