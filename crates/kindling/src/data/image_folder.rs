//! Pictures in folders that are named after their classes, or in a tar of such folders.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    io::Read,
    path::{Path, PathBuf},
};

use image::{DynamicImage, imageops::FilterType};
use kindling_progress::Progress;
use rayon::prelude::*;
use unicode_normalization::UnicodeNormalization;

use super::{
    Pictures,
    compressed::{open_tar, tar_files},
    picture_file::{ENDINGS, FORMATS, decode_picture},
};
use crate::{Error, Result, tensor_file::failed};

/// How many pictures are decoded between two looks at the progress.
const PORTION: usize = 2_000;

/// How many bad pictures an error names.
const NAMED: usize = 5;

/// Goes into the names of cached files: another number when the same files are to give other pixels.
const DECODING: u32 = 2;

/// The endings of pictures that are not read.
const OTHERS: [&str; 22] = [
    "heic", "heif", "avif", "jxl", "jp2", "j2k", "svg", "psd", "tga", "ico", "exr", "hdr", "dds",
    "cr2", "cr3", "nef", "arw", "dng", "orf", "rw2", "raf", "dcm",
];

/// Folders `<class>/<picture>`, or `train/<class>/<picture>` and `test/<class>/<picture>`; JPEG, PNG, GIF, BMP, TIFF, WebP and PNM.
///
/// Pictures are turned as their cameras note, laid on white where they are transparent, and scaled and cut to fit. The classes are numbered in
/// the order of their names. Hidden files and folders are passed over; which others are left out is said, and a class that would have no
/// picture left is an error.
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
    /// What is no picture by its name; folders end in `/`.
    Other,
}

impl ImageFolder {
    /// A folder, or a tar, which gzip may have compressed; the pictures will have 32 × 32 pixels in colour.
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
            list(&self.path, "", &mut Vec::new(), &mut files)?;
        } else {
            files.push((String::new(), Content::File(self.path.clone())));
        }
        files.sort_by(|one, other| one.0.cmp(&other.0));
        let mut hasher = DefaultHasher::new();
        (
            DECODING,
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
            list(&self.path, "", &mut Vec::new(), &mut files)?;
            files
        } else {
            self.unpack()?
        };
        files.sort_by(|one, other| one.0.cmp(&other.0));
        let (others, files): (Vec<_>, Vec<_>) = files
            .into_iter()
            .partition(|(_, content)| matches!(content, Content::Other));
        let others: Vec<String> = others.into_iter().map(|(name, _)| name).collect();
        let folders: Vec<Vec<String>> = files.iter().map(|(name, _)| folders(name)).collect();
        let layout = "expected pictures in folders named after their classes, such as cat/1.jpg";
        if let Some(position) = folders.iter().position(Vec::is_empty) {
            return Err(self.wrong(format!("{layout}, found {}", files[position].0)));
        }
        if files.is_empty() {
            let found = others.iter().find(|name| !name.ends_with('/'));
            let found = found.map_or(String::new(), |name| format!(" among files such as {name}"));
            return Err(self.wrong(format!("{layout}, found no {FORMATS}{found}")));
        }
        self.tell_others(&others, &folders)?;
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

    /// Says which files and folders are left out; a class that has pictures, but none that can be read, is an error.
    fn tell_others(&self, others: &[String], pictures: &[Vec<String>]) -> Result<()> {
        let depths: BTreeSet<usize> = pictures.iter().map(Vec::len).collect();
        let is_lost = |folder: &[String]| {
            let has_picture = |other: &Vec<String>| other.starts_with(folder);
            depths.contains(&folder.len()) && !pictures.iter().any(has_picture)
        };
        let unread: Vec<&String> = others
            .iter()
            .filter(|name| OTHERS.contains(&ending(name).as_str()) && !folders(name).is_empty())
            .collect();
        if let Some(lost) = unread.iter().find(|name| is_lost(&folders(name))) {
            return Err(self.wrong(format!(
                "expected pictures that can be read ({FORMATS}) in each class, found none in the folder of {lost}; save them as JPEG or PNG, or remove the folder"
            )));
        }
        let empty: BTreeSet<String> = others
            .iter()
            .map(|name| folders(name))
            .filter(|folder| is_lost(folder))
            .map(|folder| folder.join("/"))
            .collect();
        let place = self.path.display();
        if !unread.is_empty() {
            eprintln!(
                "{place}: left out {}, which cannot be read; save as JPEG or PNG to use them",
                listed(unread.iter().map(|name| name.as_str()))
            );
        }
        if !empty.is_empty() {
            eprintln!(
                "{place}: no picture is in {}: no class is made of it",
                listed(empty.iter().map(String::as_str))
            );
        }
        Ok(())
    }

    /// The files in a tar.
    fn unpack(&self) -> Result<Vec<(String, Content)>> {
        let wanted = |name: &str| is_picture(name) || (ending(name).is_empty() && !is_hidden(name));
        let files = tar_files(open_tar(&self.path)?, wanted);
        let (files, others) = files.map_err(|error| self.wrong(format!("damaged: {error}")))?;
        let content = |(name, bytes): (String, Vec<u8>)| match is_picture(&name)
            || begins_as_picture(&bytes)
        {
            true => (name, Content::Bytes(bytes)),
            false => (name, Content::Other),
        };
        let others = others.into_iter().filter(|name| !is_hidden(name));
        let others = others.map(|name| (name, Content::Other));
        Ok(files.into_iter().map(content).chain(others).collect())
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
        let picture = match &entry.content {
            Content::Bytes(bytes) => decode_picture(bytes)?,
            Content::File(path) => {
                decode_picture(&fs::read(path).map_err(|error| error.to_string())?)?
            }
            Content::Other => return Err("expected a picture".to_owned()),
        };
        let (width, height) = (self.width, self.height);
        let fits = picture.dimensions() == (width, height);
        let picture = DynamicImage::ImageRgb8(picture);
        let picture = match fits {
            true => picture,
            false => picture.resize_to_fill(width, height, FilterType::Triangle),
        };
        Ok(match self.grey {
            true => picture.into_luma8().into_raw(),
            false => picture.into_rgb8().into_raw(),
        })
    }

    fn wrong(&self, problem: String) -> Error {
        Error::Format {
            file: self.path.display().to_string(),
            problem,
        }
    }
}

