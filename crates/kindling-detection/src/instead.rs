//! What a folder without annotations holds instead, so that an error can say what to do.

use std::{fs, path::Path};

use crate::{
    files::{folders, is_hidden},
    shelf::is_picture,
};

/// So many files are looked at.
const MOST: usize = 20_000;

/// What was found in a folder, as the end of an error.
pub(crate) fn instead(path: &Path) -> String {
    let mut files = Vec::new();
    for folder in folders(path) {
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        let entries = entries.map(|entry| entry.path());
        let mut inside: Vec<_> = entries.filter(|path| path.is_file()).collect();
        inside.sort();
        files.extend(inside);
        if files.len() > MOST {
            break;
        }
    }
    let name = |path: &Path| {
        path.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    files.retain(|path| !is_hidden(&name(path)));
    let shown = |file: &Path| {
        file.strip_prefix(path)
            .unwrap_or(file)
            .display()
            .to_string()
    };
    let first = |wanted: &dyn Fn(&Path) -> bool| files.iter().find(|path| wanted(path));
    let ends = |path: &Path, ending: &str| {
        path.extension()
            .is_some_and(|found| found.eq_ignore_ascii_case(ending))
    };
    if let Some(file) = first(&|path| ends(path, "txt") && is_yolo(path)) {
        return format!(
            "found boxes in YOLO's format, such as {}; export the set as Pascal VOC or COCO",
            shown(file)
        );
    }
    if let Some(file) = first(&|path| ends(path, "json")) {
        return format!(
            "found {}; if it is a COCO file, name it instead of the folder",
            shown(file)
        );
    }
    if let Some(file) = first(&|path| ends(path, "xml")) {
        return format!("found {} in a folder of another name", shown(file));
    }
    if let Some(file) = first(&|path| is_picture(&name(path))) {
        return format!(
            "found pictures without annotations, such as {}",
            shown(file)
        );
    }
    if let Some(file) = first(&|path| {
        ["zip", "tar", "gz", "tgz", "7z", "rar"]
            .iter()
            .any(|end| ends(path, end))
    }) {
        return format!("found {}; unpack it first", shown(file));
    }
    match files.first() {
        Some(file) => format!("found other files, such as {}", shown(file)),
        None => "found no files".to_owned(),
    }
}

/// A class and four numbers from 0 to 1 in the first line.
pub(crate) fn is_yolo(path: &Path) -> bool {
    let text = fs::read_to_string(path).unwrap_or_default();
    let words: Vec<&str> = text
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let [class, numbers @ ..] = words.as_slice() else {
        return false;
    };
    let part = |word: &&str| {
        word.parse()
            .is_ok_and(|part: f64| (0.0..=1.0).contains(&part))
    };
    class.parse::<u32>().is_ok() && numbers.len() >= 4 && numbers.iter().all(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_instead_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let found = || instead(folder.path());
        assert_eq!(found(), "found no files");
        let steps = [
            (".DS_Store", "x", "found no files"),
            ("read.me", "x", "other files, such as read.me"),
            ("all.zip", "x", "found all.zip; unpack"),
            ("images/a.PNG", "x", "such as images/a.PNG"),
            (
                "images/a.xml",
                "x",
                "found images/a.xml in a folder of another name",
            ),
            (
                "annotations/instances.json",
                "{}",
                "found annotations/instances.json; if",
            ),
            (
                "notes.txt",
                "0 words",
                "found annotations/instances.json; if",
            ),
            (
                "labels/a.txt",
                "0 0.5 0.5 0.1 0.2\n",
                "YOLO's format, such as labels/a.txt; export",
            ),
        ];
        for (name, text, expected) in steps {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
            assert!(found().contains(expected), "{expected}: {}", found());
        }
    }
}
