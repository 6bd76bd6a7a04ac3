//! Pictures of one size as bytes, with the objects in each.

use std::{fmt, ops::Range, path::Path, sync::Arc};

use candle_core::{DType, Device, Tensor};

use super::{Letterbox, objects_of, targets};
use crate::{Error, Result, boxes::Object, data::pictures::brightness, tensor_file::TensorFile};

/// Pictures of one size, each pixel three bytes, and the objects in each; a clone or a subset shares the bytes.
///
/// ```
/// use kindling::{boxes::Object, data::detection::DetectionSet};
/// let objects = vec![vec![Object::new([0.0, 0.0, 2.0, 1.0], 0)]];
/// let set = DetectionSet::new(vec![0; 2 * 2 * 3], (2, 2), objects, vec!["cell".to_owned()])?;
/// assert_eq!(set.images(0..1)?.dims(), [1, 2, 2, 3]);
/// assert_eq!(set.class(set.objects(0)[0].class), Some("cell"));
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Clone)]
pub struct DetectionSet {
    pixels: Arc<Vec<u8>>, // (all, height, width, 3)
    objects: Arc<Vec<Vec<Object>>>,
    about: Arc<Vec<About>>,
    range: Range<usize>,
    size: (usize, usize),
    classes: Arc<Vec<String>>,
}

/// Where a picture came from.
#[derive(Debug, Clone, PartialEq)]
struct About {
    name: String,
    letterbox: Letterbox,
}

impl DetectionSet {
    /// Pixels `(pictures, height, width, 3)`, `(height, width)`, the objects of each picture, and what the classes are called.
    ///
    /// Boxes lie inside the picture and have an area.
    pub fn new(
        pixels: Vec<u8>,
        size: (usize, usize),
        objects: Vec<Vec<Object>>,
        classes: Vec<String>,
    ) -> Result<Self> {
        let letterbox = Letterbox::new(size, size)?;
        let about = (0..objects.len()).map(|number| (number.to_string(), letterbox));
        Self::with_sources(pixels, size, objects, classes, about.collect())
    }

    /// [`new`](Self::new), with the name of each picture and how it was brought to this size.
    pub fn with_sources(
        pixels: Vec<u8>,
        (height, width): (usize, usize),
        objects: Vec<Vec<Object>>,
        classes: Vec<String>,
        sources: Vec<(String, Letterbox)>,
    ) -> Result<Self> {
        if height * width == 0
            || pixels.len() != objects.len() * height * width * 3
            || sources.len() != objects.len()
        {
            return Err(Error::Shape {
                what: "pixels".to_owned(),
                expected: format!(
                    "{} pictures of {height} × {width} × 3, with a source each",
                    objects.len()
                ),
                found: vec![pixels.len(), sources.len()],
            });
        }
        let (right, lower) = (width as f32, height as f32);
        for (picture, objects) in objects.iter().enumerate() {
            for object in objects {
                let [x1, y1, x2, y2] = object.corners;
                let inside = 0.0 <= x1 && x1 < x2 && x2 <= right && 0.0 <= y1 && y1 < y2;
                if !(inside && y2 <= lower) {
                    return Err(Error::Argument(format!(
                        "objects: expected boxes with an area inside {height} × {width} pixels, found {:?} in picture {picture}",
                        object.corners
                    )));
                }
                if object.class >= classes.len() {
                    return Err(Error::Argument(format!(
                        "objects: expected classes below {}, found {} in picture {picture}",
                        classes.len(),
                        object.class
                    )));
                }
            }
        }
        let about = sources.into_iter();
        let about = about.map(|(name, letterbox)| About { name, letterbox });
        Ok(Self {
            range: 0..objects.len(),
            pixels: Arc::new(pixels),
            objects: Arc::new(objects),
            about: Arc::new(about.collect()),
            size: (height, width),
            classes: Arc::new(classes),
        })
    }