/// Collects what is below a folder and not hidden, with names relative to where it began; `above` are the folders that lead there.
fn list(
    folder: &Path,
    name: &str,
    above: &mut Vec<PathBuf>,
    files: &mut Vec<(String, Content)>,
) -> Result<()> {
    let wrong = |error| failed(folder, error);
    let place = folder.canonicalize().map_err(wrong)?;
    if above.contains(&place) {
        return Ok(()); // a link that leads back up
    }
    above.push(place);
    for entry in fs::read_dir(folder).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        let (path, below) = (entry.path(), entry.file_name());
        let below = match name {
            "" => below.to_string_lossy().into_owned(),
            name => format!("{name}/{}", below.to_string_lossy()),
        };
        if is_hidden(&below) {
            continue;
        }
        if path.is_dir() {
            files.push((format!("{below}/"), Content::Other));
            list(&path, &below, above, files)?;
        } else if is_picture(&below) || (ending(&below).is_empty() && starts_as_picture(&path)) {
            files.push((below, Content::File(path)));
        } else {
            files.push((below, Content::Other));
        }
    }
    above.pop();
    Ok(())
}

/// By the end of its name; hidden files are none.
pub(super) fn is_picture(name: &str) -> bool {
    !is_hidden(name) && ENDINGS.contains(&ending(name).as_str())
}

/// What systems keep beside the files of people: `.DS_Store`, `._a.png` and `__MACOSX` of a Mac, `.ipynb_checkpoints` of Jupyter.
fn is_hidden(name: &str) -> bool {
    let hidden = |part: &str| part.starts_with('.') && part != "." && part != "..";
    name.split('/')
        .any(|part| hidden(part) || part == "__MACOSX" || part == "@eaDir")
}

/// What stands behind the last point of a file's name, in small letters.
fn ending(name: &str) -> String {
    let file = name.rsplit('/').next().unwrap_or(name);
    let ending = file.rsplit_once('.').map(|(_, ending)| ending);
    ending.unwrap_or("").to_lowercase()
}

/// Pictures from the web often have names without an ending.
fn starts_as_picture(path: &Path) -> bool {
    let mut first = Vec::new();
    let read = File::open(path).and_then(|file| file.take(16).read_to_end(&mut first));
    read.is_ok() && begins_as_picture(&first)
}

fn begins_as_picture(bytes: &[u8]) -> bool {
    image::guess_format(bytes).is_ok_and(|format| format.reading_enabled())
}

/// The folders of a name, outermost first. A Mac takes `é` apart into two characters: here it is one.
fn folders(name: &str) -> Vec<String> {
    let mut folders: Vec<String> = name
        .split('/')
        .map(|folder| folder.nfc().collect())
        .collect();
    folders.pop();
    folders.retain(|folder| !folder.is_empty() && folder != ".");
    folders
}

