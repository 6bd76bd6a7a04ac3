//! Files found by what annotations call them: without an ending, in other capitals, with the folders of another machine.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::Path,
};

use image::ImageFormat;
use percent_encoding::percent_decode_str;
use unicode_normalization::UnicodeNormalization;

use crate::files::Files;

/// The endings of pictures, the most usual ones first.
const ENDINGS: [&str; 10] = [
    "jpg", "jpeg", "png", "bmp", "webp", "tif", "tiff", "gif", "ppm", "pgm",
];

/// The files of some folders.
pub(crate) struct Shelf<'a> {
    files: &'a Files,
    folders: Vec<String>,
    listings: BTreeMap<String, Listing>,
}

/// The files directly in one folder.
struct Listing {
    exact: HashSet<String>,
    /// Each by its name in small letters and composed characters.
    folded: HashMap<String, String>,
}

impl<'a> Shelf<'a> {
    /// The folders, the likeliest first.
    pub(crate) fn new(files: &'a Files, folders: Vec<String>) -> Self {
        Self {
            files,
            folders,
            listings: BTreeMap::new(),
        }
    }

    /// The folders that there are, as the words of an error.
    pub(crate) fn places(&self) -> String {
        let mut places: Vec<String> = Vec::new();
        for folder in &self.folders {
            let place = self.files.shown(folder);
            if self.files.has_folder(folder) && !places.contains(&place) {
                places.push(place);
            }
        }
        match places.is_empty() {
            true => self.files.shown(&self.folders[0]),
            false => places.join(", "),
        }
    }

    /// The picture of this name, or of the end of this path; its ending may be missing, its folders may be those of another machine.
    pub(crate) fn picture(&mut self, name: &str) -> Option<String> {
        let here = Path::new(name).is_absolute() && self.files.has(name);
        if here {
            return Some(name.to_owned());
        }
        let plain = name.replace('\\', "/");
        self.below(&plain).or_else(|| {
            // As a web address holds it: Label Studio writes `/data/local-files/?d=images%5C0.png`.
            let decoded = percent_decode_str(&plain).decode_utf8().ok()?;
            let decoded = decoded.replace("?d=", "/").replace('\\', "/");
            (decoded != plain).then(|| self.below(&decoded)).flatten()
        })
    }

    /// The whole path in one of the folders; else without its first folder, and so on.
    fn below(&mut self, path: &str) -> Option<String> {
        let parts: Vec<&str> = path.split('/').collect();
        let parts: Vec<&str> = parts
            .into_iter()
            .filter(|part| !matches!(*part, "" | "."))
            .collect();
        for start in 0..parts.len() {
            let end = parts[start..].join("/");
            for number in 0..self.folders.len() {
                let whole = join(&self.folders[number], &end);
                if let Some(found) = self.find(&whole, &ENDINGS) {
                    return Some(found);
                }
            }
        }
        None
    }

    /// The file at this path, or the one that only lacks one of these endings there; capitals do not matter where nothing else fits.
    pub(crate) fn find(&mut self, path: &str, endings: &[&str]) -> Option<String> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        if !self.listings.contains_key(folder) {
            let listing = Listing::new(self.files.names(folder).unwrap_or_default());
            self.listings.insert(folder.to_owned(), listing);
        }
        let listing = self.listings.get(folder)?;
        let found = listing.get(name).or_else(|| {
            let mut endings = endings.iter();
            endings.find_map(|ending| listing.get(&format!("{name}.{ending}")))
        })?;
        Some(join(folder, found))
    }
}

impl Listing {
    fn new(names: Vec<String>) -> Self {
        let folded = names.iter().rev().map(|name| (fold(name), name.clone()));
        Self {
            folded: folded.collect(),
            exact: names.into_iter().collect(),
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        let exact = self.exact.get(name);
        exact
            .or_else(|| self.folded.get(&fold(name)))
            .map(String::as_str)
    }
}

/// Whether this is how a picture's file is called.
pub(crate) fn is_picture(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    ending.is_some_and(|ending| ImageFormat::from_extension(ending).is_some())
}

/// A Mac takes `é` apart into two characters, Windows does not look at capitals.
fn fold(name: &str) -> String {
    name.nfc().collect::<String>().to_lowercase()
}

/// A path below a folder, which is nothing for the outermost one.
pub(crate) fn join(folder: &str, name: &str) -> String {
    match folder {
        "" => name.to_owned(),
        folder => format!("{folder}/{name}"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn files(names: &[&str]) -> Files {
        let files = names.iter().map(|name| ((*name).to_owned(), Vec::new()));
        Files::Packed(files.collect())
    }

    #[test]
    fn a_picture_is_found_by_what_it_is_called_elsewhere() {
        let names = [
            "images/0.png",
            "images/A.PNG",
            "images/b.JPEG",
            "images/my photo.v2.jpg",
            "images/Jose\u{301}.png",
            "deep/images/0.png",
            "c.png",
        ];
        let files = files(&names);
        let mut shelf = Shelf::new(&files, vec!["images".to_owned(), String::new()]);
        for (name, expected) in [
            ("0.png", 0),
            ("./images/0.png", 0),
            ("../images/0.png", 0),
            (r"images\0.png", 0),
            (r"D:\work\label\0.png", 0),
            ("/home/somebody/data/0.png", 0),
            ("/data/local-files/?d=images%5C0.png", 0),
            ("http://localhost:8080/data/0.png", 0),
            ("a.png", 1),
            ("b", 2),
            ("b.jpeg", 2),
            ("my photo.v2", 3),
            ("my%20photo.v2.jpg", 3),
            ("José.png", 4),
            ("deep/images/0.png", 5),
            ("c.png", 6),
        ] {
            assert_eq!(
                shelf.picture(name).as_deref(),
                Some(names[expected]),
                "{name}"
            );
        }
        for name in ["b.png", "1.png", "", "/", "images", "images/"] {
            assert_eq!(shelf.picture(name), None, "{name}");
        }
    }

    #[test]
    fn a_path_of_this_machine_is_taken_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.png");
        fs::write(&file, "").unwrap();
        let other = tempfile::tempdir().unwrap();
        let files = Files::Folder(other.path().to_owned());
        let mut shelf = Shelf::new(&files, vec![String::new(), "images".to_owned()]);
        let path = file.display().to_string();
        assert_eq!(shelf.picture(&path), Some(path));
        assert_eq!(shelf.places(), other.path().display().to_string());
    }
}
