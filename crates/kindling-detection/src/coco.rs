//! COCO: one JSON file for all pictures (Lin et al., 2014).

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use kindling::{Error, Result, boxes::Role};
use serde::{Deserialize, de::IgnoredAny};

use crate::{
    Annotations, Problem,
    annotations::shown,
    check::{Draft, DraftBox, Rules},
    entries::{Entry, entries},
    files::Files,
    loose::{Flag, Id, side},
    shelf::Shelf,
    text,
};

/// A JSON file of annotations, and the folder of its pictures.
///
/// Classes are numbered in the order of their `id`s. Objects marked `iscrowd` stand for many.
///
/// ```no_run
/// use kindling_detection::CocoFile;
/// let annotations = CocoFile::new("annotations/instances_val2017.json", "val2017").read()?;
/// let set = annotations.decode(320, 320)?;
/// println!("{set:?}");
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct CocoFile {
    path: PathBuf,
    images: Option<PathBuf>,
    rules: Rules,
}

/// What must be there. Pictures and annotations are looked at one by one, so that each problem knows its line.
#[derive(Deserialize)]
struct Content {
    #[serde(rename = "images")]
    _images: Vec<IgnoredAny>,
    #[serde(rename = "annotations")]
    _annotations: Vec<IgnoredAny>,
    categories: Vec<Category>,
}

/// Their names in the file.
const KEYS: [&str; 3] = ["images", "annotations", "categories"];

#[derive(Deserialize)]
struct Category {
    id: Id,
    name: String,
}

#[derive(Deserialize)]
struct Image {
    id: Id,
    file_name: String,
    width: Option<f64>,
    height: Option<f64>,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: Id,
    category_id: Id,
    bbox: Option<Vec<f64>>,
    #[serde(default)]
    iscrowd: Flag,
}

impl CocoFile {
    /// The file, and the folder that its `file_name`s are in.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, pictures: impl Into<PathBuf>) -> Self {
        Self::at(path).images(pictures)
    }

    /// The file, whose pictures lie as annotation tools and the publishers of COCO put them: beside it, in `images` or `val2017` beside it, or
    /// beside the folder that it is in.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            images: None,
            rules: Rules::default(),
        }
    }

    /// The folder of the pictures. Where a `file_name` has folders that are not in there, its last part counts.
    #[must_use]
    pub fn images(self, folder: impl Into<PathBuf>) -> Self {
        Self {
            images: Some(folder.into()),
            ..self
        }
    }

    /// Cuts boxes that reach outside their picture at its edge, and counts them in [`Annotations::clipped`]; otherwise each is a problem.
    #[must_use]
    pub fn clip_boxes(self) -> Self {
        Self {
            rules: Rules { clip_boxes: true },
            ..self
        }
    }

    /// Reads all annotations; what is wrong with single ones is found in [`Annotations::problems`].
    pub fn read(&self) -> Result<Annotations> {
        let bytes = fs::read(&self.path).map_err(|source| Error::File {
            path: shown(&self.path),
            source,
        })?;
        let text = text::text(&bytes).map_err(|unreadable| Error::Format {
            file: match unreadable.line {
                Some(line) => format!("{}:{line}", shown(&self.path)),
                None => shown(&self.path),
            },
            problem: unreadable.what,
        })?;
        let content: Content = serde_json::from_str(&text).map_err(|error| Error::Format {
            file: format!("{}:{}", shown(&self.path), error.line()),
            problem: unlike(&text, &error),
        })?;
        let (files, folders) = self.pictures()?;
        let mut shelf = Shelf::new(&files, folders);
        let mut reader = Reader {
            file: shown(&self.path),
            problems: Vec::new(),
        };
        let mut categories = content.categories;
        categories.sort_by(|one, other| one.id.cmp(&other.id));
        for pair in categories
            .windows(2)
            .filter(|pair| pair[0].id == pair[1].id)
        {
            let [one, other] = [&pair[0].name, &pair[1].name];
            reader.wrong(
                None,
                format!(
                    "the id {} has two categories, {one} and {other}",
                    pair[0].id
                ),
            );
        }
        let numbers: BTreeMap<Id, usize> = categories
            .iter()
            .enumerate()
            .map(|(number, category)| (category.id.clone(), number))
            .collect();
        let (mut drafts, places) = reader.images(&entries(&text, "images"), &mut shelf);
        reader.annotations(
            &entries(&text, "annotations"),
            &numbers,
            &places,
            &mut drafts,
        );
        let looked_in = shelf.places();
        Ok(Annotations::new(
            shown(&self.path),
            Arc::clone(&files),
            drafts,
            categories
                .into_iter()
                .map(|category| category.name)
                .collect(),
            reader.problems,
            (self.rules, &looked_in),
        ))
    }

    /// Where the pictures may be: a folder, and folders below or beside it, the likeliest first.
    fn pictures(&self) -> Result<(Arc<Files>, Vec<String>)> {
        if let Some(folder) = &self.images {
            if !folder.is_dir() {
                let folder = shown(folder);
                return Err(Error::Argument(format!(
                    "images: {folder}: there is no such folder"
                )));
            }
            return Ok((Arc::new(Files::Folder(folder.clone())), vec![String::new()]));
        }
        let folder = self.path.parent().filter(|folder| *folder != Path::new(""));
        let folder = folder.unwrap_or(Path::new(".")).to_owned();
        // `instances_val2017.json` speaks of the pictures in `val2017`.
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy();
        let part = stem.split_once('_').map_or(&*stem, |(_, part)| part);
        let mut folders = Vec::new();
        for outer in ["", "../"] {
            folders.push(format!("{outer}images"));
            if !part.is_empty() {
                folders.extend([format!("{outer}images/{part}"), format!("{outer}{part}")]);
            }
            folders.push(format!("{outer}data"));
            folders.push(outer.trim_end_matches('/').to_owned());
        }
        Ok((Arc::new(Files::Folder(folder)), folders))
    }
}