    /// How many pictures there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// Height and width of each picture.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        self.size
    }

    /// What the classes are called, in the order of their numbers.
    #[must_use]
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// What this class is called; nothing when there is no such class.
    #[must_use]
    pub fn class(&self, class: usize) -> Option<&str> {
        self.classes.get(class).map(String::as_str)
    }

    /// The objects of this picture; none when there is no such picture.
    #[must_use]
    pub fn objects(&self, picture: usize) -> &[Object] {
        let objects = self.objects.get(self.range.clone());
        let objects = objects.and_then(|objects| objects.get(picture));
        objects.map_or(&[], Vec::as_slice)
    }

    /// What this picture is called; nothing when there is no such picture.
    #[must_use]
    pub fn name(&self, picture: usize) -> Option<&str> {
        self.about(picture).map(|about| about.name.as_str())
    }

    /// How this picture was brought to the set's size; nothing when there is no such picture.
    #[must_use]
    pub fn letterbox(&self, picture: usize) -> Option<Letterbox> {
        self.about(picture).map(|about| about.letterbox)
    }

    fn about(&self, picture: usize) -> Option<&About> {
        self.about.get(self.range.clone())?.get(picture)
    }

    /// The most objects that one picture has.
    #[must_use]
    pub fn most_objects(&self) -> usize {
        let counts = (0..self.len()).map(|picture| self.objects(picture).len());
        counts.max().unwrap_or(0)
    }

    /// How many objects of each class there are.
    #[must_use]
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        for picture in 0..self.len() {
            for object in self.objects(picture) {
                counts[object.class] += 1;
            }
        }
        counts
    }

    /// The pixels of one picture, `(height, width, 3)`.
    pub(super) fn picture(&self, picture: usize) -> &[u8] {
        let size = self.size.0 * self.size.1 * 3;
        &self.pixels[(self.range.start + picture) * size..][..size]
    }

    /// The pictures of this range as `(pictures, height, width, 3)`, from 0 to 1.
    pub fn images(&self, range: Range<usize>) -> Result<Tensor> {
        let part = self.subset(range)?;
        let bytes = (0..part.len()).flat_map(|picture| part.picture(picture));
        let pixels: Vec<f32> = bytes.map(|&byte| brightness(byte)).collect();
        let shape = (part.len(), part.size.0, part.size.1, 3);
        Ok(Tensor::from_vec(pixels, shape, &Device::Cpu)?)
    }

    /// The pictures of this range, such as `0..100`.
    pub fn subset(&self, range: Range<usize>) -> Result<Self> {
        if range.start > range.end || range.end > self.len() {
            return Err(Error::Argument(format!(
                "subset: expected a range within 0..{}, found {range:?}",
                self.len()
            )));
        }
        let start = self.range.start;
        Ok(Self {
            range: start + range.start..start + range.end,
            ..self.clone()
        })
    }

    /// Writes the set to a file, whole or not at all.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let count = self.len();
        let (height, width) = self.size;
        let bytes = (0..count).flat_map(|picture| self.picture(picture));
        let bytes: Vec<u8> = bytes.copied().collect();
        let objects: Vec<&[Object]> = (0..count).map(|picture| self.objects(picture)).collect();
        let about = &self.about[self.range.clone()];
        let heights_and_widths = about.iter().flat_map(|about| {
            let (height, width) = about.letterbox.picture();
            [height as u32, width as u32]
        });
        let sizes: Vec<u32> = heights_and_widths.collect();
        let names: Vec<&str> = about.iter().map(|about| about.name.as_str()).collect();
        let device = &Device::Cpu;
        let mut file = TensorFile::default();
        file.tensors.extend([
            (
                "pixels".to_owned(),
                Tensor::from_vec(bytes, (count, height, width, 3), device)?,
            ),
            (
                "objects".to_owned(),
                targets(&objects, self.most_objects().max(1))?,
            ),
            (
                "sizes".to_owned(),
                Tensor::from_vec(sizes, (count, 2), device)?,
            ),
        ]);
        let lines = [
            ("classes", self.classes.join("\n")),
            ("names", names.join("\n")),
        ];
        file.metadata
            .extend(lines.map(|(key, words)| (key.to_owned(), words)));
        file.write(path.as_ref())
    }

    /// Reads such a file.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let wrong = || Error::Format {
            file: path.display().to_string(),
            problem: "not a file of pictures with objects; delete it".to_owned(),
        };
        let file = TensorFile::read(path)?;
        let tensor = |name: &str| file.tensors.get(name).ok_or_else(wrong);
        let lines = |name: &str| {
            let words = file.metadata.get(name).ok_or_else(wrong)?;
            Ok::<Vec<String>, Error>(words.lines().map(str::to_owned).collect())
        };
        let (pixels, objects, sizes) = (tensor("pixels")?, tensor("objects")?, tensor("sizes")?);
        let (count, height, width, _) = pixels.dims4()?;
        let names = lines("names")?;
        if names.len() != count || sizes.dims() != [count, 2] || sizes.dtype() != DType::U32 {
            return Err(wrong());
        }
        let source = |(name, size): (String, Vec<u32>)| {
            let picture = (size[0] as usize, size[1] as usize);
            Ok((name, Letterbox::new(picture, (height, width))?))
        };
        let sources = names.into_iter().zip(sizes.to_vec2::<u32>()?);
        Self::with_sources(
            pixels.flatten_all()?.to_vec1()?,
            (height, width),
            objects_of(objects)?,
            lines("classes")?,
            sources.map(source).collect::<Result<_>>()?,
        )
    }
}

