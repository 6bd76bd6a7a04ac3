//! Pascal VOC: one XML file for each picture (Everingham et al., 2010).

use std::{
    collections::BTreeSet,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use flate2::read::MultiGzDecoder;
use kindling::{Error, Result, boxes::Role};
use roxmltree::{Document, Node};

use crate::{
    Annotations, Problem,
    annotations::shown,
    check::{Draft, DraftBox},
    files::{Files, folder_with},
};

/// What a VOC folder holds.
const FOLDERS: [&str; 3] = ["Annotations", "ImageSets", "JPEGImages"];

/// A folder with `Annotations`, `JPEGImages` and perhaps `ImageSets/Main`, or a tar of it.
///
/// A box's `xmin`, `ymin`, `xmax` and `ymax` are taken as its edges. Objects marked `difficult` may be found or not.
///
/// ```no_run
/// use kindling_detection::VocFolder;
/// let annotations = VocFolder::new("VOC2007").part("train").classes(["cat", "dog"]).read()?;
/// let set = annotations.decode(256, 256)?;
/// println!("{set:?}");
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct VocFolder {
    path: PathBuf,
    part: Option<String>,
    classes: Option<Vec<String>>,
}

/// An object before it is known which number its class has.
struct Named {
    class: String,
    found: DraftBox,
}

impl VocFolder {
    /// A folder, or a file that ends in `.tar`, `.tar.gz` or `.tgz`; other folders may lie around it.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            part: None,
            classes: None,
        }
    }

    /// The pictures that `ImageSets/Main/<part>.txt` lists, such as `train`; otherwise all.
    #[must_use]
    pub fn part(self, part: impl Into<String>) -> Self {
        Self {
            part: Some(part.into()),
            ..self
        }
    }

    /// The classes in the order of their numbers; another one is a problem. Otherwise all that occur, in the order of their names.
    #[must_use]
    pub fn classes<C: Into<String>>(self, classes: impl IntoIterator<Item = C>) -> Self {
        Self {
            classes: Some(classes.into_iter().map(Into::into).collect()),
            ..self
        }
    }

    /// Reads all annotations; what is wrong with single ones is found in [`Annotations::problems`].
    pub fn read(&self) -> Result<Annotations> {
        let files = Arc::new(open(&self.path)?);
        self.read_from(files)
    }

    pub(crate) fn read_from(&self, files: Arc<Files>) -> Result<Annotations> {
        let names = self.names(&files)?;
        let mut problems = Vec::new();
        let mut drafts: Vec<(Draft, Vec<Named>)> = Vec::new();
        for name in &names {
            let file = format!("Annotations/{name}.xml");
            let text = files
                .read(&file)
                .map(|bytes| String::from_utf8(bytes.into()));
            match text {
                Ok(Ok(text)) => drafts.extend(parse(&files, name, &file, &text, &mut problems)),
                Ok(Err(error)) => problems.push(Problem::new(&file, None, error.to_string())),
                Err(error) => problems.push(Problem::new(&file, None, error.to_string())),
            }
        }
        let named = drafts.iter().flat_map(|(_, objects)| objects);
        let found: BTreeSet<&str> = named.map(|named| named.class.as_str()).collect();
        let found = || found.iter().map(|name| (*name).to_owned()).collect();
        let classes: Vec<String> = self.classes.clone().unwrap_or_else(found);
        let drafts = drafts.into_iter().map(|(mut draft, objects)| {
            for Named { class, mut found } in objects {
                match classes.iter().position(|known| *known == class) {
                    Some(number) => {
                        found.class = number;
                        draft.boxes.push(found);
                    }
                    None => problems.push(Problem::new(
                        &draft.file,
                        found.line,
                        format!(
                            "expected one of the classes {}, found {class:?}",
                            classes.join(", ")
                        ),
                    )),
                }
            }
            draft
        });
        let drafts = drafts.collect();
        Ok(Annotations::new(
            shown(&self.path),
            files,
            drafts,
            classes,
            problems,
        ))
    }

    /// The parts of these names, with the classes of all pictures; nothing unless each part has its list in `ImageSets/Main`.
    pub fn parts<const COUNT: usize>(
        &self,
        names: [&str; COUNT],
    ) -> Result<Option<[Annotations; COUNT]>> {
        let files = Arc::new(open(&self.path)?);
        if !names.iter().all(|name| files.has(&list(name))) {
            return Ok(None);
        }
        let classes = match &self.classes {
            Some(classes) => classes.clone(),
            None => self.read_from(Arc::clone(&files))?.classes().to_vec(),
        };
        let mut parts = Vec::new();
        for name in names {
            let part = self.clone().part(name).classes(classes.clone());
            parts.push(part.read_from(Arc::clone(&files))?);
        }
        Ok(parts.try_into().ok())
    }

    /// The names of the pictures, without their ends.
    fn names(&self, files: &Files) -> Result<Vec<String>> {
        let wrong = |problem: String| Error::Format {
            file: shown(&self.path),
            problem,
        };
        let names: Vec<String> = match &self.part {
            Some(part) => {
                let list = list(part);
                let bytes = files
                    .read(&list)
                    .map_err(|error| wrong(format!("{list}: {error}")))?;
                // Lists for one class have a second column.
                let text = String::from_utf8_lossy(&bytes);
                let first = text
                    .lines()
                    .filter_map(|line| line.split_whitespace().next());
                first.map(str::to_owned).collect()
            }
            None => {
                let all = files.names("Annotations");
                let all = all.map_err(|error| wrong(format!("Annotations: {error}")))?;
                let stems = all.iter().filter_map(|name| name.strip_suffix(".xml"));
                stems.map(str::to_owned).collect()
            }
        };
        match names.is_empty() {
            true => Err(wrong(
                "expected XML files in Annotations, found none".to_owned(),
            )),
            false => Ok(names),
        }
    }
}

