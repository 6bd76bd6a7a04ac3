//! Pictures and what people marked in them, before they are decoded.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    sync::Arc,
};

use kindling::{
    Result,
    boxes::Object,
    data::{
        Random, decode_picture,
        detection::{DetectionSet, Letterbox},
    },
};
use kindling_progress::Progress;
use rayon::prelude::*;

use crate::{
    Problem,
    check::{Draft, Rules, check},
    files::Files,
    problem::error,
};

/// How many pictures are decoded between two looks at the progress.
const PORTION: usize = 200;

/// Goes into the names of cached files: another number when the same files are to give other pixels.
const DECODING: u32 = 2;

/// Annotated pictures, and what is wrong with the annotations.
#[derive(Debug, Clone)]
pub struct Annotations {
    place: String,
    files: Arc<Files>,
    pictures: Vec<AnnotatedPicture>,
    classes: Vec<String>,
    problems: Vec<Problem>,
    clipped: usize,
    cache: Option<PathBuf>,
}

/// A picture with the objects in it that can be used.
#[derive(Debug, Clone, PartialEq)]
pub struct AnnotatedPicture {
    /// Its file.
    pub name: String,
    /// Its height and width in pixels, as it is shown: upright.
    pub size: (usize, usize),
    /// What is in it, in its own pixels.
    pub objects: Vec<Object>,
}

impl Annotations {
    pub(crate) fn new(
        place: String,
        files: Arc<Files>,
        drafts: Vec<Draft>,
        classes: Vec<String>,
        mut problems: Vec<Problem>,
        (rules, places): (Rules, &str),
    ) -> Self {
        let checked = check(&files, drafts, &classes, rules, places);
        problems.extend(checked.problems);
        problems.sort_by(|one, other| (&one.file, one.line).cmp(&(&other.file, other.line)));
        Self {
            place,
            files,
            pictures: checked.pictures,
            classes,
            problems,
            clipped: checked.clipped,
            cache: None,
        }
    }

    /// The pictures that can be used.
    #[must_use]
    pub fn pictures(&self) -> &[AnnotatedPicture] {
        &self.pictures
    }

    /// What the classes are called, in the order of their numbers.
    #[must_use]
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// What is wrong, in the order of files and lines.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// How many boxes reached outside their pictures and were cut at the edge, as was asked for.
    #[must_use]
    pub fn clipped(&self) -> usize {
        self.clipped
    }

    /// Goes on without the boxes and pictures that are wrong.
    #[must_use]
    pub fn leave_out_problems(self) -> Self {
        Self {
            problems: Vec::new(),
            ..self
        }
    }

    /// Deals the pictures out at random into one part for each of `shares`, which are in proportion to the whole; the same seed deals the same way.
    ///
    /// What is wrong, and the count of boxes that were cut, stays with the first part.
    #[must_use]
    pub fn split(&self, shares: &[f64], seed: u64) -> Vec<Self> {
        let mut order: Vec<usize> = (0..self.pictures.len()).collect();
        Random::new(seed).shuffle(&mut order);
        let whole: f64 = shares.iter().sum();
        let (mut parts, mut start, mut so_far) = (Vec::new(), 0, 0.0);
        for share in shares {
            so_far += share / whole;
            let end = (so_far * order.len() as f64).round() as usize;
            let mut chosen = order[start..end].to_vec();
            chosen.sort_unstable();
            let pictures = chosen.iter().map(|&place| self.pictures[place].clone());
            let (problems, clipped) = match parts.is_empty() {
                true => (self.problems.clone(), self.clipped),
                false => (Vec::new(), 0),
            };
            parts.push(Self {
                pictures: pictures.collect(),
                problems,
                clipped,
                ..self.clone()
            });
            start = end;
        }
        parts
    }

    /// Fails when there are problems in any of the parts, and names them all.
    pub fn refuse_problems(parts: &[&Self]) -> Result<()> {
        let mut problems: Vec<Problem> = parts
            .iter()
            .flat_map(|part| part.problems.iter().cloned())
            .collect();
        problems.dedup();
        match parts.first() {
            Some(first) if !problems.is_empty() => Err(error(&first.place, &problems)),
            _ => Ok(()),
        }
    }