/// Why a text is not COCO's.
fn unlike(text: &str, error: &serde_json::Error) -> String {
    let expected = "expected COCO's images, annotations and categories";
    if text.trim_start().starts_with('[') && error.is_data() {
        return format!("{expected}, found a list; export the set as COCO");
    }
    if error.is_data()
        && let Ok(found) = serde_json::from_str::<BTreeMap<String, IgnoredAny>>(text)
        && !KEYS.iter().all(|key| found.contains_key(*key))
    {
        let found: Vec<&str> = found.keys().map(String::as_str).take(8).collect();
        return match found.is_empty() {
            true => format!("{expected}, found none of them"),
            false => format!(
                "{expected}, found {}; export the set as COCO",
                found.join(", ")
            ),
        };
    }
    let line = text
        .lines()
        .nth(error.line().saturating_sub(1))
        .unwrap_or_default();
    let words = ["NaN", "-Infinity", "Infinity"];
    let near = [2, 1]
        .into_iter()
        .filter_map(|back| line.get(error.column().checked_sub(back)?..));
    let mut near = near.filter_map(|rest| words.iter().find(|word| rest.starts_with(**word)));
    match near.next() {
        Some(word) => {
            format!("found {word}, which JSON does not have; write null or a number there")
        }
        None => format!("{expected}: {error}"),
    }
}

struct Reader {
    file: String,
    problems: Vec<Problem>,
}

