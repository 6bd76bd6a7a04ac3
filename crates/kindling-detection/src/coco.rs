//! COCO: one JSON file for all pictures (Lin et al., 2014).

use std::{collections::BTreeMap, fs, path::PathBuf, sync::Arc};

use kindling::{Error, Result, boxes::Role};
use serde::{Deserialize, de::IgnoredAny};

use crate::{
    Annotations, Problem,
    annotations::shown,
    check::{Draft, DraftBox},
    entries::{Entry, entries},
    files::Files,
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
    pictures: PathBuf,
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

#[derive(Deserialize)]
struct Category {
    id: i64,
    name: String,
}

#[derive(Deserialize)]
struct Image {
    id: i64,
    file_name: String,
    width: Option<usize>,
    height: Option<usize>,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: i64,
    category_id: i64,
    bbox: [f64; 4],
    #[serde(default)]
    iscrowd: u8,
}

impl CocoFile {
    /// The file, and the folder that its `file_name`s are in.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, pictures: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            pictures: pictures.into(),
        }
    }

    /// Reads all annotations; what is wrong with single ones is found in [`Annotations::problems`].
    pub fn read(&self) -> Result<Annotations> {
        let text = fs::read_to_string(&self.path).map_err(|source| Error::File {
            path: shown(&self.path),
            source,
        })?;
        let content: Content = serde_json::from_str(&text).map_err(|error| Error::Format {
            file: format!("{}:{}", shown(&self.path), error.line()),
            problem: format!("expected COCO's images, annotations and categories: {error}"),
        })?;
        let mut reader = Reader {
            file: shown(&self.path),
            problems: Vec::new(),
        };
        let mut categories = content.categories;
        categories.sort_by_key(|category| category.id);
        let numbers: BTreeMap<i64, usize> = categories
            .iter()
            .enumerate()
            .map(|(number, category)| (category.id, number))
            .collect();
        let (mut drafts, places) = reader.images(&entries(&text, "images"));
        reader.annotations(
            &entries(&text, "annotations"),
            &numbers,
            &places,
            &mut drafts,
        );
        Ok(Annotations::new(
            shown(&self.path),
            Arc::new(Files::Folder(self.pictures.clone())),
            drafts,
            categories
                .into_iter()
                .map(|category| category.name)
                .collect(),
            reader.problems,
        ))
    }
}

struct Reader {
    file: String,
    problems: Vec<Problem>,
}

impl Reader {
    /// The pictures, and the place of each by its number.
    fn images(&mut self, entries: &[Entry]) -> (Vec<Draft>, BTreeMap<i64, usize>) {
        let (mut drafts, mut places) = (Vec::new(), BTreeMap::new());
        for entry in entries {
            let line = Some(entry.line);
            let image: Image = match serde_json::from_str(entry.text) {
                Ok(image) => image,
                Err(error) => {
                    self.wrong(line, format!("expected a picture: {}", plain(&error)));
                    continue;
                }
            };
            if places.insert(image.id, drafts.len()).is_some() {
                self.wrong(line, format!("the id {} has two pictures", image.id));
            }
            drafts.push(Draft {
                name: image.file_name,
                file: self.file.clone(),
                line,
                size: image.height.zip(image.width),
                boxes: Vec::new(),
            });
        }
        (drafts, places)
    }

    fn annotations(
        &mut self,
        entries: &[Entry],
        numbers: &BTreeMap<i64, usize>,
        places: &BTreeMap<i64, usize>,
        drafts: &mut [Draft],
    ) {
        let known: Vec<String> = numbers.keys().map(i64::to_string).collect();
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
            let place = places.get(&annotation.image_id);
            let Some(draft) = place.and_then(|&place| drafts.get_mut(place)) else {
                let what = format!("there is no picture with the id {}", annotation.image_id);
                self.wrong(line, what);
                continue;
            };
            let [x, y, width, height] = annotation.bbox;
            draft.boxes.push(DraftBox {
                corners: [x, y, x + width, y + height],
                class,
                role: match annotation.iscrowd {
                    0 => Role::Counted,
                    _ => Role::Crowd,
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
            "found 7 problem(s)",
            "all.json:2: the picture missing.png cannot be read",
            "all.json:3: expected a picture: missing field `file_name`",
            "all.json:5: cat: expected a box inside",
            "all.json:6: expected one of the categories 1, found category_id 2",
            "all.json:7: there is no picture with the id 7",
            "all.json:8: cat: expected a box with an area",
            "all.json:9: expected an annotation: invalid length 3",
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
}
