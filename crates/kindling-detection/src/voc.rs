//! Pascal VOC: one XML file for each picture (Everingham et al., 2010).

use std::{
    collections::BTreeSet,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use kindling::{Error, Result, boxes::Role, data::open_tar};
use roxmltree::{Document, Node};

use crate::{
    Annotations, Problem,
    annotations::shown,
    check::{Draft, DraftBox, Rules},
    files::{Files, folders},
    instead::{instead, is_yolo},
    shelf::{Shelf, is_picture, join},
    text,
};

/// What a VOC folder holds.
const FOLDERS: [&str; 3] = ["Annotations", "ImageSets", "JPEGImages"];

/// What others call these folders.
const OTHERS: [&str; 3] = ["annotations", "images", "Images"];

/// A folder with `Annotations`, `JPEGImages` and perhaps `ImageSets/Main`, or a tar of it.
///
/// The folders may also be called `annotations` and `images`, and the XML files may lie beside their pictures, as LabelImg puts them. Hidden
/// files are none. A box's `xmin`, `ymin`, `xmax` and `ymax` are taken as its edges. Objects marked `difficult` may be found or not.
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
    images: Option<PathBuf>,
    rules: Rules,
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
            images: None,
            rules: Rules::default(),
        }
    }

    /// The pictures that `ImageSets/Main/<part>.txt` lists, one a line, such as `train`; otherwise all.
    ///
    /// The second column of a list for one class, such as ` 1` or ` -1`, is read over unless it is part of a name.
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

    /// The folder of the pictures, when they are not beside the annotations; not for a tar.
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
        let files = Arc::new(self.open()?);
        self.read_from(files)
    }

    pub(crate) fn read_from(&self, files: Arc<Files>) -> Result<Annotations> {
        let folder = annotations(&files);
        let mut shelf = Shelf::new(&files, self.pictures(&files)?);
        let mut problems = Vec::new();
        let mut drafts: Vec<(Draft, Vec<Named>)> = Vec::new();
        for name in &self.names(&files, &mut shelf)? {
            let stated = join(folder, &format!("{name}.xml"));
            let Some(file) = shelf.find(&stated, &[]) else {
                problems.push(Problem::new(&stated, None, self.missing()));
                continue;
            };
            let bytes = match files.read(&file) {
                Ok(bytes) => bytes,
                Err(error) => {
                    problems.push(Problem::new(&file, None, error.to_string()));
                    continue;
                }
            };
            match text::xml(&bytes) {
                Ok(text) => drafts.extend(parse(&mut shelf, name, &file, &text, &mut problems)),
                Err(wrong) => problems.push(Problem::new(&file, wrong.line, wrong.what)),
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
        let looked_in = shelf.places();
        Ok(Annotations::new(
            shown(&self.path),
            Arc::clone(&files),
            drafts,
            classes,
            problems,
            (self.rules, &looked_in),
        ))
    }

    /// The parts of these names, with the classes of all pictures; nothing unless each part has its list in `ImageSets/Main`.
    pub fn parts<const COUNT: usize>(
        &self,
        names: [&str; COUNT],
    ) -> Result<Option<[Annotations; COUNT]>> {
        let files = Arc::new(self.open()?);
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

    /// What is said of an annotation that is not there.
    fn missing(&self) -> String {
        let part = self.part.as_deref().unwrap_or_default();
        format!("there is no such file, though {} lists it", list(part))
    }

    /// The names of the annotations, without their ends.
    fn names(&self, files: &Files, shelf: &mut Shelf) -> Result<Vec<String>> {
        let folder = annotations(files);
        let Some(part) = &self.part else {
            let all = files.names(folder);
            let all = all.map_err(|error| self.wrong(format!("{folder}: {error}")))?;
            let stems = all.iter().filter_map(|name| without_end(name, "xml"));
            let stems: Vec<String> = stems.map(str::to_owned).collect();
            return match stems.is_empty() {
                true => Err(self.wrong(match files {
                    Files::Folder(_) => {
                        let found = instead(&self.path);
                        format!("expected XML files in {folder}; {found}")
                    }
                    Files::Packed(_) => "expected XML files in Annotations, found none".to_owned(),
                })),
                false => Ok(stems),
            };
        };
        let list = list(part);
        let bytes = files.read(&list);
        let bytes = bytes.map_err(|error| self.wrong(format!("{list}: {error}")))?;
        let text = text::text(&bytes).map_err(|wrong| {
            let line = wrong
                .line
                .map(|line| format!(":{line}"))
                .unwrap_or_default();
            self.wrong(format!("{list}{line}: {}", wrong.what))
        })?;
        let lines = text.split(['\n', '\r']).map(str::trim);
        let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
        if lines.is_empty() {
            let expected = "expected the name of a picture in each line, found no names";
            return Err(self.wrong(format!("{list}: {expected}")));
        }
        let of_a_class = lines.iter().all(|line| without_column(line) != *line);
        let mut has = |name: &str| {
            shelf
                .find(&join(folder, &format!("{name}.xml")), &[])
                .is_some()
        };
        let names = lines.iter().map(|line| {
            let first = without_column(line);
            let mut candidates = [*line, first, stem(line), stem(first)].into_iter();
            let found = candidates.find(|name| has(name));
            found
                .unwrap_or(if of_a_class { first } else { *line })
                .to_owned()
        });
        Ok(names.collect())
    }

    /// Where the pictures may be, the likeliest folder first.
    fn pictures(&self, files: &Files) -> Result<Vec<String>> {
        let Some(folder) = &self.images else {
            let beside = [annotations(files), ""];
            let folders = ["JPEGImages", "images", "Images"].into_iter().chain(beside);
            return Ok(folders.map(str::to_owned).collect());
        };
        let argument = |problem: &str| {
            let folder = shown(folder);
            Err(Error::Argument(format!("images: {folder}: {problem}")))
        };
        if let Files::Packed(_) = files {
            return argument("a tar holds its own pictures; unpack it first to use others");
        }
        if !folder.is_dir() {
            return argument("there is no such folder");
        }
        // Seen from the folder of the annotations, only a whole path leads there.
        match std::path::absolute(folder) {
            Ok(folder) => Ok(vec![shown(&folder)]),
            Err(error) => argument(&error.to_string()),
        }
    }

    fn open(&self) -> Result<Files> {
        let path = self.path.as_path();
        if path.is_dir() {
            return root(path).map(Files::Folder).ok_or_else(|| {
                let found = instead(path);
                self.wrong(format!(
                    "expected a folder Annotations with XML files in Pascal VOC's format, or such files beside their pictures; {found}"
                ))
            });
        }
        let name = path.to_string_lossy().to_lowercase();
        if ![".tar", ".tar.gz", ".tgz"]
            .iter()
            .any(|end| name.ends_with(end))
        {
            let expected = "expected a folder or a tar of Pascal VOC (.tar, .tar.gz, .tgz), or a COCO file (.json)";
            let ends = |endings: &[&str]| endings.iter().any(|end| name.ends_with(end));
            let advice = if ends(&[".zip", ".7z", ".rar"]) {
                "; unpack this one first"
            } else if ends(&[".txt"]) && is_yolo(path) {
                "; found boxes in YOLO's format: export the set as one of these"
            } else if ends(&[".xml", ".txt"]) {
                "; name the folder of this file"
            } else {
                ""
            };
            return Err(self.wrong(format!("{expected}{advice}")));
        }
        let reader = open_tar(path)?;
        unpack(reader).map_err(|error| self.wrong(format!("damaged: {error}")))
    }

    fn wrong(&self, problem: String) -> Error {
        Error::Format {
            file: shown(&self.path),
            problem,
        }
    }
}

/// The file that says which pictures belong to a part.
fn list(part: &str) -> String {
    format!("ImageSets/Main/{part}.txt")
}

/// A line of a list for one class without its second column, which says whether the class is in the picture.
fn without_column(line: &str) -> &str {
    match line.rsplit_once(char::is_whitespace) {
        Some((name, "1" | "-1" | "0")) => name.trim_end(),
        _ => line,
    }
}

/// The name in a path of an annotation or of a picture, as other lists write it.
fn stem(line: &str) -> &str {
    let name = line.rsplit(['/', '\\']).next().unwrap_or(line);
    match name.rsplit_once('.') {
        Some((stem, _)) if is_picture(name) => stem,
        _ => without_end(name, "xml").unwrap_or(name),
    }
}

/// A name without this ending, however it is written; nothing when it has another one.
fn without_end<'a>(name: &'a str, end: &str) -> Option<&'a str> {
    let (stem, found) = name.rsplit_once('.')?;
    found.eq_ignore_ascii_case(end).then_some(stem)
}