/// The file that says which pictures belong to a part.
fn list(part: &str) -> String {
    format!("ImageSets/Main/{part}.txt")
}

fn open(path: &Path) -> Result<Files> {
    let wrong = |problem: &str| Error::Format {
        file: shown(path),
        problem: problem.to_owned(),
    };
    if path.is_dir() {
        let folder = folder_with(path, "Annotations");
        let missing = || wrong("expected a folder Annotations in it, found none");
        return folder.map(Files::Folder).ok_or_else(missing);
    }
    let name = path.to_string_lossy();
    let packed = name.ends_with(".tar.gz") || name.ends_with(".tgz");
    if !packed && !name.ends_with(".tar") {
        return Err(wrong(
            "expected a folder, or a file that ends in .tar, .tar.gz or .tgz",
        ));
    }
    let file = File::open(path).map_err(|source| Error::File {
        path: shown(path),
        source,
    })?;
    let reader: Box<dyn Read> = match packed {
        true => Box::new(MultiGzDecoder::new(file)),
        false => Box::new(file),
    };
    unpack(reader).map_err(|error| wrong(&format!("damaged: {error}")))
}

/// The files of a VOC folder in a tar.
pub(crate) fn unpack(reader: impl Read) -> std::io::Result<Files> {
    Files::unpack(reader, &FOLDERS)
}

/// One annotation; nothing when its file is broken.
fn parse(
    files: &Files,
    name: &str,
    file: &str,
    text: &str,
    problems: &mut Vec<Problem>,
) -> Option<(Draft, Vec<Named>)> {
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let what = format!("broken XML: {error}");
            problems.push(Problem::new(file, Some(error.pos().row), what));
            return None;
        }
    };
    let root = document.root_element();
    let line = |node: Node| Some(document.text_pos_at(node.range().start).row);
    let mut objects = Vec::new();
    for object in children(root, "object") {
        match named(object, line(object)) {
            Ok(named) => objects.push(named),
            Err(what) => problems.push(Problem::new(file, line(object), what)),
        }
    }
    let side = |name| {
        let size = children(root, "size").next()?;
        number(size, name).ok().map(|side| side as usize)
    };
    let draft = Draft {
        name: picture(files, name, text_of(root, "filename")),
        file: file.to_owned(),
        line: None,
        // Some tools write 0 where they do not know.
        size: side("height")
            .zip(side("width"))
            .filter(|size| *size != (0, 0)),
        boxes: Vec::new(),
    };
    Some((draft, objects))
}

/// The file of a picture: named as its annotation, or as that says.
fn picture(files: &Files, name: &str, stated: Option<&str>) -> String {
    let ends = ["jpg", "jpeg", "png", "JPG"];
    let own = ends.iter().map(|end| format!("JPEGImages/{name}.{end}"));
    let stated = stated.map(|stated| format!("JPEGImages/{stated}"));
    let mut candidates = own.chain(stated);
    let found = candidates.find(|candidate| files.has(candidate));
    found.unwrap_or_else(|| format!("JPEGImages/{name}.jpg"))
}

fn named(object: Node, line: Option<u32>) -> std::result::Result<Named, String> {
    let class = text_of(object, "name").ok_or("expected an object with a <name>, found none")?;
    let bounds = children(object, "bndbox").next();
    let bounds = bounds.ok_or_else(|| format!("{class}: expected a <bndbox>, found none"))?;
    let mut corners = [0.0; 4];
    for (corner, name) in corners.iter_mut().zip(["xmin", "ymin", "xmax", "ymax"]) {
        *corner = number(bounds, name).map_err(|problem| format!("{class}: {problem}"))?;
    }
    let difficult = text_of(object, "difficult") == Some("1");
    Ok(Named {
        class: class.to_owned(),
        found: DraftBox {
            corners,
            class: 0,
            role: if difficult {
                Role::Ignored
            } else {
                Role::Counted
            },
            line,
        },
    })
}

