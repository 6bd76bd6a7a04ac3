//! Pictures in folders that are named after their classes, or in a tar of such folders.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    io::Read,
    path::{Path, PathBuf},
};

use flate2::read::MultiGzDecoder;
use image::{ColorType, imageops::FilterType};
use kindling_progress::Progress;
use rayon::prelude::*;

use super::Pictures;
use crate::{Error, Result, tensor_file::failed};

/// How many pictures are decoded between two looks at the progress.
const PORTION: usize = 2_000;

/// How many bad pictures an error names.
const NAMED: usize = 5;

/// Folders `<class>/<picture>`, or `train/<class>/<picture>` and `test/<class>/<picture>`; JPEG and PNG.
///
/// Pictures of another size are scaled and cut to fit. The classes are numbered in the order of their names.
///
/// ```no_run
/// use kindling::data::ImageFolder;
/// let parts = ImageFolder::new("photos.tar").size(32, 32).read()?;
/// for (part, pictures) in &parts {
///     println!("{part} {pictures:?}: {}", pictures.classes().join(", "));
/// }
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ImageFolder {
    path: PathBuf,
    height: u32,
    width: u32,
    grey: bool,
    cache: Option<PathBuf>,
}

/// A picture that was found, not yet decoded.
struct Entry {
    /// Its path below the folder.
    name: String,
    part: String,
    class: String,
    content: Content,
}

enum Content {
    File(PathBuf),
    Bytes(Vec<u8>),
}