impl Reader {
    /// The pictures, and the place of each by its id; one that is listed again has none.
    fn images(
        &mut self,
        entries: &[Entry],
        shelf: &mut Shelf,
    ) -> (Vec<Draft>, BTreeMap<Id, Option<usize>>) {
        let (mut drafts, mut places) = (Vec::new(), BTreeMap::new());
        let mut seen: HashMap<String, (u32, String)> = HashMap::new();
        for entry in entries {
            let line = Some(entry.line);
            let image: Image = match serde_json::from_str(entry.text) {
                Ok(image) => image,
                Err(error) => {
                    self.wrong(line, format!("expected a picture: {}", plain(&error)));
                    continue;
                }
            };
            if places.contains_key(&image.id) {
                self.wrong(line, format!("the id {} has two pictures", image.id));
                continue;
            }
            let picture = shelf.picture(&image.file_name);
            if let Some(found) = &picture {
                let this = (entry.line, image.file_name.clone());
                if let Some((first, called)) = seen.insert(found.clone(), this) {
                    let what = format!(
                        "the picture {found} is listed twice, as {called:?} in line {first} and as {:?} here",
                        image.file_name
                    );
                    self.wrong(line, what);
                    places.insert(image.id, None);
                    continue;
                }
            }
            places.insert(image.id, Some(drafts.len()));
            drafts.push(Draft {
                picture: picture.ok_or(image.file_name),
                file: self.file.clone(),
                line,
                size: image.height.and_then(side).zip(image.width.and_then(side)),
                boxes: Vec::new(),
            });
        }
        (drafts, places)
    }

    fn annotations(
        &mut self,
        entries: &[Entry],
        numbers: &BTreeMap<Id, usize>,
        places: &BTreeMap<Id, Option<usize>>,
        drafts: &mut [Draft],
    ) {
        let known: Vec<String> = numbers.keys().map(Id::to_string).collect();
        for entry in entries {
            let line = Some(entry.line);
            let annotation: Annotation = match serde_json::from_str(entry.text) {
                Ok(annotation) => annotation,
                Err(error) => {
                    self.wrong(line, format!("expected an annotation: {}", plain(&error)));
                    continue;
                }
            };
            let Some(&class) = numbers.get(&annotation.category_id) else {
                let known = known.join(", ");
                let what = format!(
                    "expected one of the categories {known}, found category_id {}",
                    annotation.category_id
                );
                self.wrong(line, what);
                continue;
            };
            let Some(place) = places.get(&annotation.image_id) else {
                let what = format!("there is no picture with the id {}", annotation.image_id);
                self.wrong(line, what);
                continue;
            };
            // The second one has been named already.
            let Some(draft) = place.and_then(|place| drafts.get_mut(place)) else {
                continue;
            };
            let bbox = annotation.bbox.unwrap_or_default();
            let &[x, y, width, height] = bbox.as_slice() else {
                let what = match bbox.len() {
                    0 => "expected a bbox, found none; a segmentation alone is not read".to_owned(),
                    found => format!("expected a bbox of 4 numbers, found {found}"),
                };
                self.wrong(line, what);
                continue;
            };
            draft.boxes.push(DraftBox {
                corners: [x, y, x + width, y + height],
                class,
                role: match annotation.iscrowd {
                    Flag(false) => Role::Counted,
                    Flag(true) => Role::Crowd,
                },
                line,
            });
        }
    }

    fn wrong(&mut self, line: Option<u32>, what: String) {
        self.problems.push(Problem::new(&self.file, line, what));
    }
}

