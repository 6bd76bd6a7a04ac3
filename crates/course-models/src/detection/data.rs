//! The annotated pictures that a detector learns from, and by which it is judged.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};
use kindling::data::{Source, detection::DetectionSet};
use kindling_detection::{Annotations, Bccd, CocoFile, VocFolder};

use crate::{
    licence::{BUILTIN, OWN_PICTURES},
    options::DataOptions,
};

/// The official lists of a VOC folder, and how a set without them is dealt out.
const PARTS: [&str; 3] = ["train", "val", "test"];
const SHARES: [f64; 3] = [0.7, 0.15, 0.15];

/// What exports that are in parts already call their folders, as Roboflow's are.
const FOLDERS: [&[&str]; 3] = [&["train"], &["valid", "val", "validation"], &["test"]];

/// How many problems that are left out are named.
const NAMED: usize = 10;

/// How many scenes are drawn for each of the three parts.
const SCENES: [usize; 3] = [400, 80, 80];

/// How annotations of one's own are read.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)]
pub struct AnnotationOptions {
    /// For a detector: the folder of the pictures, where they are not found beside the annotations that --data names
    #[arg(long, value_name = "FOLDER", requires = "data")]
    images: Option<PathBuf>,

    /// For a detector: cut boxes of --data that reach outside their picture at its edge, and say how many; otherwise they are refused
    #[arg(long, requires = "data")]
    clip_boxes: bool,

    /// For a detector: go on without the boxes and pictures of --data that are wrong, and say which; otherwise they are refused
    #[arg(long, requires = "data")]
    leave_out_problems: bool,
}

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
    /// What was left out of the annotations, or changed.
    pub notes: Vec<String>,
}

