//! The annotated pictures that a detector learns from, and by which it is judged.

use std::path::Path;

use anyhow::{Result, bail};
use kindling::data::{Source, detection::DetectionSet};
use kindling_detection::{Annotations, Bccd, CocoFile, VocFolder};

use crate::data::{Args, BUILTIN, OWN};

/// The official lists of a VOC folder, and how a set without them is dealt out.
const PARTS: [&str; 3] = ["train", "val", "test"];
const SHARES: [f64; 3] = [0.7, 0.15, 0.15];

/// How many scenes are drawn for each of the three parts.
const SCENES: [usize; 3] = [400, 80, 80];

/// Three sets for three decisions.
#[derive(Debug)]
pub struct Parts {
    pub training: DetectionSet,
    pub validation: DetectionSet,
    pub test: DetectionSet,
    /// What they are called in logs and weights.
    pub name: String,
    /// Where they came from this time.
    pub source: String,
    /// Under what a model trained on them may be used.
    pub licence: &'static str,
    /// What was left out of the official annotations.
    pub notes: Vec<String>,
}

impl Parts {
    /// Finds the pictures and brings them to sheets of this size; fails when annotations of one's own are wrong, and names all that are.
    pub fn load(size: (usize, usize), args: &Args) -> Result<Self> {
        args.check()?;
        let parts = match &args.data {
            Some(path) => own(path, size)?,
            None => known(size, args.builtin)?,
        };
        let limited = |set: DetectionSet| -> Result<DetectionSet> {
            let count = args.limit.unwrap_or(usize::MAX).min(set.len());
            Ok(set.subset(0..count)?)
        };
        let parts = Self {
            training: limited(parts.training)?,
            validation: limited(parts.validation)?,
            test: limited(parts.test)?,
            ..parts
        };
        for (set, part) in [&parts.training, &parts.validation, &parts.test]
            .into_iter()
            .zip(PARTS)
        {
            if set.counts().iter().sum::<usize>() == 0 {
                bail!(
                    "{}: expected objects in the pictures for {part}, found none in {} pictures",
                    parts.name,
                    set.len()
                );
            }
        }
        Ok(parts)
    }

    /// What the classes are called.
    pub fn classes(&self) -> &[String] {
        self.training.classes()
    }
}

/// BCCD, or scenes drawn by a program.
fn known((height, width): (usize, usize), builtin: bool) -> Result<Parts> {
    let bccd = match builtin {
        true => Bccd::builtin(SCENES, (height, width), 0)?,
        false => Bccd::load(height, width)?,
    };
    let (name, licence) = match bccd.source {
        Source::Builtin => ("built-in scenes", BUILTIN),
        _ => ("BCCD", "MIT, as BCCD"),
    };
    let left_out = bccd.left_out.iter();
    Ok(Parts {
        notes: left_out
            .map(|problem| format!("left out: {problem}"))
            .collect(),
        training: bccd.train,
        validation: bccd.validation,
        test: bccd.test,
        name: name.to_owned(),
        source: format!("the {}", bccd.source),
        licence,
    })
}

/// A VOC folder or its tar, or a COCO file.
fn own(path: &Path, (height, width): (usize, usize)) -> Result<Parts> {
    if !path.exists() {
        bail!("--data {}: there is no such folder or file", path.display());
    }
    let parts = annotations(path)?;
    let [training, validation, test] = &parts;
    Annotations::refuse_problems(&[training, validation, test])?;
    let decode = |part: &Annotations| part.decode(height, width);
    Ok(Parts {
        training: decode(training)?,
        validation: decode(validation)?,
        test: decode(test)?,
        name: path.display().to_string(),
        source: path.display().to_string(),
        licence: OWN,
        notes: Vec::new(),
    })
}

/// The three parts as the set's own lists say, or dealt out at random.
fn annotations(path: &Path) -> Result<[Annotations; 3]> {
    let all = if path.extension().is_some_and(|end| end == "json") {
        CocoFile::new(path, pictures_of(path)).read()?
    } else {
        let folder = VocFolder::new(path);
        if let Some(parts) = folder.parts(PARTS)? {
            return Ok(parts);
        }
        folder.read()?
    };
    match <[Annotations; 3]>::try_from(all.split(&SHARES, 0)) {
        Ok(parts) => Ok(parts),
        Err(parts) => bail!("expected 3 parts, found {}", parts.len()),
    }
}