/// What a JSON error says, without its place inside the entry.
fn plain(error: &serde_json::Error) -> String {
    let words = error.to_string();
    let end = words.rfind(" at line ").unwrap_or(words.len());
    words[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use image::RgbImage;

    use super::*;

    fn read(text: &str) -> (tempfile::TempDir, Result<Annotations>) {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.png", "b.png"] {
            RgbImage::new(40, 20)
                .save(folder.path().join(name))
                .unwrap();
        }
        let path = folder.path().join("all.json");
        fs::write(&path, text).unwrap();
        let annotations = CocoFile::new(path, folder.path()).read();
        (folder, annotations)
    }

    #[test]
    fn classes_boxes_and_crowds_are_read() {
        let (_folder, annotations) = read(
            r#"{"info": {}, "images": [
                {"id": 9, "file_name": "b.png", "width": 40, "height": 20},
                {"id": 4, "file_name": "a.png"}],
              "annotations": [
                {"id": 1, "image_id": 4, "category_id": 17, "bbox": [4, 2, 10, 8.5], "iscrowd": 1, "area": 85},
                {"id": 2, "image_id": 9, "category_id": 3, "bbox": [0, 0, 40, 20]}],
              "categories": [{"id": 17, "name": "dog"}, {"id": 3, "name": "cat"}]}"#,
        );
        let set = annotations.unwrap().decode(20, 40).unwrap();
        assert_eq!(set.classes(), ["cat", "dog"]);
        assert_eq!((set.name(0), set.name(1)), (Some("b.png"), Some("a.png")));
        let [crowd] = set.objects(1) else {
            panic!("{:?}", set.objects(1));
        };
        assert_eq!((crowd.class, crowd.role), (1, Role::Crowd));
        assert_eq!(crowd.corners, [4.0, 2.0, 14.0, 10.5]);
        assert_eq!(set.objects(0)[0].class, 0);
    }

    #[test]
    fn all_problems_are_listed_together_with_file_and_line() {
        let (_folder, annotations) = read(
            r#"{"images": [{"id": 1, "file_name": "a.png", "width": 40, "height": 20},
{"id": 2, "file_name": "missing.png"},
{"id": 3}],
"annotations": [
{"image_id": 1, "category_id": 1, "bbox": [0, 0, 50, 10]},
{"image_id": 1, "category_id": 2, "bbox": [0, 0, 5, 10]},
{"image_id": 7, "category_id": 1, "bbox": [0, 0, 5, 10]},
{"image_id": 1, "category_id": 1, "bbox": [0, 0, 0, 10]},
{"image_id": 1, "category_id": 1, "bbox": [0, 0, 10]},
{"image_id": 1, "category_id": 1, "bbox": [0, 0, 10, 10]}],
"categories": [{"id": 1, "name": "cat"}]}"#,
        );
        let annotations = annotations.unwrap();
        let message = annotations.decode(20, 40).unwrap_err().to_string();
        for expected in [
            "found 7 problems",
            "all.json:2: there is no picture \"missing.png\"; looked in",
            "all.json:3: expected a picture: missing field `file_name`",
            "all.json:5: cat: expected a box inside",
            "all.json:6: expected one of the categories 1, found category_id 2",
            "all.json:7: there is no picture with the id 7",
            "all.json:8: cat: expected a box with an area",
            "all.json:9: expected a bbox of 4 numbers, found 3",
        ] {
            assert!(message.contains(expected), "{expected}\nnot in\n{message}");
        }
        let rest = annotations.leave_out_problems().decode(20, 40).unwrap();
        assert_eq!((rest.len(), rest.counts()), (1, vec![1]));
    }

    #[test]
    fn a_broken_file_is_one_error_with_its_line() {
        let (_folder, broken) = read("{\"images\": [],\n\"annotations\": [}");
        let message = broken.unwrap_err().to_string();
        assert!(message.contains("all.json:2:"), "{message}");
    }

    /// A file of one picture at `picture`, called `file_name` in it.
    fn one(json: &str, picture: &str, file_name: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let (path, picture) = (folder.path().join(json), folder.path().join(picture));
        for file in [&path, &picture] {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
        }
        RgbImage::new(40, 20).save(&picture).unwrap();
        let absolute = picture.display().to_string();
        let text = serde_json::json!({
            "images": [{"id": 1, "file_name": file_name.replace("HERE", &absolute), "width": 40, "height": 20}],
            "annotations": [{"image_id": 1, "category_id": 0, "bbox": [1, 2, 3, 4]}],
            "categories": [{"id": 0, "name": "cat"}],
        });
        fs::write(&path, text.to_string()).unwrap();
        (folder, path)
    }

    #[test]
    fn pictures_are_found_where_tools_put_them() {
        for (json, picture, file_name) in [
            // Label Studio
            ("result.json", "images/0.png", "images/0.png"),
            ("result.json", "images/0.png", r"images\0.png"),
            (
                "result.json",
                "images/0.png",
                "../../label-studio/images/0.png",
            ),
            (
                "result.json",
                "images/0.png",
                "/data/local-files/?d=images%5C0.png",
            ),
            // Roboflow
            ("train/_annotations.coco.json", "train/0.png", "0.png"),
            // as COCO is published, also with all parts in one folder
            (
                "annotations/instances_val2017.json",
                "val2017/0.png",
                "0.png",
            ),
            (
                "annotations/instances_val2017.json",
                "images/val2017/0.png",
                "0.png",
            ),
            // CVAT
            (
                "annotations/instances_default.json",
                "images/0.png",
                "0.png",
            ),
            (
                "annotations/instances_default.json",
                "images/default/0.png",
                "0.png",
            ),
            // FiftyOne
            ("labels.json", "data/0.png", "0.png"),
            // other machines, capitals
            ("all.JSON", "images/0.PNG", "0.png"),
            ("all.json", "0.png", r"D:\work\set\0.png"),
            ("all.json", "elsewhere/0.png", "HERE"),
        ] {
            let (_folder, path) = one(json, picture, file_name);
            let annotations = CocoFile::at(&path).read().unwrap();
            assert!(
                annotations.problems().is_empty(),
                "{json} {picture}: {annotations:?}"
            );
            assert_eq!(annotations.decode(8, 8).unwrap().len(), 1);
        }
    }

    #[test]
    fn pictures_that_are_not_found_are_one_sentence_that_says_where_was_looked() {
        let (folder, path) = one(
            "annotations/instances_default.json",
            "pictures/0.png",
            "images/0.png",
        );
        fs::create_dir(folder.path().join("images")).unwrap();
        let annotations = CocoFile::at(&path).read().unwrap();
        let error = annotations.decode(8, 8).unwrap_err().to_string();
        let at = |below: &str| folder.path().join(below).display().to_string();
        let expected = format!(
            "there is no picture \"images/0.png\"; looked in {}, {}, {};",
            at("annotations"),
            at("images"),
            folder.path().display()
        );
        assert!(error.contains(&expected), "{expected}\nnot in\n{error}");
        assert!(error.contains("name it with `images` (at the command line `--images`)"));
        assert_eq!(error.lines().count(), 1, "{error}");
        let named = CocoFile::at(&path).images(at("pictures")).read().unwrap();
        assert!(named.decode(8, 8).is_ok());
        let error = CocoFile::new(&path, at("nowhere"))
            .read()
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("nowhere: there is no such folder"),
            "{error}"
        );
    }

    /// What other programs write, in one file.
    #[test]
    fn unusual_values_are_read_or_named_each_with_its_line() {
        let (_folder, annotations) = read(
            r#"{"images": [{"id": "1", "file_name": "a", "width": 40.0, "height": 20.0},
{"id": 2, "file_name": "B.PNG", "width": 0, "height": null},
{"id": 2, "file_name": "b.png"},
{"id": 9, "file_name": "images\\a.png"}],
"annotations": [
{"image_id": 1, "category_id": "7", "bbox": [0, 0, 10, 10], "iscrowd": false},
{"image_id": "1", "category_id": 90, "bbox": [0, 0, 10, 10], "iscrowd": true, "segmentation": {"counts": "abc"}},
{"image_id": 1, "category_id": 90, "bbox": [0, 0, 0, 10]},
{"image_id": 1, "category_id": 90, "segmentation": {"counts": [1, 2], "size": [20, 40]}},
{"image_id": 1, "category_id": 90, "bbox": []},
{"image_id": 1, "category_id": 90, "bbox": [0, 0, 1e308, 1e308]},
{"image_id": 9, "category_id": 90, "bbox": [0, 0, 1, 1]},
{"image_id": 1, "category_id": 90, "bbox": [0, 0, 1e999, 1]}],
"categories": [{"id": 90, "name": "dog"}, {"id": 7.0, "name": "cat"}]}"#,
        );
        let annotations = annotations.unwrap();
        assert_eq!(annotations.classes(), ["cat", "dog"]);
        let [a, b] = annotations.pictures() else {
            panic!("{annotations:?}");
        };
        assert_eq!((a.name.as_str(), b.name.as_str()), ("a.png", "b.png"));
        assert_eq!(
            a.objects
                .iter()
                .map(|object| object.role)
                .collect::<Vec<_>>(),
            [Role::Counted, Role::Crowd]
        );
        assert!(b.objects.is_empty());
        let problems: Vec<String> = annotations
            .problems()
            .iter()
            .map(ToString::to_string)
            .collect();
        for (problem, expected) in problems.iter().zip([
            "all.json:3: the id 2 has two pictures",
            "all.json:4: the picture a.png is listed twice, as \"a\" in line 1 and as",
            "all.json:8: dog: expected a box with an area",
            "all.json:9: expected a bbox, found none; a segmentation alone is not read",
            "all.json:10: expected a bbox, found none",
            "all.json:11: dog: expected a box inside",
            "all.json:13: expected an annotation: number out of range",
        ]) {
            assert!(problem.contains(expected), "{expected}\nnot in\n{problem}");
        }
        assert_eq!(problems.len(), 7, "{problems:#?}");
    }

    #[test]
    fn boxes_outside_are_cut_and_counted_on_request() {
        let (folder, annotations) = read(
            r#"{"images": [{"id": 1, "file_name": "a.png"}], "categories": [{"id": 1, "name": "cat"}],
"annotations": [{"image_id": 1, "category_id": 1, "bbox": [-3, -2, 50, 30]}]}"#,
        );
        let message = annotations.unwrap().decode(8, 8).unwrap_err().to_string();
        assert!(message.contains("`--clip-boxes`"), "{message}");
        let file = CocoFile::at(folder.path().join("all.json")).clip_boxes();
        let annotations = file.read().unwrap();
        assert_eq!(annotations.clipped(), 1);
        assert_eq!(
            annotations.pictures()[0].objects[0].corners,
            [0.0, 0.0, 40.0, 20.0]
        );
    }

    #[test]
    fn a_file_may_be_marked_or_wide() {
        let text = r#"{"images": [{"id": 1, "file_name": "a.png"}], "annotations": [], "categories": [{"id": 1, "name": "猫"}]}"#;
        let (folder, annotations) = read(&format!("\u{FEFF}{}", text.replace(", ", ",\r\n")));
        assert_eq!(annotations.unwrap().classes(), ["猫"]);
        let path = folder.path().join("wide.json");
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        fs::write(&path, wide).unwrap();
        assert_eq!(CocoFile::at(&path).read().unwrap().pictures().len(), 1);
        fs::write(&path, b"{\"images\": [],\n\xFF}").unwrap();
        let error = CocoFile::at(&path).read().unwrap_err().to_string();
        assert!(
            error.contains("wide.json:2: expected text in UTF-8, found the byte 0xFF"),
            "{error}"
        );
    }

    #[test]
    fn json_that_is_not_cocos_is_named() {
        for (text, expected) in [
            ("[{\"data\": {}}]", "found a list; export the set as COCO"),
            (
                "{\"shapes\": [], \"version\": 1}",
                "found shapes, version; export the set as COCO",
            ),
            ("{}", "found none of them"),
            (
                "{\"images\": [{\"id\": NaN}]}",
                "found NaN, which JSON does not have",
            ),
            ("{\"a\":\n-Infinity}", "found -Infinity, which"),
            ("{\"images\": [],}", "trailing comma"),
            ("", "EOF"),
            (
                "{\"images\": [], \"annotations\": [], \"categories\": [{\"id\": 1}]}",
                "missing field `name`",
            ),
        ] {
            let (_folder, annotations) = read(text);
            let error = annotations.unwrap_err().to_string();
            assert!(error.contains(expected), "{expected}\nnot in\n{error}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
        let deep = format!("{{\"images\": {}", "[".repeat(100_000));
        assert!(read(&deep).1.is_err());
    }

    #[test]
    fn two_categories_of_one_id_are_named() {
        let (_folder, annotations) = read(
            r#"{"images": [], "annotations": [], "categories": [{"id": 1, "name": "cat"}, {"id": "1", "name": "dog"}]}"#,
        );
        let problem = annotations.unwrap().problems()[0].to_string();
        assert!(
            problem.contains("the id 1 has two categories, cat and dog"),
            "{problem}"
        );
    }
}