/// The first of some names, and how many more there are.
fn listed<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = names.len().saturating_sub(NAMED);
    let mut listed = names.take(NAMED).collect::<Vec<_>>().join(", ");
    if more > 0 {
        listed += &format!(" and {more} more");
    }
    listed
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
        for (folder, found) in [(&flat, "found 1.png"), (&empty, "found no JPEG, PNG")] {
            let error = ImageFolder::new(folder.path()).read().unwrap_err();
            assert!(error.to_string().contains(found), "{error}");
        }
        let error = ImageFolder::new(flat.path().join("1.png"))
            .read()
            .unwrap_err();
        assert!(
            error
                .to_string()
                .contains("or a tar, which gzip may have compressed, found a PNG picture"),
            "{error}"
        );
        assert!(ImageFolder::new("no such folder.tar").read().is_err());
    }

    /// A picture of one colour in this format.
    fn in_format(colour: [u8; 3], format: image::ImageFormat) -> Vec<u8> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        let picture = RgbImage::from_pixel(4, 4, Rgb(colour));
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn every_format_is_a_picture_whatever_its_name_ends_in() {
        use image::ImageFormat::{Bmp, Gif, Jpeg, Png, Pnm, Tiff, WebP};
        let colour = [200; 3];
        let files = [
            ("a/1.webp", WebP),
            ("b/2.BMP", Bmp),
            ("c/3.tif", Tiff),
            ("d/4.gif", Gif),
            ("e/5.ppm", Pnm),
            ("f/6.jfif", Jpeg),
            ("g/a png.jpg", Png),
            ("h/8f3a", Jpeg),
            ("Jose\u{301}/😀 9.Png", Png),
            ("k.png/10.jpeg", Jpeg),
        ];
        let files = files.map(|(name, format)| (name, in_format(colour, format)));
        let read = |path: &Path| {
            let mut parts = ImageFolder::new(path).size(4, 4).read().unwrap();
            parts.remove("").unwrap()
        };
        let folder = folder(&files);
        let pictures = read(folder.path());
        assert_eq!(
            pictures.classes(),
            ["José", "a", "b", "c", "d", "e", "f", "g", "h", "k.png"]
        );
        for place in 0..10 {
            let far = pictures
                .picture(place)
                .iter()
                .map(|level| level.abs_diff(200))
                .max();
            assert!(far < Some(3), "{place}");
        }
        let path = folder.path().join("all.TGZ");
        let mut tar = tar::Builder::new(Vec::new());
        for (name, bytes) in &files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            tar.append_data(&mut header, name, bytes.as_slice())
                .unwrap();
        }
        fs::write(
            &path,
            super::super::compressed::gzip(&tar.into_inner().unwrap()),
        )
        .unwrap();
        assert_eq!(read(&path).classes(), pictures.classes());
    }

    #[test]
    fn a_class_is_never_lost_without_a_word() {
        let picture = || png(4, [1; 3]);
        let lost = folder(&[
            ("a/1.png", picture()),
            ("b/1.HEIC", vec![1]),
            ("b/2.heic", vec![1]),
        ]);
        let error = ImageFolder::new(lost.path())
            .read()
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("found none in the folder of b/1.HEIC; save them"),
            "{error}"
        );
        // One that is left out beside others, and folders that hold something else, are only said.
        let some = folder(&[
            ("a/1.png", picture()),
            ("a/2.heic", vec![1]),
            ("words/1.txt", vec![1]),
        ]);
        let parts = ImageFolder::new(some.path()).size(4, 4).read().unwrap();
        assert_eq!((parts[""].len(), parts[""].classes().len()), (1, 1));
        let none = folder(&[("a/1.heic", vec![1])]);
        let error = ImageFolder::new(none.path())
            .read()
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("found no JPEG") && error.ends_with("such as a/1.heic"),
            "{error}"
        );
    }

    #[test]
    fn what_systems_keep_beside_pictures_is_none() {
        let picture = png(4, [1; 3]);
        let folder = folder(&[
            ("a/1.png", picture.clone()),
            ("a/._1.png", vec![0, 5, 22, 7]),
            ("a/.ipynb_checkpoints/1-checkpoint.png", picture.clone()),
            ("__MACOSX/a/._1.png", vec![0, 5, 22, 7]),
            ("a/Thumbs.db", vec![1]),
            (".DS_Store", vec![1]),
        ]);
        #[cfg(unix)]
        std::os::unix::fs::symlink(folder.path(), folder.path().join("a/around")).unwrap();
        let parts = ImageFolder::new(folder.path()).size(4, 4).read().unwrap();
        assert_eq!((parts.len(), parts[""].len()), (1, 1));
        assert_eq!(parts[""].classes(), ["a"]);
    }
}