impl fmt::Debug for DetectionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (height, width) = self.size;
        write!(
            f,
            "DetectionSet {{ {} pictures of {height} × {width}, {} objects of {} classes }}",
            self.len(),
            self.counts().iter().sum::<usize>(),
            self.classes.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> DetectionSet {
        let objects = vec![
            vec![Object::new([0.0, 0.0, 1.0, 2.0], 1)],
            vec![Object::new([1.0, 0.0, 2.0, 1.0], 0); 2],
        ];
        let classes = vec!["a".to_owned(), "b".to_owned()];
        DetectionSet::new((0..24).collect(), (2, 2), objects, classes).unwrap()
    }

    #[test]
    fn a_subset_has_its_own_pictures_and_objects() {
        let last = two().subset(1..2).unwrap();
        assert_eq!((last.len(), last.name(0)), (1, Some("1")));
        assert_eq!(last.objects(0).len(), 2);
        assert_eq!(last.counts(), [2, 0]);
        assert_eq!(last.picture(0)[0], 12);
        assert!(last.objects(1).is_empty() && last.name(1).is_none());
        assert!(last.subset(0..2).is_err());
        assert_eq!(two().most_objects(), 2);
    }

    #[test]
    fn a_file_gives_back_what_was_saved() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set");
        two().subset(1..2).unwrap().save(&path).unwrap();
        let read = DetectionSet::load(&path).unwrap();
        assert_eq!(read.objects(0), two().objects(1));
        assert_eq!(read.picture(0), two().picture(1));
        assert_eq!((read.name(0), read.class(1)), (Some("1"), Some("b")));
        assert_eq!(read.letterbox(0), two().letterbox(1));
        std::fs::write(&path, b"nonsense").unwrap();
        assert!(DetectionSet::load(&path).is_err());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let set = |corners: [f32; 4], class: usize| {
            let objects = vec![vec![Object::new(corners, class)]];
            DetectionSet::new(vec![0; 12], (2, 2), objects, vec!["a".to_owned()])
        };
        assert!(set([0.0, 0.0, 2.0, 2.0], 0).is_ok());
        for corners in [
            [0.0, 0.0, 2.1, 2.0],
            [-0.1, 0.0, 2.0, 2.0],
            [1.0, 0.0, 1.0, 2.0],
            [0.0, 0.0, f32::NAN, 2.0],
        ] {
            assert!(set(corners, 0).is_err(), "{corners:?}");
        }
        let error = set([0.0, 0.0, 2.0, 2.0], 1).unwrap_err().to_string();
        assert!(error.contains("below 1, found 1"), "{error}");
        assert!(DetectionSet::new(vec![0; 11], (2, 2), vec![vec![]], vec![]).is_err());
    }
}
