//! Where annotations and pictures lie: a folder, or a tar that was read into memory.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs::{self, File},
    hash::{Hash, Hasher},
    io::{self, BufReader, Cursor, Read},
    path::{Component, Path, PathBuf},
};

use kindling::data::decode_picture;

use crate::upright::Shape;

/// Files by their names, which have `/` between folders.
#[derive(Debug)]
pub(crate) enum Files {
    Folder(PathBuf),
    Packed(BTreeMap<String, Vec<u8>>),
}

impl Files {
    /// The files of a tar whose names below its outer folders begin with one of `folders`, or, where none of these is in the name, of `others`.
    pub(crate) fn unpack(reader: impl Read, folders: &[&str], others: &[&str]) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(reader).entries()? {
            let mut entry = entry?;
            let name = entry.path()?.to_string_lossy().into_owned();
            if name.split('/').any(is_hidden) {
                continue;
            }
            let first = |folders: &[&str]| {
                let starts = folders.iter().filter_map(|folder| begin(&name, folder));
                starts.min()
            };
            let start = first(folders).or_else(|| first(others));
            if let (true, Some(start)) = (entry.header().entry_type().is_file(), start) {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes)?;
                files.insert(name[start..].to_owned(), bytes);
            }
        }
        Ok(Self::Packed(files))
    }

    pub(crate) fn read(&self, name: &str) -> io::Result<Cow<'_, [u8]>> {
        match self {
            Self::Folder(folder) => fs::read(folder.join(name)).map(Cow::Owned),
            Self::Packed(files) => {
                let bytes = files.get(name).ok_or_else(missing)?;
                Ok(Cow::Borrowed(bytes))
            }
        }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        match self {
            Self::Folder(folder) => folder.join(name).is_file(),
            Self::Packed(files) => files.contains_key(name),
        }
    }

    pub(crate) fn has_folder(&self, name: &str) -> bool {
        match self {
            Self::Folder(folder) => folder.join(name).is_dir(),
            Self::Packed(_) => self.names(name).is_ok_and(|names| !names.is_empty()),
        }
    }

    /// A folder in here as the words of an error.
    pub(crate) fn shown(&self, folder: &str) -> String {
        match self {
            Self::Folder(root) => {
                // `a/../b` is shown as `b`.
                let outer = folder.strip_prefix("..").zip(root.parent());
                let shown = match outer.filter(|_| root.file_name().is_some()) {
                    Some((rest, outer)) => outer.join(rest.trim_start_matches('/')),
                    None => root.join(folder),
                };
                let parts = shown.components().filter(|part| *part != Component::CurDir);
                let shown = parts.collect::<PathBuf>().display().to_string();
                if shown.is_empty() {
                    ".".to_owned()
                } else {
                    shown
                }
            }
            Self::Packed(_) if folder.is_empty() => "the tar".to_owned(),
            Self::Packed(_) => folder.to_owned(),
        }
    }

    /// The files directly in a folder that are not hidden, in order.
    pub(crate) fn names(&self, folder: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        match self {
            Self::Folder(root) => {
                for entry in fs::read_dir(root.join(folder))? {
                    let entry = entry?;
                    if !entry.file_type()?.is_dir() {
                        names.push(entry.file_name().to_string_lossy().into_owned());
                    }
                }
            }
            Self::Packed(files) => names.extend(files.keys().filter_map(|name| {
                let (place, name) = name.rsplit_once('/').unwrap_or(("", name));
                (place == folder).then(|| name.to_owned())
            })),
        }
        names.retain(|name| !is_hidden(name));
        names.sort();
        Ok(names)
    }

    /// Height and width of a picture, and how to turn it, from the beginning of its file.
    pub(crate) fn shape(&self, name: &str) -> Result<Shape, String> {
        let shape = match self {
            Self::Folder(folder) => {
                let file = File::open(folder.join(name)).map_err(|error| error.to_string())?;
                Shape::read(BufReader::new(file))
            }
            Self::Packed(files) => {
                let bytes = files.get(name).ok_or_else(|| missing().to_string())?;
                Shape::read(Cursor::new(bytes))
            }
        };
        shape.map_err(|error| {
            // What decodes pictures says more clearly what is wrong with one.
            let bytes = self.read(name).unwrap_or_default();
            let problem = decode_picture(&bytes).err();
            problem.unwrap_or_else(|| error.to_string())
        })
    }

    /// Changes when this file does.
    pub(crate) fn fingerprint(&self, name: &str, hasher: &mut impl Hasher) {
        name.hash(hasher);
        match self {
            Self::Folder(folder) => {
                let about = fs::metadata(folder.join(name)).ok();
                let about = about.map(|about| (about.len(), about.modified().ok()));
                (folder, about).hash(hasher);
            }
            Self::Packed(files) => files.get(name).hash(hasher),
        }
    }
}