impl ImageFolder {
    /// A folder, or a file that ends in `.tar`, `.tar.gz` or `.tgz`; the pictures will have 32 × 32 pixels in colour.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            height: 32,
            width: 32,
            grey: false,
            cache: None,
        }
    }

    /// Height and width that all pictures are brought to.
    #[must_use]
    pub fn size(self, height: u32, width: u32) -> Self {
        Self {
            height,
            width,
            ..self
        }
    }

    /// One channel instead of three.
    #[must_use]
    pub fn grey(self) -> Self {
        Self { grey: true, ..self }
    }

    /// Keeps the decoded pictures in this folder, for as long as no file of the source changes.
    #[must_use]
    pub fn cached_in(self, folder: impl Into<PathBuf>) -> Self {
        Self {
            cache: Some(folder.into()),
            ..self
        }
    }

    /// A set for each part, by the part's name, which is empty where there are no parts.
    pub fn read(&self) -> Result<BTreeMap<String, Pictures>> {
        let Some(folder) = &self.cache else {
            return self.read_all();
        };
        let cached = folder.join(format!("{:016x}.safetensors", self.fingerprint()?));
        if let Ok(parts) = Pictures::load_all(&cached) {
            return Ok(parts);
        }
        let parts = self.read_all()?;
        let named: Vec<(&str, &Pictures)> = parts
            .iter()
            .map(|(name, part)| (name.as_str(), part))
            .collect();
        // Without a place for it, the next run decodes again.
        let _ = Pictures::save(&cached, &named);
        Ok(parts)
    }

    /// A number that changes when a file comes, goes or is written, or when the pictures are to be different ones.
    fn fingerprint(&self) -> Result<u64> {
        let mut files = Vec::new();
        if self.path.is_dir() {
            list(&self.path, "", &mut files)?;
        } else {
            files.push((String::new(), Content::File(self.path.clone())));
        }
        files.sort_by(|one, other| one.0.cmp(&other.0));
        let mut hasher = DefaultHasher::new();
        (
            self.path.canonicalize().ok(),
            self.height,
            self.width,
            self.grey,
        )
            .hash(&mut hasher);
        for (name, content) in files {
            if let Content::File(path) = content {
                let about = fs::metadata(&path).map_err(|error| failed(&path, error))?;
                (name, about.len(), about.modified().ok()).hash(&mut hasher);
            }
        }
        Ok(hasher.finish())
    }

    /// Decodes everything.
    fn read_all(&self) -> Result<BTreeMap<String, Pictures>> {
        if self.height == 0 || self.width == 0 {
            return Err(Error::Argument(format!(
                "size: expected at least 1 × 1, found {} × {}",
                self.height, self.width
            )));
        }
        let entries = self.entries()?;
        let classes: BTreeSet<&str> = entries.iter().map(|entry| entry.class.as_str()).collect();
        let classes: Vec<String> = classes.into_iter().map(str::to_owned).collect();
        let pixels = self.decode(&entries)?;
        let mut parts: BTreeMap<String, (Vec<u8>, Vec<u32>)> = BTreeMap::new();
        for (entry, pixels) in entries.iter().zip(pixels) {
            let label = classes.partition_point(|class| *class < entry.class) as u32;
            let part = parts.entry(entry.part.clone()).or_default();
            part.0.extend(pixels);
            part.1.push(label);
        }
        let channels = if self.grey { 1 } else { 3 };
        let shape = (self.height as usize, self.width as usize, channels);
        let part = |(name, (pixels, labels))| {
            Ok((name, Pictures::new(pixels, labels, shape, classes.clone())?))
        };
        parts.into_iter().map(part).collect()
    }

    /// All pictures in the order of their names.
    fn entries(&self) -> Result<Vec<Entry>> {
        let mut files: Vec<(String, Content)> = if self.path.is_dir() {
            let mut files = Vec::new();
            list(&self.path, "", &mut files)?;
            files
        } else {
            self.unpack()?
        };
        files.retain(|(name, _)| is_picture(name));
        files.sort_by(|one, other| one.0.cmp(&other.0));
        let folders: Vec<Vec<String>> = files.iter().map(|(name, _)| folders(name)).collect();
        let layout = "expected pictures in folders named after their classes, such as cat/1.jpg";
        if let Some(position) = folders.iter().position(Vec::is_empty) {
            return Err(self.wrong(format!("{layout}, found {}", files[position].0)));
        }
        if files.is_empty() {
            return Err(self.wrong(format!("{layout}, found no JPEG and no PNG")));
        }
        let part = |folders: &[String]| -> String {
            let above = folders.len().checked_sub(2).map(|above| &folders[above]);
            above.cloned().unwrap_or_default()
        };
        // One common folder around everything, as archives have it, is no part.
        let names: BTreeSet<String> = folders.iter().map(|folders| part(folders)).collect();
        let has_parts = names.len() > 1 || names.iter().any(|name| name == "train");
        let entry = |((name, content), folders): ((String, Content), Vec<String>)| Entry {
            name,
            part: if has_parts {
                part(&folders)
            } else {
                String::new()
            },
            class: folders.last().cloned().unwrap_or_default(),
            content,
        };
        Ok(files.into_iter().zip(folders).map(entry).collect())
    }

    /// The files in a tar.
    fn unpack(&self) -> Result<Vec<(String, Content)>> {
        let name = self.path.to_string_lossy();
        let file = File::open(&self.path).map_err(|error| failed(&self.path, error))?;
        let reader: Box<dyn Read> = match &name {
            name if name.ends_with(".tar") => Box::new(file),
            name if name.ends_with(".tar.gz") || name.ends_with(".tgz") => {
                Box::new(MultiGzDecoder::new(file))
            }
            _ => {
                return Err(self.wrong(
                    "expected a folder, or a file that ends in .tar, .tar.gz or .tgz".to_owned(),
                ));
            }
        };
        let files = tar_files(reader, is_picture);
        let files = files.map_err(|error| self.wrong(format!("damaged: {error}")))?;
        let content = |(name, bytes)| (name, Content::Bytes(bytes));
        Ok(files.into_iter().map(content).collect())
    }

    fn decode(&self, entries: &[Entry]) -> Result<Vec<Vec<u8>>> {
        let progress = Progress::new(entries.len() as u64, "decoding", "pictures");
        let (mut pixels, mut bad) = (Vec::with_capacity(entries.len()), Vec::new());
        for portion in entries.chunks(PORTION) {
            let decoded: Vec<_> = portion
                .par_iter()
                .map(|entry| self.picture(entry))
                .collect();
            for (picture, entry) in decoded.into_iter().zip(portion) {
                match picture {
                    Ok(picture) => pixels.push(picture),
                    Err(problem) => bad.push(format!("{}: {problem}", entry.name)),
                }
            }
            progress.set((pixels.len() + bad.len()) as u64);
        }
        progress.finish("");
        if bad.is_empty() {
            return Ok(pixels);
        }
        let count = bad.len();
        bad.truncate(NAMED);
        if count > NAMED {
            bad.push(format!("and {} more", count - NAMED));
        }
        Err(self.wrong(format!(
            "{count} of {} pictures cannot be read; replace or remove them:\n  {}",
            entries.len(),
            bad.join("\n  ")
        )))
    }

    /// The pixels of one picture, `(height, width, channels)`.
    fn picture(&self, entry: &Entry) -> std::result::Result<Vec<u8>, String> {
        let read;
        let bytes = match &entry.content {
            Content::Bytes(bytes) => bytes,
            Content::File(path) => {
                read = fs::read(path).map_err(|error| error.to_string())?;
                &read
            }
        };
        let picture = image::load_from_memory(bytes).map_err(|error| error.to_string())?;
        let (width, height) = (self.width, self.height);
        let fits = (picture.width(), picture.height()) == (width, height);
        let picture = match fits {
            true => picture,
            false => picture.resize_to_fill(width, height, FilterType::Triangle),
        };
        Ok(match (self.grey, picture.color()) {
            (true, _) => picture.to_luma8().into_raw(),
            (false, ColorType::Rgb8) => picture.into_bytes(),
            (false, _) => picture.to_rgb8().into_raw(),
        })
    }

    fn wrong(&self, problem: String) -> Error {
        Error::Format {
            file: self.path.display().to_string(),
            problem,
        }
    }
}