/// The folder of the XML files: the outermost one when they lie beside their pictures.
fn annotations(files: &Files) -> &'static str {
    let mut names = ["Annotations", "annotations"].into_iter();
    names.find(|name| files.has_folder(name)).unwrap_or("")
}

/// The folder in which `Annotations` is, or XML files; other folders may lie around it.
fn root(path: &Path) -> Option<PathBuf> {
    let has_xml = |folder: &Path| {
        let names = Files::Folder(folder.to_owned()).names("");
        let mut names = names.unwrap_or_default().into_iter();
        names.any(|name| without_end(&name, "xml").is_some())
    };
    let all = folders(path);
    let official = all
        .iter()
        .find(|folder| folder.join("Annotations").is_dir());
    let usual = || {
        all.iter()
            .find(|folder| has_xml(&folder.join("annotations")))
    };
    if let Some(found) = official.or_else(usual) {
        return Some(found.clone());
    }
    if !has_xml(path) {
        return None;
    }
    // Somebody named `Annotations` itself.
    let name = path.file_name().unwrap_or_default();
    match path.parent() {
        Some(outer) if name.eq_ignore_ascii_case("annotations") => {
            Some(match outer == Path::new("") {
                true => PathBuf::from("."),
                false => outer.to_owned(),
            })
        }
        _ => Some(path.to_owned()),
    }
}

