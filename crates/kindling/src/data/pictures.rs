//! Labelled pictures as bytes: a quarter of the memory that tensors of `f32` take.

use std::{collections::BTreeMap, fmt, ops::Range, path::Path, sync::Arc};

use candle_core::{DType, Device, Tensor};

use super::{Examples, Random};
use crate::{Error, Result, tensor_file::TensorFile};

/// Labelled pictures of one size, each pixel a byte per channel; a clone or a subset shares the bytes.
///
/// ```
/// use kindling::data::Pictures;
/// let classes = vec!["dark".to_owned(), "bright".to_owned()];
/// let pictures = Pictures::new(vec![0, 10, 250, 255], vec![0, 1], (1, 2, 1), classes)?;
/// assert_eq!(pictures.examples()?.images.dims(), [2, 1, 2, 1]);
/// assert_eq!(pictures.class(1), Some("bright"));
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Clone)]
pub struct Pictures {
    pixels: Arc<Vec<u8>>, // (all, height, width, channels)
    labels: Arc<Vec<u32>>,
    range: Range<usize>,
    shape: (usize, usize, usize),
    classes: Arc<Vec<String>>,
}

impl Pictures {
    /// Pixels `(pictures, height, width, channels)`, a label for each picture, and what the classes are called.
    pub fn new(
        pixels: Vec<u8>,
        labels: Vec<u32>,
        shape: (usize, usize, usize),
        classes: Vec<String>,
    ) -> Result<Self> {
        let (height, width, channels) = shape;
        let size = height * width * channels;
        if size == 0 || pixels.len() != size * labels.len() {
            return Err(Error::Shape {
                what: "pixels".to_owned(),
                expected: format!(
                    "{} pictures of {height} × {width} × {channels}",
                    labels.len()
                ),
                found: vec![pixels.len()],
            });
        }
        if let Some(label) = labels
            .iter()
            .find(|label| **label as usize >= classes.len())
        {
            return Err(Error::Argument(format!(
                "labels: expected numbers below the {} classes, found {label}",
                classes.len()
            )));
        }
        Ok(Self {
            range: 0..labels.len(),
            pixels: Arc::new(pixels),
            labels: Arc::new(labels),
            shape,
            classes: Arc::new(classes),
        })
    }