/// The files of a tar that are wanted, by their names.
pub(super) fn tar_files(
    reader: impl Read,
    wanted: impl Fn(&str) -> bool,
) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for entry in tar::Archive::new(reader).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.to_string_lossy().into_owned();
        if entry.header().entry_type().is_file() && wanted(&name) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            files.push((name, bytes));
        }
    }
    Ok(files)
}

/// Collects the files below a folder, with names relative to where it began.
fn list(folder: &Path, name: &str, files: &mut Vec<(String, Content)>) -> Result<()> {
    let wrong = |error| failed(folder, error);
    for entry in fs::read_dir(folder).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        let (path, below) = (entry.path(), entry.file_name());
        let below = match name {
            "" => below.to_string_lossy().into_owned(),
            name => format!("{name}/{}", below.to_string_lossy()),
        };
        match path.is_dir() {
            true => list(&path, &below, files)?,
            false => files.push((below, Content::File(path))),
        }
    }
    Ok(())
}

/// By the end of its name; hidden files are none.
fn is_picture(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name).to_lowercase();
    let known = [".jpg", ".jpeg", ".png"];
    !file.starts_with('.') && known.iter().any(|end| file.ends_with(end))
}

/// The folders of a name, outermost first.
fn folders(name: &str) -> Vec<String> {
    let mut folders: Vec<String> = name.split('/').map(str::to_owned).collect();
    folders.pop();
    folders.retain(|folder| !folder.is_empty() && folder != ".");
    folders
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, RgbImage};

    /// A picture of one colour as the bytes of a PNG.
    fn png(side: u32, colour: [u8; 3]) -> Vec<u8> {
        let picture = RgbImage::from_pixel(side, side, Rgb(colour));
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture
            .write_to(&mut bytes, image::ImageFormat::Png)
            .unwrap();
        bytes.into_inner()
    }

    fn folder(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        folder
    }

    fn sample() -> Vec<(&'static str, Vec<u8>)> {
        vec![
            ("train/red/1.png", png(32, [255, 0, 0])),
            ("train/blue/1.png", png(8, [0, 0, 255])),
            ("test/red/1.PNG", png(100, [250, 0, 0])),
            ("train/red/.hidden.png", b"no picture".to_vec()),
            ("README.md", b"words".to_vec()),
        ]
    }

    #[test]
    fn parts_classes_and_sizes_are_found() {
        let folder = folder(&sample());
        let parts = ImageFolder::new(folder.path()).read().unwrap();
        let names: Vec<_> = parts.keys().collect();
        assert_eq!(names, ["test", "train"]);
        let train = &parts["train"];
        assert_eq!(train.classes(), ["blue", "red"]);
        assert_eq!((train.len(), train.shape()), (2, (32, 32, 3)));
        assert_eq!(train.class(0), Some("blue"));
        assert_eq!(train.picture(0)[..3], [0, 0, 255]);
        assert_eq!(parts["test"].class(0), Some("red"));
    }

    #[test]
    fn a_tar_is_the_folder_it_was_made_of() {
        let here = tempfile::tempdir().unwrap();
        let path = here.path().join("pictures.tar");
        let mut tar = tar::Builder::new(File::create(&path).unwrap());
        for (name, bytes) in sample() {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            let name = format!("around/{name}");
            tar.append_data(&mut header, name, bytes.as_slice())
                .unwrap();
        }
        tar.finish().unwrap();
        let from_tar = ImageFolder::new(&path).grey().read().unwrap();
        let folder = folder(&sample());
        let from_folder = ImageFolder::new(folder.path()).grey().read().unwrap();
        assert_eq!(from_tar.len(), from_folder.len());
        for (name, pictures) in from_tar {
            let other = &from_folder[&name];
            assert_eq!(pictures.labels(), other.labels());
            assert_eq!(pictures.picture(0), other.picture(0));
            assert_eq!(pictures.shape(), (32, 32, 1));
        }
    }

    #[test]
    fn classes_without_parts_are_one_set() {
        let folder = folder(&[("a/1.png", png(4, [1; 3])), ("b/1.png", png(4, [2; 3]))]);
        let parts = ImageFolder::new(folder.path()).size(4, 4).read().unwrap();
        assert_eq!(parts.keys().collect::<Vec<_>>(), [""]);
        assert_eq!(parts[""].len(), 2);
    }

    #[test]
    fn decoded_pictures_are_kept_until_a_file_changes() {
        let folder = folder(&sample());
        let cache = tempfile::tempdir().unwrap();
        let files = || fs::read_dir(cache.path()).unwrap().count();
        let read = || {
            ImageFolder::new(folder.path())
                .cached_in(cache.path())
                .read()
                .unwrap()
        };
        let first = read();
        assert_eq!(files(), 1);
        let again = read();
        assert_eq!(files(), 1);
        assert_eq!(
            first.keys().collect::<Vec<_>>(),
            again.keys().collect::<Vec<_>>()
        );
        assert_eq!(first["train"].picture(1), again["train"].picture(1));
        assert_eq!(first["train"].classes(), again["train"].classes());
        fs::write(folder.path().join("train/red/2.png"), png(16, [9; 3])).unwrap();
        assert_eq!(read()["train"].len(), 3);
    }

    #[test]
    fn bad_pictures_are_listed_together() {
        let folder = folder(&[
            ("a/1.png", png(4, [1; 3])),
            ("a/2.png", b"words".to_vec()),
            ("b/3.jpg", png(4, [1; 3])[..30].to_vec()),
        ]);
        let error = ImageFolder::new(folder.path())
            .read()
            .unwrap_err()
            .to_string();
        assert!(error.contains("2 of 3 pictures"), "{error}");
        assert!(
            error.contains("a/2.png") && error.contains("b/3.jpg"),
            "{error}"
        );
    }

    #[test]
    fn a_wrong_layout_is_explained() {
        let flat = folder(&[("1.png", png(4, [1; 3]))]);
        let empty = folder(&[("a/words.txt", vec![])]);
        for (folder, found) in [(&flat, "found 1.png"), (&empty, "found no JPEG")] {
            let error = ImageFolder::new(folder.path()).read().unwrap_err();
            assert!(error.to_string().contains(found), "{error}");
        }
        let error = ImageFolder::new(flat.path().join("1.png"))
            .read()
            .unwrap_err();
        assert!(error.to_string().contains("ends in .tar"), "{error}");
        assert!(ImageFolder::new("no such folder.tar").read().is_err());
    }
}