/// The files of a VOC folder in a tar.
pub(crate) fn unpack(reader: impl Read) -> std::io::Result<Files> {
    Files::unpack(reader, &FOLDERS, &OTHERS)
}

/// One annotation; nothing when its file is broken.
fn parse(
    shelf: &mut Shelf,
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
    if !root.has_tag_name("annotation") {
        let found = root.tag_name().name();
        let what = format!("expected Pascal VOC's <annotation>, found <{found}>");
        problems.push(Problem::new(file, None, what));
        return None;
    }
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
    // Named as its annotation, or as that says.
    let stated = text_of(root, "filename").filter(|stated| !stated.is_empty());
    let picture = shelf.picture(name);
    let picture = picture.or_else(|| shelf.picture(stated?));
    let draft = Draft {
        picture: picture.ok_or_else(|| stated.unwrap_or(name).to_owned()),
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

fn named(object: Node, line: Option<u32>) -> std::result::Result<Named, String> {
    let class = text_of(object, "name").ok_or("expected an object with a <name>, found none")?;
    let bounds = children(object, "bndbox").next();
    let bounds = bounds.ok_or_else(|| format!("{class}: expected a <bndbox>, found none"))?;
    let mut corners = [0.0; 4];
    for (corner, name) in corners.iter_mut().zip(["xmin", "ymin", "xmax", "ymax"]) {
        *corner = number(bounds, name).map_err(|problem| format!("{class}: {problem}"))?;
    }
    let difficult = matches!(text_of(object, "difficult"), Some("1" | "true" | "True"));
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
            "found 8 problems",
            "Annotations/a.xml:5: cat: expected a box with an area, found (4, 2, 4, 9)",
            "Annotations/b.xml:3: expected one of the classes cat, ant, found \"cow\"",
            "Annotations/c.xml:3: cat: expected a box inside the picture's 40 × 20 pixels, found (4, 2, 90, 9)",
            "Annotations/d.xml:3: cat: expected a number in <ymin>, found \"x\"",
            "Annotations/e.xml:2: broken XML",
            "Annotations/f.xml: there is no picture \"f\"; looked in",
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
        assert!(error(VocFolder::new(folder.path())).contains("expected XML files in Annotations"));
        assert!(error(VocFolder::new(empty.path())).contains("found no files"));
        fs::write(empty.path().join("a.txt"), "1 0.5 0.5 0.2 0.2\n").unwrap();
        assert!(error(VocFolder::new(empty.path().join("a.txt"))).contains("YOLO"));
        assert!(error(VocFolder::new(empty.path())).contains("YOLO"));
    }

    fn names(annotations: &Annotations) -> Vec<&str> {
        let pictures = annotations.pictures().iter();
        pictures.map(|picture| picture.name.as_str()).collect()
    }

    fn write(folder: &tempfile::TempDir, file: &str, bytes: impl AsRef<[u8]>) {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    #[test]
    fn names_in_lists_may_have_spaces_and_a_second_column() {
        let all = ["photo 1", "photo", "photo -1 b", "000012", "猫 0"];
        let folder = folder(&all.map(|name| (name, good())));
        let list = "ImageSets/Main/train.txt";
        let voc = VocFolder::new(folder.path()).part("train");
        for (text, expected) in [
            ("photo 1\nphoto\n", vec!["photo 1", "photo"]),
            (
                "photo 1  1\nphoto -1\n000012  0\n",
                vec!["photo 1", "photo", "000012"],
            ),
            (
                "\u{FEFF}photo -1 b\r\n\r\n猫 0\r\n",
                vec!["photo -1 b", "猫 0"],
            ),
            ("000012\rphoto\r", vec!["000012", "photo"]),
            (
                "JPEGImages/000012.jpg\nphoto.xml -1",
                vec!["000012", "photo"],
            ),
        ] {
            write(&folder, list, text);
            let found = voc.read().unwrap();
            let expected: Vec<String> = expected
                .iter()
                .map(|name| format!("JPEGImages/{name}.png"))
                .collect();
            assert_eq!(names(&found), expected, "{text:?}");
            assert!(found.problems().is_empty(), "{:?}", found.problems());
        }
        let wide: Vec<u8> = "\u{FEFF}猫 0\nphoto 1"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        write(&folder, list, wide);
        assert_eq!(names(&voc.read().unwrap()).len(), 2);
        write(&folder, list, "dog 1\nphoto\n");
        let error = voc.read().unwrap().decode(8, 8).unwrap_err().to_string();
        let expected = "Annotations/dog 1.xml: there is no such file, though ImageSets/Main/train.txt lists it";
        assert!(error.contains(expected), "{error}");
        write(&folder, list, "dog  1\nphoto -1\n");
        assert!(voc.read().unwrap().problems()[0].file.ends_with("/dog.xml"));
        write(&folder, list, " \n");
        let error = voc.read().unwrap_err().to_string();
        assert!(
            error.contains("train.txt: expected the name of a picture in each line"),
            "{error}"
        );
        write(&folder, list, b"\xCF\xB8\xB0\xFB\n");
        let error = voc.read().unwrap_err().to_string();
        assert!(
            error.contains("train.txt:1: expected text in UTF-8"),
            "{error}"
        );
    }

    #[test]
    fn xml_may_be_marked_wide_or_in_the_encoding_that_it_names() {
        let folder = folder(&[("a", good()), ("b", good()), ("c", good())]);
        let chinese = good().replace("cat", "细胞");
        write(
            &folder,
            "Annotations/a.xml",
            format!("\u{FEFF}{chinese}").replace('\n', "\r\n"),
        );
        let head = "<?xml version=\"1.0\" encoding=\"UTF-16\"?>";
        let wide = format!("\u{FEFF}{head}{chinese}");
        let wide: Vec<u8> = wide.encode_utf16().flat_map(u16::to_be_bytes).collect();
        write(&folder, "Annotations/b.xml", wide);
        let text = format!("<?xml version=\"1.0\" encoding=\"gb2312\"?>\n{chinese}");
        let (bytes, _, _) = encoding_rs::GBK.encode(&text);
        write(&folder, "Annotations/c.xml", &bytes);
        let found = VocFolder::new(folder.path()).read().unwrap();
        assert!(found.problems().is_empty(), "{:?}", found.problems());
        assert_eq!(found.classes(), ["ant", "细胞"]);
        let (bytes, _, _) = encoding_rs::GBK.encode(&chinese);
        write(&folder, "Annotations/c.xml", &bytes);
        let found = VocFolder::new(folder.path()).read().unwrap();
        let problem = found.problems()[0].to_string();
        assert!(
            problem.starts_with("Annotations/c.xml:3: expected text in UTF-8"),
            "{problem}"
        );
    }

    #[test]
    fn hidden_files_are_none() {
        let folder = folder(&[("a", good())]);
        for file in [
            "Annotations/._a.xml",
            "Annotations/.DS_Store",
            "JPEGImages/._a.png",
        ] {
            write(&folder, file, b"\0\x05\x16\x07\xFF");
        }
        write(&folder, ".trash/Annotations/x.xml", "");
        write(&folder, ".ipynb_checkpoints/Annotations/x.xml", "");
        let found = VocFolder::new(folder.path()).read().unwrap();
        assert_eq!(names(&found), ["JPEGImages/a.png"]);
        assert!(found.problems().is_empty());
        let tar = tempfile::tempdir().unwrap();
        let path = tar.path().join("set.TAR");
        let mut builder = tar::Builder::new(fs::File::create(&path).unwrap());
        builder.append_dir_all("./set", folder.path()).unwrap();
        builder.finish().unwrap();
        let found = VocFolder::new(&path).read().unwrap();
        assert_eq!(names(&found), ["JPEGImages/a.png"]);
        assert!(found.problems().is_empty());
        let images = VocFolder::new(&path).images(folder.path());
        assert!(
            images
                .read()
                .unwrap_err()
                .to_string()
                .contains("unpack it first")
        );
    }

    #[test]
    fn endings_may_be_in_capitals_or_missing() {
        let folder = folder(&[("a", good()), ("b", good()), ("c", good()), ("d", good())]);
        let rename = |from: &str, to: &str| {
            fs::rename(folder.path().join(from), folder.path().join(to)).unwrap();
        };
        rename("JPEGImages/a.png", "JPEGImages/a.PNG");
        rename("JPEGImages/b.png", "JPEGImages/b.JPEG");
        rename("JPEGImages/c.png", "JPEGImages/other.png");
        rename("JPEGImages/d.png", "JPEGImages/more.Png");
        rename("Annotations/b.xml", "Annotations/b.XML");
        let named =
            |name: &str| good().replace("<size>", &format!("<filename>{name}</filename><size>"));
        write(&folder, "Annotations/c.xml", named("other"));
        write(&folder, "Annotations/d.xml", named(r"C:\Users\me\More.png"));
        let found = VocFolder::new(folder.path()).read().unwrap();
        assert!(found.problems().is_empty(), "{:?}", found.problems());
        let mut names = names(&found);
        names.sort_unstable();
        let expected = ["a.PNG", "b.JPEG", "more.Png", "other.png"];
        assert_eq!(names, expected.map(|name| format!("JPEGImages/{name}")));
    }

    /// As LabelImg writes it, beside the picture, with a path of another machine.
    #[test]
    fn xml_lies_beside_the_pictures_or_in_folders_of_other_names() {
        let text = good().replace(
            "<size>",
            r"<folder>pics</folder><filename>a.png</filename><path>C:\pics\a.png</path><size>",
        );
        for (annotation, picture, open) in [
            ("a.xml", "a.png", ""),
            ("annotations/a.xml", "images/a.png", ""),
            ("Annotations/a.xml", "a.png", ""),
            ("Annotations/a.xml", "JPEGImages/a.png", "Annotations"),
            ("deep/set/annotations/a.xml", "deep/set/images/a.png", ""),
        ] {
            let folder = tempfile::tempdir().unwrap();
            write(&folder, annotation, &text);
            write(&folder, picture, "");
            RgbImage::new(40, 20)
                .save(folder.path().join(picture))
                .unwrap();
            let found = VocFolder::new(folder.path().join(open)).read().unwrap();
            assert_eq!(
                found.pictures().len(),
                1,
                "{annotation}: {:?}",
                found.problems()
            );
            assert!(found.decode(8, 8).is_ok());
        }
    }

    #[test]
    fn pictures_may_be_in_a_folder_of_their_own() {
        let (folder, other) = (
            folder(&[("a", good()), ("b", good())]),
            tempfile::tempdir().unwrap(),
        );
        for name in ["a.png", "b.png"] {
            let from = folder.path().join("JPEGImages").join(name);
            fs::rename(from, other.path().join(name)).unwrap();
        }
        let voc = VocFolder::new(folder.path());
        let error = voc.read().unwrap().decode(8, 8).unwrap_err().to_string();
        for expected in [
            "none of its 2 pictures is there, such as \"a\"; looked in ",
            "JPEGImages",
            "`images` (at the command line `--images`)",
        ] {
            assert!(error.contains(expected), "{error}");
        }
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(
            voc.clone()
                .images(other.path())
                .read()
                .unwrap()
                .decode(8, 8)
                .is_ok()
        );
        let error = voc.images("nowhere").read().unwrap_err().to_string();
        assert_eq!(error, "images: nowhere: there is no such folder");
    }

    #[test]
    fn boxes_outside_are_cut_at_the_edge_on_request() {
        let boxes = [
            ("cat", ["-5", "2", "43", "10"], "0"),
            ("cat", ["1", "2", "40.9", "20"], "0"),
            ("cat", ["50", "2", "60", "10"], "0"),
        ];
        let folder = folder(&[("a", annotation(&boxes))]);
        let voc = VocFolder::new(folder.path());
        let found = voc.read().unwrap();
        assert_eq!((found.problems().len(), found.clipped()), (2, 0));
        let error = found.decode(20, 40).unwrap_err().to_string();
        assert_eq!(
            error
                .matches("`clip_boxes` (at the command line `--clip-boxes`)")
                .count(),
            1
        );
        let found = voc.clip_boxes().read().unwrap();
        assert_eq!((found.problems().len(), found.clipped()), (1, 1));
        assert!(found.problems()[0].what.contains("an area inside"));
        let objects = &found.pictures()[0].objects;
        assert_eq!(objects[0].corners, [0.0, 2.0, 40.0, 10.0]);
        assert_eq!(objects.len(), 2);
        let parts = found.split(&[0.5, 0.5], 0);
        assert_eq!(parts.iter().map(Annotations::clipped).sum::<usize>(), 1);
    }

    #[test]
    fn a_size_may_be_that_of_the_turned_or_of_the_stored_picture() {
        let folder = folder(&[("a", good()), ("b", good()), ("c", good())]);
        let bytes = crate::upright::tests::jpeg(&RgbImage::new(40, 20), 6);
        for name in ["a", "b", "c"] {
            fs::remove_file(folder.path().join(format!("JPEGImages/{name}.png"))).unwrap();
            write(&folder, &format!("JPEGImages/{name}.jpg"), &bytes);
        }
        let size = |width: u32, height: u32| {
            let boxes = annotation(&[("cat", ["2", "4", "10", "16"], "0")]);
            let stated = format!("<width>{width}</width><height>{height}</height>");
            boxes.replace("<width>40</width><height>20</height>", &stated)
        };
        write(&folder, "Annotations/a.xml", size(20, 40));
        write(&folder, "Annotations/b.xml", size(40, 20));
        write(&folder, "Annotations/c.xml", size(40, 40));
        let found = VocFolder::new(folder.path()).read().unwrap();
        assert_eq!(found.problems().len(), 1);
        let problem = found.problems()[0].to_string();
        assert!(
            problem.contains("40 × 40 pixels, as is written here, found 20 × 40"),
            "{problem}"
        );
        let [upright, stored] = found.pictures() else {
            panic!("{found:?}");
        };
        assert_eq!((upright.size, stored.size), ((40, 20), (40, 20)));
        assert_eq!(upright.objects[0].corners, [2.0, 4.0, 10.0, 16.0]);
        assert_eq!(stored.objects[0].corners, [4.0, 2.0, 16.0, 10.0]);
        assert_eq!(found.leave_out_problems().decode(40, 20).unwrap().len(), 2);
    }

    #[test]
    fn xml_that_is_no_annotation_or_an_attack_is_named() {
        let laughs = "<!DOCTYPE a [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;\">]><annotation>&b;</annotation>";
        let folder = folder(&[
            ("a", laughs.to_owned()),
            ("b", "<annotations><image/></annotations>".to_owned()),
            ("c", format!("<annotation>{}", "<a>".repeat(200_000))),
            ("d", String::new()),
            (
                "e",
                good().replace("<annotation>", "<annotation xmlns=\"urn:voc\">"),
            ),
            ("f", good().replace("10.5", "1e400")),
            ("g", good().replace("10.5", "NaN")),
        ]);
        let found = VocFolder::new(folder.path()).read().unwrap();
        let problems: Vec<String> = found.problems().iter().map(ToString::to_string).collect();
        for (problem, expected) in problems.iter().zip([
            "Annotations/a.xml:1: broken XML: XML with DTD",
            "Annotations/b.xml: expected Pascal VOC's <annotation>, found <annotations>",
            "Annotations/c.xml:1: broken XML",
            "Annotations/d.xml:1: broken XML",
            "Annotations/f.xml:3: cat: expected finite numbers",
            "Annotations/g.xml:3: cat: expected finite numbers",
        ]) {
            assert!(
                problem.starts_with(expected),
                "{expected}\nnot in\n{problem}"
            );
        }
        assert_eq!(problems.len(), 6);
        assert_eq!(found.pictures()[0].objects.len(), 2); // e
    }

    #[test]
    fn pictures_lie_on_white_and_those_that_are_cut_are_named() {
        let folder = folder(&[("a", good()), ("b", good()), ("c", good())]);
        let place = |name: &str| folder.path().join(format!("JPEGImages/{name}.png"));
        image::RgbaImage::new(40, 20).save(place("a")).unwrap();
        let jpeg = crate::upright::tests::jpeg(&RgbImage::new(40, 20), 1);
        fs::write(place("b"), &jpeg[..jpeg.len() - 20]).unwrap();
        fs::write(place("c"), b"\0\0\0\x18ftypheic").unwrap();
        let voc = VocFolder::new(folder.path());
        let problem = voc.read().unwrap().problems()[0].to_string();
        assert!(
            problem.contains("found a HEIC picture; save it as JPEG or PNG first"),
            "{problem}"
        );
        let found = voc.read().unwrap().leave_out_problems();
        let problem = found.decode(20, 40).unwrap_err().to_string();
        assert!(
            problem.contains("JPEGImages/b.png: ") && problem.contains("ends in the middle"),
            "{problem}"
        );
        let list = folder.path().join("ImageSets/Main/train.txt");
        fs::write(list, "a\n").unwrap();
        let set = voc.part("train").read().unwrap().decode(20, 40).unwrap();
        let pixels = set.images(0..1).unwrap().flatten_all().unwrap();
        assert!(
            pixels
                .to_vec1::<f32>()
                .unwrap()
                .iter()
                .all(|level| *level > 0.99)
        );
    }
}