    /// Keeps decoded pictures in this folder, for as long as no picture and no annotation changes.
    #[must_use]
    pub fn cached_in(self, folder: impl Into<PathBuf>) -> Self {
        Self {
            cache: Some(folder.into()),
            ..self
        }
    }

    /// Decodes the pictures and brings them, with their boxes, to sheets of `height` and `width` pixels.
    ///
    /// Fails when there are problems, and names them all.
    pub fn decode(&self, height: usize, width: usize) -> Result<DetectionSet> {
        Self::refuse_problems(&[self])?;
        let Some(folder) = &self.cache else {
            return self.decode_all(height, width);
        };
        let cached = folder.join(format!(
            "{:016x}.safetensors",
            self.fingerprint(height, width)
        ));
        if let Ok(set) = DetectionSet::load(&cached) {
            return Ok(set);
        }
        let set = self.decode_all(height, width)?;
        // Without a place for it, the next run decodes again.
        let _ = set.save(&cached);
        Ok(set)
    }

    fn fingerprint(&self, height: usize, width: usize) -> u64 {
        let mut hasher = DefaultHasher::new();
        (DECODING, height, width, &self.classes).hash(&mut hasher);
        for picture in &self.pictures {
            self.files.fingerprint(&picture.name, &mut hasher);
            for object in &picture.objects {
                let corners = object.corners.map(f32::to_bits);
                (corners, object.class, object.role as u8).hash(&mut hasher);
            }
        }
        hasher.finish()
    }

    fn decode_all(&self, height: usize, width: usize) -> Result<DetectionSet> {
        let progress = Progress::new(self.pictures.len() as u64, "decoding", "pictures");
        let mut pixels = Vec::with_capacity(self.pictures.len() * height * width * 3);
        let (mut objects, mut sources) = (Vec::new(), Vec::new());
        let mut problems = Vec::new();
        for portion in self.pictures.chunks(PORTION) {
            let decoded: Vec<_> = portion
                .par_iter()
                .map(|picture| self.sheet(picture, (height, width)))
                .collect();
            for (picture, decoded) in portion.iter().zip(decoded) {
                match decoded? {
                    Ok((sheet, letterbox)) => {
                        pixels.extend(sheet);
                        let on_sheet = |object: &Object| Object {
                            corners: cut(letterbox.to_sheet(object.corners), (height, width)),
                            ..*object
                        };
                        objects.push(picture.objects.iter().map(on_sheet).collect());
                        sources.push((picture.name.clone(), letterbox));
                    }
                    Err(what) => problems.push(Problem::new(&picture.name, None, what)),
                }
            }
            progress.set((objects.len() + problems.len()) as u64);
        }
        progress.finish("");
        if !problems.is_empty() {
            return Err(error(&self.place, &problems));
        }
        DetectionSet::with_sources(
            pixels,
            (height, width),
            objects,
            self.classes.clone(),
            sources,
        )
    }

    /// A decoded picture on its sheet, or what is wrong with the picture.
    fn sheet(
        &self,
        picture: &AnnotatedPicture,
        size: (usize, usize),
    ) -> Result<std::result::Result<(Vec<u8>, Letterbox), String>> {
        let letterbox = Letterbox::new(picture.size, size)?;
        let bytes = self.files.read(&picture.name);
        let bytes = bytes.map_err(|error| error.to_string());
        let decoded = bytes.and_then(|bytes| {
            let decoded = decode_picture(&bytes);
            decoded.map_err(|error| format!("the picture cannot be decoded: {error}"))
        });
        Ok(match decoded {
            Ok(decoded) => Ok((letterbox.place(&decoded)?, letterbox)),
            Err(what) => Err(what),
        })
    }
}

/// Rounding may put an edge a hair outside.
fn cut([x1, y1, x2, y2]: [f32; 4], (height, width): (usize, usize)) -> [f32; 4] {
    [x1, y1, x2.min(width as f32), y2.min(height as f32)]
}

/// A path as the words of an error.
pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string()
}