    /// Examples whose images are pictures: `(examples, height, width)` or with channels at the end, from 0 to 1.
    pub fn from_examples(examples: &Examples, classes: Vec<String>) -> Result<Self> {
        let shape = match *examples.images.dims() {
            [_, height, width] => (height, width, 1),
            [_, height, width, channels] => (height, width, channels),
            ref other => {
                return Err(Error::Shape {
                    what: "images".to_owned(),
                    expected: "(examples, height, width, channels)".to_owned(),
                    found: other.to_vec(),
                });
            }
        };
        let bytes = (examples.images.clamp(0.0, 1.0)? * 255.0)?.round()?;
        let pixels = bytes.to_dtype(DType::U8)?.flatten_all()?.to_vec1()?;
        Self::new(pixels, examples.labels.to_vec1()?, shape, classes)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// Height, width and channels of each picture.
    #[must_use]
    pub fn shape(&self) -> (usize, usize, usize) {
        self.shape
    }

    /// What the classes are called, in the order of their numbers.
    #[must_use]
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The labels, `(pictures)`.
    #[must_use]
    pub fn labels(&self) -> &[u32] {
        &self.labels[self.range.clone()]
    }

    /// What the class of this picture is called; nothing when there is no such picture.
    #[must_use]
    pub fn class(&self, position: usize) -> Option<&str> {
        let label = self.labels().get(position)?;
        self.classes.get(*label as usize).map(String::as_str)
    }

    /// The pixels of one picture, `(height, width, channels)`.
    pub(super) fn picture(&self, position: usize) -> &[u8] {
        let size = self.size();
        let start = (self.range.start + position) * size;
        &self.pixels[start..start + size]
    }

    fn size(&self) -> usize {
        self.shape.0 * self.shape.1 * self.shape.2
    }

    /// The pictures of this range, such as `0..1_000`.
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

    /// The pictures in an order that the seed decides: folders hold one class after the other.
    #[must_use]
    pub fn shuffled(&self, seed: u64) -> Self {
        let order = Random::new(seed).permutation(self.len());
        let mut pixels = Vec::with_capacity(self.len() * self.size());
        for &position in &order {
            pixels.extend_from_slice(self.picture(position));
        }
        let labels = self.labels();
        Self {
            range: 0..order.len(),
            pixels: Arc::new(pixels),
            labels: Arc::new(order.iter().map(|&position| labels[position]).collect()),
            ..self.clone()
        }
    }

    /// Two parts: the first pictures, and this share of all at the end, such as `0.1`, to be judged by.
    pub fn split(&self, share: f64) -> Result<(Self, Self)> {
        if !(0.0..=1.0).contains(&share) {
            return Err(Error::Argument(format!(
                "split: expected a share from 0 to 1, found {share}"
            )));
        }
        let first = self.len() - (self.len() as f64 * share).round() as usize;
        Ok((self.subset(0..first)?, self.subset(first..self.len())?))
    }

    /// As tensors: images `(pictures, height, width, channels)` from 0 to 1, and labels.
    pub fn examples(&self) -> Result<Examples> {
        let size = self.size();
        let bytes = &self.pixels[self.range.start * size..self.range.end * size];
        let pixels: Vec<f32> = bytes.iter().map(|&byte| brightness(byte)).collect();
        let (height, width, channels) = self.shape;
        let shape = (self.len(), height, width, channels);
        let images = Tensor::from_vec(pixels, shape, &Device::Cpu)?;
        let labels = Tensor::from_slice(self.labels(), self.len(), &Device::Cpu)?;
        Examples::new(images, labels)
    }

    /// Several sets in one file, written whole or not at all.
    pub(super) fn save(path: &Path, parts: &[(&str, &Self)]) -> Result<()> {
        let mut file = TensorFile::default();
        for (name, part) in parts {
            let (height, width, channels) = part.shape;
            let size = part.size();
            let bytes = &part.pixels[part.range.start * size..part.range.end * size];
            let shape = (part.len(), height, width, channels);
            let pixels = Tensor::from_slice(bytes, shape, &Device::Cpu)?;
            let labels = Tensor::from_slice(part.labels(), part.len(), &Device::Cpu)?;
            file.tensors.insert(format!("{name}.pixels"), pixels);
            file.tensors.insert(format!("{name}.labels"), labels);
            file.metadata
                .insert("classes".to_owned(), part.classes.join("\n"));
        }
        file.write(path)
    }

    /// All sets of such a file, by name.
    pub(super) fn load_all(path: &Path) -> Result<BTreeMap<String, Self>> {
        let wrong = || Error::Format {
            file: path.display().to_string(),
            problem: "not a file of pictures; delete it".to_owned(),
        };
        let file = TensorFile::read(path)?;
        let classes = file.metadata.get("classes").ok_or_else(wrong)?;
        let classes: Vec<String> = classes.lines().map(str::to_owned).collect();
        let mut parts = BTreeMap::new();
        for (entry, pixels) in &file.tensors {
            let Some(name) = entry.strip_suffix(".pixels") else {
                continue;
            };
            let labels = file.tensors.get(&format!("{name}.labels"));
            let labels = labels.ok_or_else(wrong)?.to_vec1()?;
            let (_, height, width, channels) = pixels.dims4()?;
            let shape = (height, width, channels);
            let pixels = pixels.flatten_all()?.to_vec1()?;
            let part = Self::new(pixels, labels, shape, classes.clone())?;
            parts.insert(name.to_owned(), part);
        }
        Ok(parts)
    }
}

/// From a byte to a number from 0 to 1, exactly as [`super::Mnist`] computes it.
pub(crate) fn brightness(byte: u8) -> f32 {
    f32::from(byte) * (1.0 / 255.0) as f32
}

impl fmt::Debug for Pictures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (height, width, channels) = self.shape;
        write!(
            f,
            "Pictures {{ {} of {height} × {width} × {channels}, {} classes }}",
            self.len(),
            self.classes.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Mnist;

    fn classes() -> Vec<String> {
        (0..10).map(|digit| digit.to_string()).collect()
    }

    #[test]
    fn digits_survive_the_way_to_bytes_and_back() {
        let mnist = Mnist::builtin(20, 1, 0).unwrap();
        let pictures = Pictures::from_examples(&mnist.train, classes()).unwrap();
        let again = Pictures::from_examples(&pictures.examples().unwrap(), classes()).unwrap();
        assert_eq!(pictures.pixels, again.pixels);
        assert_eq!(
            pictures.labels(),
            mnist.train.labels.to_vec1::<u32>().unwrap()
        );
    }

    #[test]
    fn a_part_has_its_own_pictures_and_labels() {
        let pixels = (0..12).collect();
        let all = Pictures::new(pixels, vec![0, 1, 2, 3, 4, 5], (2, 1, 1), classes()).unwrap();
        let (first, last) = all.split(1.0 / 3.0).unwrap();
        assert_eq!((first.len(), last.labels()), (4, &[4, 5][..]));
        assert_eq!(last.subset(1..2).unwrap().picture(0), [10, 11]);
        let shuffled = last.shuffled(3);
        for position in 0..2 {
            let label = shuffled.labels()[position] as u8;
            assert_eq!(shuffled.picture(position), [2 * label, 2 * label + 1]);
        }
    }

    #[test]
    fn a_file_gives_back_what_was_saved() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pictures");
        let one = Pictures::new(vec![1, 2], vec![1, 0], (1, 1, 1), classes()).unwrap();
        let two = Pictures::new(vec![3], vec![9], (1, 1, 1), classes()).unwrap();
        Pictures::save(&path, &[("train", &one), ("test", &two)]).unwrap();
        let read = Pictures::load_all(&path).unwrap();
        assert_eq!(read["test"].picture(0), [3]);
        assert_eq!(read["train"].labels(), [1, 0]);
        std::fs::write(&path, b"nonsense").unwrap();
        assert!(Pictures::load_all(&path).is_err());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(Pictures::new(vec![0; 5], vec![0, 1], (1, 2, 1), classes()).is_err());
        let error = Pictures::new(vec![0], vec![10], (1, 1, 1), classes()).unwrap_err();
        assert!(error.to_string().contains("found 10"));
    }
}