impl Parts {
    /// Finds the pictures and brings them to sheets of this size; fails when annotations of one's own are wrong, and names all that are.
    pub fn load(
        size: (usize, usize),
        args: &DataOptions,
        options: &AnnotationOptions,
    ) -> Result<Self> {
        args.check()?;
        let parts = match &args.data {
            Some(path) => own(path, size, options)?,
            None => known(size, args.builtin)?,
        };
        let limited = |set: DetectionSet| -> Result<DetectionSet> {
            let count = args.most().min(set.len());
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

/// A VOC folder or its tar, a COCO file, or a folder of three of them.
fn own(path: &Path, (height, width): (usize, usize), options: &AnnotationOptions) -> Result<Parts> {
    if !path.exists() {
        bail!("--data {}: there is no such folder or file", path.display());
    }
    if let Some(images) = options.images.as_ref().filter(|images| !images.is_dir()) {
        bail!("--images {}: there is no such folder", images.display());
    }
    let mut parts = annotations(path, options)?;
    let nothing_left = parts.iter().all(|part| part.pictures().is_empty());
    if nothing_left || !options.leave_out_problems {
        Annotations::refuse_problems(&parts.each_ref())?;
    }
    let mut notes = Vec::new();
    let clipped: usize = parts.iter().map(Annotations::clipped).sum();
    if options.clip_boxes {
        notes.push(format!(
            "{clipped} boxes reached outside their pictures and were cut at the edge"
        ));
    }
    let problems: Vec<_> = parts.iter().flat_map(Annotations::problems).collect();
    let named = problems.iter().take(NAMED);
    notes.extend(named.map(|problem| format!("left out: {problem}")));
    if problems.len() > NAMED {
        notes.push(format!("left out: {} more", problems.len() - NAMED));
    }
    parts = parts.map(Annotations::leave_out_problems);
    let [training, validation, test] = &parts;
    let decode = |part: &Annotations| part.decode(height, width);
    Ok(Parts {
        training: decode(training)?,
        validation: decode(validation)?,
        test: decode(test)?,
        name: path.display().to_string(),
        source: path.display().to_string(),
        licence: OWN_PICTURES,
        notes,
    })
}

/// The three parts as the set's own lists or folders say, or dealt out at random.
fn annotations(path: &Path, options: &AnnotationOptions) -> Result<[Annotations; 3]> {
    if let Some(folders) = folders_of_parts(path) {
        return parts_in(&folders, options);
    }
    let all = match coco_file(path) {
        Some(file) => coco(&file, options).read()?,
        None => {
            let folder = voc(path, options);
            if let Some(parts) = folder.parts(PARTS)? {
                return Ok(parts);
            }
            folder.read()?
        }
    };
    array(all.split(&SHARES, 0))
}

fn array(parts: Vec<Annotations>) -> Result<[Annotations; 3]> {
    match <[Annotations; 3]>::try_from(parts) {
        Ok(parts) => Ok(parts),
        Err(parts) => bail!("expected 3 parts, found {}", parts.len()),
    }
}

fn coco(file: &Path, options: &AnnotationOptions) -> CocoFile {
    let coco = match &options.images {
        Some(images) => CocoFile::new(file, images),
        None => CocoFile::at(file),
    };
    match options.clip_boxes {
        true => coco.clip_boxes(),
        false => coco,
    }
}

fn voc(path: &Path, options: &AnnotationOptions) -> VocFolder {
    let folder = VocFolder::new(path);
    let folder = match &options.images {
        Some(images) => folder.images(images),
        None => folder,
    };
    match options.clip_boxes {
        true => folder.clip_boxes(),
        false => folder,
    }
}

/// The COCO file itself, or the only JSON file of a folder without XML, in it or in its `annotations`.
fn coco_file(path: &Path) -> Option<PathBuf> {
    if path.is_file() {
        return ends_in(path, "json").then(|| path.to_owned());
    }
    let inside = [path.to_owned(), path.join("annotations")];
    let files: Vec<PathBuf> = inside.iter().flat_map(|folder| visible(folder)).collect();
    if files.iter().any(|file| ends_in(file, "xml")) || path.join("Annotations").is_dir() {
        return None;
    }
    let mut found = files.into_iter().filter(|file| ends_in(file, "json"));
    found.next().filter(|_| found.next().is_none())
}

/// The folders for training, validation and the test, when each has annotations of its own.
fn folders_of_parts(path: &Path) -> Option<[PathBuf; 3]> {
    let annotated = |folder: &PathBuf| {
        let files = visible(folder);
        files.iter().any(|file| ends_in(file, "xml")) || coco_file(folder).is_some()
    };
    let find = |names: &&[&str]| {
        let mut folders = names.iter().map(|name| path.join(name));
        folders.find(annotated)
    };
    let found: Option<Vec<PathBuf>> = FOLDERS.iter().map(find).collect();
    found?.try_into().ok()
}

/// What is in these folders, with the same classes.
fn parts_in(folders: &[PathBuf; 3], options: &AnnotationOptions) -> Result<[Annotations; 3]> {
    if let Some(images) = &options.images {
        bail!(
            "--images {}: name one of the folders {}, {} and {} with --data, or leave this out: each has pictures of its own",
            images.display(),
            folders[0].display(),
            folders[1].display(),
            folders[2].display()
        );
    }
    let files: Option<Vec<PathBuf>> = folders.iter().map(|folder| coco_file(folder)).collect();
    let Some(files) = files else {
        let mut classes = BTreeSet::new();
        for folder in folders {
            classes.extend(voc(folder, options).read()?.classes().to_vec());
        }
        let read = |folder: &PathBuf| voc(folder, options).classes(classes.clone()).read();
        return array(folders.iter().map(read).collect::<kindling::Result<_>>()?);
    };
    let read = |file: &PathBuf| coco(file, options).read();
    let parts: Vec<Annotations> = files.iter().map(read).collect::<kindling::Result<_>>()?;
    for (file, part) in files.iter().zip(&parts) {
        if part.classes() != parts[0].classes() {
            bail!(
                "{}: expected the categories {}, as in {}, found {}",
                file.display(),
                parts[0].classes().join(", "),
                files[0].display(),
                part.classes().join(", ")
            );
        }
    }
    array(parts)
}

/// The files directly in a folder that are not hidden.
fn visible(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let seen = entries.filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'));
    let mut files: Vec<PathBuf> = seen.map(|entry| entry.path()).collect();
    files.retain(|path| path.is_file());
    files.sort();
    files
}

fn ends_in(path: &Path, ending: &str) -> bool {
    path.extension()
        .is_some_and(|found| found.eq_ignore_ascii_case(ending))
}

#[cfg(test)]
mod tests {
    use image::RgbImage;

    use super::*;

    fn args(data: Option<&Path>) -> DataOptions {
        DataOptions {
            builtin: data.is_none(),
            data: data.map(Path::to_owned),
            limit: None,
        }
    }

    fn load(path: &Path, options: &AnnotationOptions) -> Result<Parts> {
        Parts::load((32, 32), &args(Some(path)), options)
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
        let parts = load(folder.path(), &AnnotationOptions::default()).unwrap();
        assert_eq!(sizes(&parts), [14, 3, 3]);
        assert_eq!(parts.classes(), ["cell"]);
        let lists = folder.path().join("ImageSets/Main");
        fs::create_dir_all(&lists).unwrap();
        for (part, names) in PARTS.iter().zip(["1\n2\n3\n4", "5", "6\n7"]) {
            fs::write(lists.join(format!("{part}.txt")), names).unwrap();
        }
        let parts = load(folder.path(), &AnnotationOptions::default()).unwrap();
        assert_eq!(sizes(&parts), [4, 1, 2]);
        assert_eq!(parts.test.name(1), Some("JPEGImages/7.png"));
        let limited = DataOptions {
            limit: Some(2),
            ..args(Some(folder.path()))
        };
        assert_eq!(
            sizes(&Parts::load((32, 32), &limited, &AnnotationOptions::default()).unwrap()),
            [2, 1, 2]
        );
    }

    #[test]
    fn all_wrong_annotations_are_listed_with_file_and_line() {
        let folder = tempfile::tempdir().unwrap();
        voc(folder.path(), 9, 3);
        let problem = format!(
            "{:#}",
            load(folder.path(), &AnnotationOptions::default()).unwrap_err()
        );
        for expected in [
            "found 3 problems",
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
        let parts = load(&file, &AnnotationOptions::default()).unwrap();
        assert_eq!((parts.training.len(), parts.test.len()), (7, 1));
    }

    #[test]
    fn what_is_missing_or_empty_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let problem = |path: &Path| {
            format!(
                "{:#}",
                load(path, &AnnotationOptions::default()).unwrap_err()
            )
        };
        assert!(problem(&folder.path().join("nowhere")).contains("nowhere: there is no such"));
        assert!(problem(folder.path()).contains("Annotations"));
        voc(folder.path(), 1, 0);
        assert!(problem(folder.path()).contains("found none in 0 pictures"));
    }

    #[test]
    fn built_in_scenes_need_nothing() {
        let limited = DataOptions {
            limit: Some(3),
            ..args(None)
        };
        let parts = Parts::load((64, 64), &limited, &AnnotationOptions::default()).unwrap();
        assert_eq!(parts.name, "built-in scenes");
        assert_eq!(parts.training.size(), (64, 64));
    }

    /// A COCO file of so many pictures, which lie in this folder; the first box reaches outside.
    fn coco(file: &Path, images: &Path, count: usize) {
        for folder in [file.parent().unwrap(), images] {
            fs::create_dir_all(folder).unwrap();
        }
        let (mut pictures, mut boxes) = (Vec::new(), Vec::new());
        for number in 0..count {
            let name = format!("{number}.png");
            RgbImage::new(40, 30).save(images.join(&name)).unwrap();
            let right = if number == 0 { 60 } else { 10 };
            pictures.push(serde_json::json!({"id": number, "file_name": format!("images/{name}")}));
            boxes.push(serde_json::json!({"image_id": number, "category_id": 1, "bbox": [2, 3, right, 12]}));
        }
        let all = serde_json::json!({"images": pictures, "annotations": boxes, "categories": [{"id": 1, "name": "cell"}]});
        fs::write(file, all.to_string()).unwrap();
    }

    fn sizes(parts: &Parts) -> [usize; 3] {
        [&parts.training, &parts.validation, &parts.test].map(DetectionSet::len)
    }

    #[test]
    fn pictures_elsewhere_are_named_boxes_are_cut_and_the_rest_is_left_out_on_request() {
        let folder = tempfile::tempdir().unwrap();
        let at = |below: &str| folder.path().join(below);
        coco(&at("set/result.JSON"), &at("elsewhere"), 10);
        let mut options = AnnotationOptions::default();
        let problem = |options: &AnnotationOptions| {
            load(&at("set/result.JSON"), options)
                .unwrap_err()
                .to_string()
        };
        let found = problem(&options);
        assert!(found.contains("none of its 10 pictures is there") && found.contains("--images"));
        assert_eq!(found.lines().count(), 1, "{found}");
        options.leave_out_problems = true;
        assert!(problem(&options).contains("none of its 10 pictures is there"));
        options.images = Some(at("elsewhere"));
        let parts = load(&at("set/result.JSON"), &options).unwrap();
        assert_eq!(sizes(&parts), [7, 2, 1]);
        assert!(
            parts.notes[0].contains("left out: ")
                && parts.notes[0].contains("expected a box inside")
        );
        options.leave_out_problems = false;
        assert!(problem(&options).contains("--clip-boxes"));
        options.clip_boxes = true;
        // The only JSON file of a folder need not be named.
        let parts = load(&at("set"), &options).unwrap();
        assert_eq!(
            parts.notes,
            ["1 boxes reached outside their pictures and were cut at the edge"]
        );
        options.images = Some(at("nowhere"));
        assert!(
            problem(&options).starts_with("--images ")
                && problem(&options).contains("no such folder")
        );
    }

    #[test]
    fn an_export_in_parts_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let at = |below: &str| folder.path().join(below);
        let options = AnnotationOptions {
            clip_boxes: true,
            ..AnnotationOptions::default()
        };
        for (part, count) in [("train", 3), ("valid", 2), ("test", 4)] {
            coco(&at(part).join("_annotations.coco.json"), &at(part), count);
        }
        assert_eq!(sizes(&load(folder.path(), &options).unwrap()), [3, 2, 4]);
        let other = at("test/_annotations.coco.json");
        let text = fs::read_to_string(&other).unwrap().replace("cell", "cat");
        fs::write(other, text).unwrap();
        let problem = load(folder.path(), &options).unwrap_err().to_string();
        assert!(
            problem.contains("expected the categories cell, as in"),
            "{problem}"
        );

        let folder = tempfile::tempdir().unwrap();
        for (part, count) in [("train", 4), ("valid", 1), ("test", 2)] {
            let all = tempfile::tempdir().unwrap();
            voc(all.path(), count, 0);
            let part = folder.path().join(part);
            fs::create_dir_all(&part).unwrap();
            for below in ["Annotations", "JPEGImages"] {
                for file in visible(&all.path().join(below)) {
                    fs::copy(&file, part.join(file.file_name().unwrap())).unwrap();
                }
            }
        }
        let parts = load(folder.path(), &AnnotationOptions::default()).unwrap();
        assert_eq!(sizes(&parts), [4, 1, 2]);
    }
}
