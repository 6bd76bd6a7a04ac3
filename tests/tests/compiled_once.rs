//! Each crate under the support crate is compiled once: whoever is compiled asks for the same features of it.

use anyhow::{Context, Result, ensure};
use kindling_tests::root;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// The packages of the workspace that are compiled with the support crate, or are one of the crates that it is made of.
fn users_of_kindling() -> Result<Vec<String>> {
    let output = Command::new("cargo")
        .args(["metadata", "--locked", "--no-deps", "--format-version", "1"])
        .current_dir(root())
        .output()
        .context("cannot run cargo metadata")?;
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let uses = |package: &&Value| {
        let mut needs = package["dependencies"].as_array().into_iter().flatten();
        needs.any(|need| {
            ["kindling", "kindling-base", "kindling-unified"]
                .iter()
                .any(|name| need["name"] == *name)
        })
    };
    let names = packages
        .filter(uses)
        .filter_map(|package| package["name"].as_str());
    Ok(names.map(str::to_owned).collect())
}

/// The features of each crate that these packages are made of.
fn features(packages: &[String], edges: &str) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let mut command = Command::new("cargo");
    command
        .args(["tree", "--locked", "--prefix", "none"])
        .args(["--format", "{p}|{f}", "--edges", edges])
        .current_dir(root());
    for package in packages {
        command.args(["--package", package]);
    }
    let output = command.output().context("cannot run cargo tree")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{errors}");
    let mut found = BTreeMap::<String, BTreeSet<String>>::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        if let Some((package, features)) = line.split_once('|') {
            let package = package.replace(" (proc-macro)", "");
            let features = features.trim_end_matches(" (*)");
            found
                .entry(package)
                .or_default()
                .insert(features.to_owned());
        }
    }
    Ok(found)
}

#[test]
fn whatever_is_compiled_asks_for_the_same_features() -> Result<()> {
    // What kernels are made of.
    let mut expected = Vec::new();
    for base in kindling_kernel::KernelKind::all().map(kindling_kernel::KernelKind::kernel) {
        let tree = features(&[base.to_owned()], "normal,build")?;
        ensure!(tree.len() > 100, "the tree of {base} is short: {tree:?}");
        expected.push((base, tree));
    }
    let users = users_of_kindling()?;
    ensure!(users.len() > 3, "few packages use kindling: {users:?}");
    // Each alone, and all at once.
    let mut choices: Vec<Vec<String>> = users.iter().map(|name| vec![name.clone()]).collect();
    choices.push(users);
    let mut different = Vec::new();
    for packages in choices {
        let found = features(&packages, "normal,build,dev")?;
        // A kernel is asked beside what is compiled with all that it is made of; the plain one beside each part of the support crate, too.
        let has = |base: &str| {
            let part = if base == "kindling" {
                "kindling-base"
            } else {
                base
            };
            let name = format!("{part} v");
            found.keys().any(|package| package.starts_with(&name))
        };
        for (base, tree) in expected.iter().filter(|(base, _)| has(base)) {
            for (package, features) in tree {
                let Some(here) = found.get(package) else {
                    continue;
                };
                if !features.is_subset(here) {
                    let [features, here] = [features, here].map(|sets| {
                        let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
                        sets.join("] and [")
                    });
                    let packages = packages.join(" ");
                    different.push(format!(
                        "{package}: [{features}] under {base}, [{here}] under {packages}"
                    ));
                }
            }
        }
    }
    different.sort();
    different.dedup();
    assert!(
        different.is_empty(),
        "these crates, and all that depends on them, would be compiled once more; ask for the features in \
         crates/kindling-unified/Cargo.toml, or where kindling-tables asks for them:\n{}",
        different.join("\n")
    );
    Ok(())
}