fn children<'a, 'input: 'a>(
    node: Node<'a, 'input>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    let children = node.children();
    children.filter(move |child| child.has_tag_name(name))
}

fn text_of<'a>(node: Node<'a, '_>, name: &'static str) -> Option<&'a str> {
    let mut children = node
        .children()
        .filter(move |child| child.has_tag_name(name));
    children.next()?.text().map(str::trim)
}

fn number(node: Node, name: &'static str) -> std::result::Result<f64, String> {
    let words = text_of(node, name).ok_or_else(|| format!("expected <{name}>, found none"))?;
    let number = words.parse();
    number.map_err(|_| format!("expected a number in <{name}>, found {words:?}"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use image::{Rgb, RgbImage};

    use super::*;

    fn annotation(objects: &[(&str, [&str; 4], &str)]) -> String {
        let object = |(name, [x1, y1, x2, y2], difficult): &(&str, [&str; 4], &str)| {
            format!(
                "<object><name>{name}</name><difficult>{difficult}</difficult>\n<bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>\n"
            )
        };
        let objects: String = objects.iter().map(object).collect();
        format!(
            "<annotation>\n<size><width>40</width><height>20</height><depth>3</depth></size>\n{objects}</annotation>"
        )
    }

    fn folder(annotations: &[(&str, String)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for below in ["Annotations", "JPEGImages", "ImageSets/Main"] {
            fs::create_dir_all(folder.path().join(below)).unwrap();
        }
        for (name, text) in annotations {
            fs::write(folder.path().join(format!("Annotations/{name}.xml")), text).unwrap();
            let picture = RgbImage::from_pixel(40, 20, Rgb([250, 0, 0]));
            let path = folder.path().join(format!("JPEGImages/{name}.png"));
            picture.save(path).unwrap();
        }
        folder
    }

    const GOOD: [&str; 4] = ["4", "2", "20", "10.5"];

    fn good() -> String {
        annotation(&[("cat", GOOD, "0"), ("ant", ["0", "0", "40", "20"], "1")])
    }

    #[test]
    fn pictures_boxes_and_parts_are_found() {
        let folder = folder(&[("a", good()), ("b", annotation(&[]))]);
        let list = folder.path().join("ImageSets/Main/train.txt");
        fs::write(list, "a  1\n").unwrap();
        let voc = VocFolder::new(folder.path());
        let all = voc.read().unwrap();
        assert_eq!(all.pictures().len(), 2);
        assert_eq!(all.classes(), ["ant", "cat"]);
        let train = voc.part("train").classes(["cat", "ant"]).read().unwrap();
        let set = train.decode(20, 20).unwrap();
        assert_eq!((set.len(), set.classes()[0].as_str()), (1, "cat"));
        let [cat, ant] = set.objects(0) else {
            panic!("{:?}", set.objects(0));
        };
        assert_eq!(cat.corners, [2.0, 1.0, 10.0, 5.25]);
        assert_eq!((ant.role, cat.role), (Role::Ignored, Role::Counted));
        assert_eq!(set.name(0), Some("JPEGImages/a.png"));
        let pixels = set.images(0..1).unwrap().flatten_all().unwrap();
        let pixels = pixels.to_vec1::<f32>().unwrap();
        assert!(pixels[0] > 0.9 && pixels[1] < 0.1);
    }

    #[test]
    fn parts_share_the_classes_of_all_pictures_and_are_listed_or_dealt_out() {
        let cat = annotation(&[("cat", GOOD, "0")]);
        let flat = annotation(&[("cat", ["4", "2", "4", "9"], "0")]);
        let folder = folder(&[("a", good()), ("b", cat), ("c", flat.clone()), ("d", flat)]);
        let lists = folder.path().join("ImageSets/Main");
        fs::write(lists.join("train.txt"), "b\nc\n").unwrap();
        let voc = VocFolder::new(folder.path());
        assert!(voc.parts(["train", "test"]).unwrap().is_none());
        fs::write(lists.join("test.txt"), "d\n").unwrap();
        let [train, test] = voc.parts(["train", "test"]).unwrap().unwrap();
        assert_eq!(train.classes(), ["ant", "cat"]);
        assert_eq!((train.pictures().len(), test.pictures().len()), (2, 1));
        let error = Annotations::refuse_problems(&[&train, &test]).unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("c.xml:3") && error.contains("d.xml:3"),
            "{error}"
        );

        let all = voc.read().unwrap().leave_out_problems();
        let names = |part: &Annotations| -> Vec<String> {
            let pictures = part.pictures().iter();
            pictures.map(|picture| picture.name.clone()).collect()
        };
        let dealt = all.split(&[0.5, 0.25, 0.25], 1);
        assert_eq!(
            dealt
                .iter()
                .map(|part| part.pictures().len())
                .collect::<Vec<_>>(),
            [2, 1, 1]
        );
        let mut seen: Vec<String> = dealt.iter().flat_map(names).collect();
        seen.sort();
        assert_eq!(seen, names(&all));
        let again = all.split(&[0.5, 0.25, 0.25], 1);
        assert!(
            dealt
                .iter()
                .zip(&again)
                .all(|(one, other)| names(one) == names(other))
        );
    }

    #[test]
    fn all_problems_are_listed_together_with_file_and_line() {
        let folder = folder(&[
            (
                "a",
                annotation(&[("cat", GOOD, "0"), ("cat", ["4", "2", "4", "9"], "0")]),
            ),
            ("b", annotation(&[("cow", GOOD, "0")])),
            ("c", annotation(&[("cat", ["4", "2", "90", "9"], "0")])),
            ("d", annotation(&[("cat", ["4", "x", "9", "9"], "0")])),
            ("e", "<annotation>\n<object></annotation>".to_owned()),
            ("f", good()),
            ("g", good().replace("40<", "41<")),
            ("h", good()),
        ]);
        fs::remove_file(folder.path().join("JPEGImages/f.png")).unwrap();
        fs::write(folder.path().join("JPEGImages/h.png"), b"no picture").unwrap();
        let voc = VocFolder::new(folder.path()).classes(["cat", "ant"]);
        let annotations = voc.read().unwrap();
        let message = annotations.decode(20, 20).unwrap_err().to_string();
        for expected in [
            "found 8 problem(s)",
            "Annotations/a.xml:5: cat: expected a box with an area, found (4, 2, 4, 9)",
            "Annotations/b.xml:3: expected one of the classes cat, ant, found \"cow\"",
            "Annotations/c.xml:3: cat: expected a box inside the picture's 40 × 20 pixels, found (4, 2, 90, 9)",
            "Annotations/d.xml:3: cat: expected a number in <ymin>, found \"x\"",
            "Annotations/e.xml:2: broken XML",
            "Annotations/f.xml: the picture JPEGImages/f.jpg cannot be read",
            "Annotations/g.xml: expected a picture of 41 × 20 pixels",
            "Annotations/h.xml: the picture JPEGImages/h.png cannot be read",
        ] {
            assert!(message.contains(expected), "{expected}\nnot in\n{message}");
        }
        let rest = annotations.leave_out_problems().decode(20, 20).unwrap();
        assert_eq!(rest.len(), 4); // a, b, c, d
        assert_eq!(rest.counts(), [1, 0]);
    }

    #[test]
    fn a_picture_that_is_cut_is_named() {
        let folder = folder(&[("a", good())]);
        let path = folder.path().join("JPEGImages/a.png");
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..50]).unwrap();
        let annotations = VocFolder::new(folder.path()).read().unwrap();
        let message = annotations.decode(20, 20).unwrap_err().to_string();
        assert!(message.contains("JPEGImages/a.png"), "{message}");
    }

    #[test]
    fn decoded_pictures_are_kept_until_something_changes() {
        let (folder, cache) = (folder(&[("a", good())]), tempfile::tempdir().unwrap());
        let read = |size: usize| {
            let annotations = VocFolder::new(folder.path()).read().unwrap();
            annotations
                .cached_in(cache.path())
                .decode(size, size)
                .unwrap()
        };
        let kept = || fs::read_dir(cache.path()).unwrap().count();
        let (first, second) = (read(20), read(20));
        assert_eq!(first.objects(0), second.objects(0));
        assert_eq!(kept(), 1);
        read(24);
        assert_eq!(kept(), 2);
        let changed = good().replace("10.5", "11");
        fs::write(folder.path().join("Annotations/a.xml"), changed).unwrap();
        assert_eq!(read(20).objects(0)[0].corners[3], 5.5);
        assert_eq!(kept(), 3);
    }

    #[test]
    fn what_is_no_such_folder_is_refused() {
        let empty = tempfile::tempdir().unwrap();
        let error = |voc: VocFolder| voc.read().unwrap_err().to_string();
        assert!(error(VocFolder::new(empty.path())).contains("Annotations"));
        assert!(error(VocFolder::new(empty.path().join("x.zip"))).contains(".tar"));
        let folder = folder(&[("a", good())]);
        let part = VocFolder::new(folder.path()).part("test");
        assert!(error(part).contains("ImageSets/Main/test.txt"));
        fs::remove_file(folder.path().join("Annotations/a.xml")).unwrap();
        assert!(error(VocFolder::new(folder.path())).contains("found none"));
    }
}