/// What a system keeps beside the files of people: `.DS_Store`, `._a.xml` and `__MACOSX` of a Mac, `.ipynb_checkpoints`.
pub(crate) fn is_hidden(name: &str) -> bool {
    (name.starts_with('.') && !matches!(name, "." | "..")) || name == "__MACOSX"
}

/// Where in a name this folder begins, if it is one of its folders.
fn begin(name: &str, folder: &str) -> Option<usize> {
    let inner = format!("/{folder}/");
    match name.starts_with(&inner[1..]) {
        true => Some(0),
        false => name.find(&inner).map(|place| place + 1),
    }
}

fn missing() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "there is no such file")
}

/// The folder itself, those in it, and those in these, without hidden ones.
pub(crate) fn folders(path: &Path) -> Vec<PathBuf> {
    let below = |path: &PathBuf| {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        let seen = entries.filter(|entry| !is_hidden(&entry.file_name().to_string_lossy()));
        let mut folders: Vec<PathBuf> = seen.map(|entry| entry.path()).collect();
        folders.retain(|path| path.is_dir());
        folders.sort();
        folders
    };
    let first = vec![path.to_owned()];
    let second: Vec<PathBuf> = first.iter().flat_map(below).collect();
    let third: Vec<PathBuf> = second.iter().flat_map(below).collect();
    [first, second, third].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_found_below_others() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("devkit/VOC2007");
        fs::create_dir_all(deep.join("Annotations")).unwrap();
        fs::create_dir_all(root.path().join(".trash/VOC2007")).unwrap();
        let found = folders(root.path());
        assert_eq!(
            found,
            [root.path().to_owned(), root.path().join("devkit"), deep]
        );
        assert_eq!(begin("a/b/JPEGImages/c.jpg", "JPEGImages"), Some(4));
        assert_eq!(begin("JPEGImages/c.jpg", "JPEGImages"), Some(0));
        assert_eq!(begin("a/JPEGImages.txt", "JPEGImages"), None);
    }

    #[test]
    fn a_tar_has_no_hidden_files_and_no_folders_around_it() {
        let mut tar = tar::Builder::new(Vec::new());
        for name in [
            "./set/Annotations/a.xml",
            "./set/Annotations/._a.xml",
            "./set/Annotations/deep/b.xml",
            "__MACOSX/set/Annotations/a.xml",
            "./set/images/JPEGImages/a.png",
            "./set/.git/Annotations/c.xml",
            "./set/images/d.png",
        ] {
            let mut header = tar::Header::new_gnu();
            header.set_size(1);
            tar.append_data(&mut header, name, &b"a"[..]).unwrap();
        }
        let bytes = tar.into_inner().unwrap();
        let folders = ["Annotations", "JPEGImages"];
        let files = Files::unpack(bytes.as_slice(), &folders, &["images"]).unwrap();
        assert_eq!(files.names("Annotations").unwrap(), ["a.xml"]);
        assert!(files.has("Annotations/deep/b.xml") && !files.has("Annotations/c.xml"));
        assert_eq!(files.names("JPEGImages").unwrap(), ["a.png"]);
        assert_eq!(files.names("images").unwrap(), ["d.png"]);
        assert!(files.has_folder("images") && !files.has_folder("pictures"));
    }

    #[test]
    fn a_folder_is_shown_without_a_way_back() {
        let files = |root: &str| Files::Folder(PathBuf::from(root));
        assert_eq!(
            files("coco/annotations").shown("../val2017"),
            "coco/val2017"
        );
        assert_eq!(files("coco").shown(""), "coco");
        assert_eq!(files(".").shown(""), ".");
        assert_eq!(files(".").shown("../images"), "../images");
        assert_eq!(files("a").shown(".."), ".");
    }
}
