//! Where annotations and pictures lie: a folder, or a tar that was read into memory.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs::{self, File},
    hash::{Hash, Hasher},
    io::{self, BufReader, Cursor, Read},
    path::{Path, PathBuf},
};

use image::ImageReader;

/// Files by their names, which have `/` between folders.
#[derive(Debug)]
pub(crate) enum Files {
    Folder(PathBuf),
    Packed(BTreeMap<String, Vec<u8>>),
}

impl Files {
    /// The files of a tar whose names below its outer folders begin with one of `folders`.
    pub(crate) fn unpack(reader: impl Read, folders: &[&str]) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(reader).entries()? {
            let mut entry = entry?;
            let name = entry.path()?.to_string_lossy().into_owned();
            let starts = folders.iter().filter_map(|folder| begin(&name, folder));
            if let (true, Some(start)) = (entry.header().entry_type().is_file(), starts.min()) {
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

    /// The names directly in a folder, in order.
    pub(crate) fn names(&self, folder: &str) -> io::Result<Vec<String>> {
        let mut names: Vec<String> = match self {
            Self::Folder(root) => fs::read_dir(root.join(folder))?
                .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
                .collect::<io::Result<_>>()?,
            Self::Packed(files) => {
                let below = files.keys().filter_map(|name| name.strip_prefix(folder));
                let below = below.filter_map(|name| name.strip_prefix('/'));
                below.map(str::to_owned).collect()
            }
        };
        names.sort();
        Ok(names)
    }

    /// Height and width of a picture, from the beginning of its file.
    pub(crate) fn dimensions(&self, name: &str) -> Result<(usize, usize), String> {
        let size = match self {
            Self::Folder(folder) => {
                let file = File::open(folder.join(name)).map_err(|error| error.to_string())?;
                dimensions(BufReader::new(file))
            }
            Self::Packed(files) => {
                let bytes = files.get(name).ok_or_else(|| missing().to_string())?;
                dimensions(Cursor::new(bytes))
            }
        };
        let (width, height) = size.map_err(|error| error.to_string())?;
        Ok((height as usize, width as usize))
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

fn dimensions(reader: impl io::BufRead + io::Seek) -> image::ImageResult<(u32, u32)> {
    ImageReader::new(reader)
        .with_guessed_format()?
        .into_dimensions()
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

/// The folder itself, or the first one up to two levels below it, that has a folder of this name.
pub(crate) fn folder_with(path: &Path, name: &str) -> Option<PathBuf> {
    let below = |path: &PathBuf| {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        folders.retain(|path| path.is_dir());
        folders.sort();
        folders
    };
    let first = vec![path.to_owned()];
    let second: Vec<PathBuf> = first.iter().flat_map(below).collect();
    let third: Vec<PathBuf> = second.iter().flat_map(below).collect();
    let mut all = [first, second, third].into_iter().flatten();
    all.find(|folder| folder.join(name).is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_found_below_others() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("devkit/VOC2007");
        fs::create_dir_all(deep.join("Annotations")).unwrap();
        assert_eq!(folder_with(root.path(), "Annotations"), Some(deep));
        assert_eq!(folder_with(root.path(), "annotations.d"), None);
        assert_eq!(begin("a/b/JPEGImages/c.jpg", "JPEGImages"), Some(4));
        assert_eq!(begin("JPEGImages/c.jpg", "JPEGImages"), Some(0));
        assert_eq!(begin("a/JPEGImages.txt", "JPEGImages"), None);
    }
}
