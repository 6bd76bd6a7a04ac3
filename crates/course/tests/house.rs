//! The map of the house in `CONTRIBUTING.md`, and what the manifests really import.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What every room's tests may import.
const FOR_TESTS: &str = "kindling-skip";
/// How the map calls the crates of Candle.
const CANDLE: &str = "candle";

fn root() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    folder.ancestors().nth(2).unwrap().to_owned()
}

/// Rooms by name, each with the names of others.
type Rooms = BTreeMap<String, BTreeSet<String>>;

/// What the table in `text` allows each room to import.
fn allowed(text: &str) -> Rooms {
    let section = text.split("\n## The map of the house\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        let names = |cell: &str| -> BTreeSet<String> {
            cell.split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect()
        };
        let room = names(cells[0]).pop_first().unwrap();
        (room, names(cells[2]))
    })
    .collect()
}

/// What each room imports, and what its tests import besides.
fn imports(metadata: &Value) -> Vec<(String, BTreeSet<String>, BTreeSet<String>)> {
    let packages = metadata["packages"].as_array().unwrap();
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let rooms: BTreeSet<String> = packages.iter().map(name).collect();
    let of = |package: &Value, tests: bool| -> BTreeSet<String> {
        let needs = package["dependencies"].as_array().unwrap().iter();
        let needs = needs
            .filter(|need| (need["kind"] == "dev") == tests)
            .map(name);
        needs
            .filter_map(|need| match need.split_once('-') {
                Some((CANDLE, _)) => Some(CANDLE.to_owned()),
                _ => rooms.contains(&need).then_some(need),
            })
            .collect()
    };
    let rooms = packages.iter();
    rooms
        .map(|package| (name(package), of(package, false), of(package, true)))
        .collect()
}

/// What the map forbids, one sentence each.
fn broken(
    allowed: &Rooms,
    imports: &[(String, BTreeSet<String>, BTreeSet<String>)],
) -> Vec<String> {
    let mut broken = Vec::new();
    let direct: BTreeMap<&str, &BTreeSet<String>> = imports
        .iter()
        .map(|(room, needs, _)| (room.as_str(), needs))
        .collect();
    for (room, needs, for_tests) in imports {
        let Some(row) = allowed.get(room) else {
            broken.push(format!(
                "`{room}` has no row in the map of CONTRIBUTING.md: add it"
            ));
            continue;
        };
        let for_tests = for_tests.iter().filter(|need| *need != FOR_TESTS);
        for need in needs
            .iter()
            .chain(for_tests)
            .filter(|need| !row.contains(*need))
        {
            broken.push(format!(
                "`{room}` imports `{need}`, which its row in CONTRIBUTING.md does not name"
            ));
        }
        if !row.contains(CANDLE)
            && let Some(through) = reaches_candle(room, &direct)
        {
            broken.push(format!(
                "`{room}` reaches Candle through `{through}`, and its row in CONTRIBUTING.md does not name `{CANDLE}`"
            ));
        }
    }
    for room in allowed
        .keys()
        .filter(|room| !direct.contains_key(room.as_str()))
    {
        broken.push(format!(
            "`{room}` has a row in CONTRIBUTING.md, and is no crate: remove the row"
        ));
    }
    broken
}

/// The room through which `room` comes to Candle, directly or not.
fn reaches_candle(room: &str, direct: &BTreeMap<&str, &BTreeSet<String>>) -> Option<String> {
    let mut waiting = vec![room];
    let mut seen = BTreeSet::new();
    while let Some(room) = waiting.pop() {
        let Some(needs) = direct.get(room).filter(|_| seen.insert(room)) else {
            continue;
        };
        if needs.contains(CANDLE) {
            return Some(room.to_owned());
        }
        waiting.extend(needs.iter().map(String::as_str));
    }
    None
}

fn metadata() -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = std::process::Command::new(cargo)
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn no_room_imports_what_the_map_forbids() {
    let text = std::fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap();
    let broken = broken(&allowed(&text), &imports(&metadata()));
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn an_import_that_the_map_forbids_is_named() {
    let map = "\n## The map of the house\n\n| Room | For | May import |\n|---|---|---|\n| `base` | `x` | `candle` |\n| `tool` | y | `base` |\n| `gone` | z | |\n\n## Next\n\n| `no` | row | |\n";
    let need = |name: &str, kind: Option<&str>| serde_json::json!({"name": name, "kind": kind});
    let packages = serde_json::json!([
        {"name": "base", "dependencies": [need("candle-core", None), need("kindling-skip", Some("dev"))]},
        {"name": "tool", "dependencies": [need("base", None), need("new", Some("build")), need("anyhow", None)]},
        {"name": "new", "dependencies": []},
        {"name": "kindling-skip", "dependencies": []},
    ]);
    let found = broken(
        &allowed(map),
        &imports(&serde_json::json!({"packages": packages})),
    );
    let expected = [
        "`tool` imports `new`, which its row in CONTRIBUTING.md does not name",
        "`tool` reaches Candle through `base`, and its row in CONTRIBUTING.md does not name `candle`",
        "`new` has no row in the map of CONTRIBUTING.md: add it",
        "`kindling-skip` has no row in the map of CONTRIBUTING.md: add it",
        "`gone` has a row in CONTRIBUTING.md, and is no crate: remove the row",
    ];
    assert_eq!(found, expected);
}

/// The dependencies of a manifest that name a version or a place of their own.
fn outside_the_table(manifest: &toml::Table) -> Vec<String> {
    let mut tables = vec![manifest];
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    tables.extend(
        targets
            .into_iter()
            .flat_map(|targets| targets.values().filter_map(toml::Value::as_table)),
    );
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
    let found = tables.iter().flat_map(|table| {
        kinds
            .iter()
            .filter_map(move |kind| table.get(*kind)?.as_table())
    });
    found
        .flatten()
        .filter(|(_, need)| need.get("workspace").and_then(toml::Value::as_bool) != Some(true))
        .map(|(name, _)| name.clone())
        .collect()
}

#[test]
fn every_dependency_stands_in_the_table_of_the_workspace() {
    for package in metadata()["packages"].as_array().unwrap() {
        let file = package["manifest_path"].as_str().unwrap();
        let manifest: toml::Table = std::fs::read_to_string(file).unwrap().parse().unwrap();
        let outside = outside_the_table(&manifest);
        assert!(
            outside.is_empty(),
            "{file}: write `{}` into [workspace.dependencies] of the top Cargo.toml, and `workspace = true` here",
            outside.join("`, `")
        );
    }
    let manifest = "[dependencies]\na.workspace = true\nb = \"1\"\n[target.'cfg(unix)'.dev-dependencies]\nc = { path = \"c\" }\n";
    assert_eq!(outside_the_table(&manifest.parse().unwrap()), ["b", "c"]);
}