/// The folder of a COCO file's pictures: `images` beside it where there is one, else the folder that it is in.
fn pictures_of(file: &Path) -> std::path::PathBuf {
    let folder = file.parent().unwrap_or(Path::new(""));
    let images = folder.join("images");
    match images.is_dir() {
        true => images,
        false => folder.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use image::RgbImage;

    use super::*;

    fn args(data: Option<&Path>) -> Args {
        Args {
            builtin: data.is_none(),
            data: data.map(Path::to_owned),
            limit: None,
        }
    }

    /// A VOC folder of so many pictures, with a box each; the first `wrong` boxes have no area.
    fn voc(folder: &Path, count: usize, wrong: usize) {
        for part in ["Annotations", "JPEGImages"] {
            fs::create_dir_all(folder.join(part)).unwrap();
        }
        for number in 0..count {
            let picture = RgbImage::new(40, 30);
            picture
                .save(folder.join(format!("JPEGImages/{number}.png")))
                .unwrap();
            let right = if number < wrong { 5 } else { 20 };
            let annotation = format!(
                "<annotation>\n<filename>{number}.png</filename>\n<object>\n<name>cell</name>\n<bndbox><xmin>5</xmin><ymin>5</ymin><xmax>{right}</xmax><ymax>15</ymax></bndbox>\n</object>\n</annotation>"
            );
            fs::write(folder.join(format!("Annotations/{number}.xml")), annotation).unwrap();
        }
    }

    #[test]
    fn a_folder_without_lists_is_dealt_out_and_one_with_lists_is_taken_at_its_word() {
        let folder = tempfile::tempdir().unwrap();
        voc(folder.path(), 20, 0);
        let parts = Parts::load((32, 32), &args(Some(folder.path()))).unwrap();
        let sizes = |parts: &Parts| {
            [&parts.training, &parts.validation, &parts.test].map(DetectionSet::len)
        };
        assert_eq!(sizes(&parts), [14, 3, 3]);
        assert_eq!(parts.classes(), ["cell"]);
        let lists = folder.path().join("ImageSets/Main");
        fs::create_dir_all(&lists).unwrap();
        for (part, names) in PARTS.iter().zip(["1\n2\n3\n4", "5", "6\n7"]) {
            fs::write(lists.join(format!("{part}.txt")), names).unwrap();
        }
        let parts = Parts::load((32, 32), &args(Some(folder.path()))).unwrap();
        assert_eq!(sizes(&parts), [4, 1, 2]);
        assert_eq!(parts.test.name(1), Some("JPEGImages/7.png"));
        let limited = Args {
            limit: Some(2),
            ..args(Some(folder.path()))
        };
        assert_eq!(sizes(&Parts::load((32, 32), &limited).unwrap()), [2, 1, 2]);
    }

    #[test]
    fn all_wrong_annotations_are_listed_with_file_and_line() {
        let folder = tempfile::tempdir().unwrap();
        voc(folder.path(), 9, 3);
        let problem = format!(
            "{:#}",
            Parts::load((32, 32), &args(Some(folder.path()))).unwrap_err()
        );
        for expected in [
            "found 3 problem(s)",
            "Annotations/0.xml:3: cell: expected a box with an area",
            "Annotations/1.xml:3:",
            "Annotations/2.xml:3:",
        ] {
            assert!(problem.contains(expected), "{expected}\nnot in\n{problem}");
        }
    }

    #[test]
    fn a_coco_file_is_read_with_the_pictures_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let images = folder.path().join("images");
        fs::create_dir(&images).unwrap();
        let (mut pictures, mut boxes) = (Vec::new(), Vec::new());
        for number in 0..10 {
            RgbImage::new(40, 30)
                .save(images.join(format!("{number}.png")))
                .unwrap();
            pictures.push(serde_json::json!({"id": number, "file_name": format!("{number}.png")}));
            boxes.push(
                serde_json::json!({"image_id": number, "category_id": 1, "bbox": [2, 3, 10, 12]}),
            );
        }
        let all = serde_json::json!({"images": pictures, "annotations": boxes, "categories": [{"id": 1, "name": "cell"}]});
        let file = folder.path().join("all.json");
        fs::write(&file, all.to_string()).unwrap();
        let parts = Parts::load((32, 32), &args(Some(&file))).unwrap();
        assert_eq!((parts.training.len(), parts.test.len()), (7, 1));
    }

    #[test]
    fn what_is_missing_or_empty_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let problem = |path: &Path| {
            format!(
                "{:#}",
                Parts::load((32, 32), &args(Some(path))).unwrap_err()
            )
        };
        assert!(problem(&folder.path().join("nowhere")).contains("nowhere: there is no such"));
        assert!(problem(folder.path()).contains("Annotations"));
        voc(folder.path(), 1, 0);
        assert!(problem(folder.path()).contains("found none in 0 pictures"));
    }

    #[test]
    fn built_in_scenes_need_nothing() {
        let limited = Args {
            limit: Some(3),
            ..args(None)
        };
        let parts = Parts::load((64, 64), &limited).unwrap();
        assert_eq!(parts.name, "built-in scenes");
        assert_eq!(parts.training.size(), (64, 64));
    }
}
