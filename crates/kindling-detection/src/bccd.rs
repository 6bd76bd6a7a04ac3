//! BCCD: 364 photographs of blood through a microscope, with a box around each cell.

use std::sync::Arc;

use kindling::{
    Error, Result,
    data::{
        Source,
        detection::{DetectionSet, Scenes},
    },
};
use kindling_fetch::{Found, Manifest, Store};

use crate::{Problem, VocFolder, files::Files, voc::unpack};

/// Red cells, white cells, platelets.
const CLASSES: [&str; 3] = ["RBC", "WBC", "Platelets"];

/// The same files twice: with all else that the authors publish, and alone.
const SETS: [&str; 2] = ["bccd", "bccd-github"];

/// How many scenes the built-in generator draws when the photographs are not to be had.
const BUILTIN: [usize; 3] = [400, 80, 80];

/// Photographs of 640 × 480 pixels with red cells, white cells and platelets: a real set that trains in minutes.
#[derive(Debug, Clone)]
pub struct Bccd {
    /// What the model learns from.
    pub train: DetectionSet,
    /// What choices are made by.
    pub validation: DetectionSet,
    /// What it is judged by.
    pub test: DetectionSet,
    /// Where the pictures came from.
    pub source: Source,
    /// Boxes of the official annotations that cannot be used, because they have no area.
    pub left_out: Vec<Problem>,
}

impl Bccd {
    /// Finds BCCD in the cache, the mirror or on the network, on sheets of `height` and `width` pixels; where there is none of them, says so and draws scenes.
    pub fn load(height: usize, width: usize) -> Result<Self> {
        match Self::find(&Store::from_env(), height, width) {
            Err(Error::Fetch(missing @ kindling_fetch::Error::Unavailable { .. })) => {
                eprintln!(
                    "{missing}\nUsing built-in pictures instead: scenes of shapes drawn by a program, easier than photographs."
                );
                Self::builtin(BUILTIN, (height, width), 0)
            }
            outcome => outcome,
        }
    }

    /// The real BCCD from this store, in its official parts; decoded pictures are kept in its cache.
    pub fn find(store: &Store, height: usize, width: usize) -> Result<Self> {
        let found = fetch(store)?;
        let damaged = |error: std::io::Error| Error::Format {
            file: found.path.display().to_string(),
            problem: format!("damaged: {error}"),
        };
        let files = Arc::new(unpack(found.bytes.as_slice()).map_err(damaged)?);
        let mut left_out = Vec::new();
        let mut part = |name: &str| Self::part(&files, store, &found, name, &mut left_out);
        let (train, validation, test) = (part("train")?, part("val")?, part("test")?);
        let decode = |part: &crate::Annotations| part.decode(height, width);
        Ok(Self {
            train: decode(&train)?,
            validation: decode(&validation)?,
            test: decode(&test)?,
            source: found.source.into(),
            left_out,
        })
    }

    fn part(
        files: &Arc<Files>,
        store: &Store,
        found: &Found,
        name: &str,
        left_out: &mut Vec<Problem>,
    ) -> Result<crate::Annotations> {
        let voc = VocFolder::new(&found.path).part(name).classes(CLASSES);
        let annotations = voc.read_from(Arc::clone(files))?;
        left_out.extend_from_slice(annotations.problems());
        Ok(annotations
            .leave_out_problems()
            .cached_in(store.folder(SETS[0])))
    }

    /// Scenes drawn by a program from a seed: easier, with other classes, and as many as you like for each of the three parts.
    pub fn builtin(counts: [usize; 3], size: (usize, usize), seed: u64) -> Result<Self> {
        let side = size.0.min(size.1) as f64;
        let scenes = Scenes::default()
            .size(size.0, size.1)
            .sizes((side / 12.0).max(6.0)..=(side / 3.0).max(6.0));
        // Seeds far apart, so that no picture is in two parts.
        let draw = |part: usize| scenes.draw(counts[part], seed ^ ((part as u64) << 62));
        Ok(Self {
            train: draw(0)?,
            validation: draw(1)?,
            test: draw(2)?,
            source: Source::Builtin,
            left_out: Vec::new(),
        })
    }
}

/// What is on this machine first; only then the network.
fn fetch(store: &Store) -> Result<Found> {
    let manifest = Manifest::builtin()?;
    let mut problem = None;
    for download in [false, true] {
        for name in SETS {
            let set = manifest.dataset(name)?;
            if download && set.urls.is_empty() {
                continue;
            }
            let file = &set.files[0];
            let found = match download {
                true => store.read(set, file).map(Some),
                false => store.look(set, file),
            };
            match found {
                Ok(Some(found)) => return Ok(found),
                Ok(None) => {}
                // The last one says how to fetch it.
                Err(error) => problem = Some(error),
            }
        }
    }
    Err(problem.map_or_else(
        || Error::Argument("BCCD: not found".to_owned()),
        Error::Fetch,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_real_set_has_its_known_counts_and_is_cached() {
        let Some(mirror) = kindling_skip::mirror("bccd/") else {
            return;
        };
        let cache = tempfile::tempdir().unwrap();
        let store = Store::at(cache.path())
            .with_mirror(mirror)
            .without_download();
        let bccd = Bccd::find(&store, 120, 160).unwrap();
        let parts = [&bccd.train, &bccd.validation, &bccd.test];
        assert_eq!(parts.map(DetectionSet::len), [205, 87, 72]);
        let counts: Vec<Vec<usize>> = parts.iter().map(|part| part.counts()).collect();
        let of_class = |class: usize| counts.iter().map(|part| part[class]).sum::<usize>();
        assert_eq!([0, 1, 2].map(of_class), [4_155 - 2, 372, 361]);
        assert_eq!(bccd.left_out.len(), 2, "{:?}", bccd.left_out);
        assert!(bccd.left_out[0].what.contains("area"));
        assert_eq!(bccd.train.letterbox(0).unwrap().picture(), (480, 640));
        let again = Bccd::find(&store, 120, 160).unwrap();
        assert_eq!(again.test.objects(71), bccd.test.objects(71));
        let kept = std::fs::read_dir(store.folder("bccd")).unwrap();
        assert_eq!(kept.count(), 3);
    }

    #[test]
    fn the_built_in_set_has_the_same_form() {
        let bccd = Bccd::builtin([4, 2, 1], (60, 80), 1).unwrap();
        assert_eq!(bccd.source, Source::Builtin);
        assert_eq!(bccd.train.size(), (60, 80));
        assert_ne!(bccd.train.objects(0), bccd.test.objects(0));
    }

    #[test]
    fn nothing_at_all_is_one_clear_error() {
        let cache = tempfile::tempdir().unwrap();
        let store = Store::at(cache.path()).without_download();
        let error = Bccd::find(&store, 8, 8).unwrap_err().to_string();
        assert!(error.contains("data fetch bccd-github"), "{error}");
    }
}
