//! Sentences with their translations: Multi30k and Tatoeba.

use kindling_fetch::{Manifest, Store};

use super::{
    SentencePair, Source, parse_pairs, split_pairs::split, text_file::parse_parallel, toy_sentences,
};
use crate::{Error, Result};

/// How many pairs the built-in generator makes when the real ones are not to be had: to train, to validate, to test.
const BUILTIN: (usize, usize, usize) = (20_000, 1_000, 1_000);

/// The languages of Multi30k here, by the ends of its files' names.
const LANGUAGES: [&str; 3] = ["en", "de", "fr"];

/// How many pairs of Tatoeba are kept for validation, and as many for the test; it has no parts of its own.
const HELD_OUT: usize = 1_000;

/// Decides which pairs of Tatoeba these are.
const SPLIT: u64 = 30;

/// Sentence pairs for a translator.
///
/// ```
/// use kindling::data::Translations;
/// let pairs = Translations::builtin(100, 10, 10, 1)?;
/// println!("{} → {}", pairs.train[0].source, pairs.train[0].target);
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Translations {
    /// What the model learns from.
    pub train: Vec<SentencePair>,
    /// What decides when to stop.
    pub validation: Vec<SentencePair>,
    /// What it is judged by.
    pub test: Vec<SentencePair>,
    /// Where the pairs came from.
    pub source: Source,
}

impl Translations {
    /// Multi30k (Elliott et al., 2016): captions of photographs, 29,000 + 1,014 + 1,000, from and to `en`, `de` or `fr`.
    ///
    /// Where it is not to be had, says so and makes toy sentences.
    pub fn multi30k(from: &str, to: &str) -> Result<Self> {
        Self::or_builtin(Self::find_multi30k(&Store::from_env(), from, to))
    }

    /// Tatoeba's 22,075 English-Chinese pairs, each with whom to name; all that share a sentence are in the same part.
    ///
    /// Where they are not to be had, says so and makes toy sentences.
    pub fn tatoeba() -> Result<Self> {
        Self::or_builtin(Self::find_tatoeba(&Store::from_env()))
    }

    fn or_builtin(outcome: Result<Self>) -> Result<Self> {
        match outcome {
            Err(Error::Fetch(missing @ kindling_fetch::Error::Unavailable { .. })) => {
                let (train, validation, test) = BUILTIN;
                eprintln!(
                    "{missing}\nUsing built-in sentences instead: {train} + {validation} + {test} English-Chinese pairs made by a program, easier than real ones."
                );
                Self::builtin(train, validation, test, 0)
            }
            outcome => outcome,
        }
    }

    /// The real Multi30k from this store.
    pub fn find_multi30k(store: &Store, from: &str, to: &str) -> Result<Self> {
        for language in [from, to] {
            if !LANGUAGES.contains(&language) {
                return Err(Error::Argument(format!(
                    "language: expected one of {LANGUAGES:?}, found {language:?}"
                )));
            }
        }
        let mut origin = Source::Cache;
        let mut part = |name: &str| {
            let [source, target] = [from, to].map(|language| format!("{name}.{language}.gz"));
            let (first, second) = (
                read(store, "multi30k", &source, &mut origin)?,
                read(store, "multi30k", &target, &mut origin)?,
            );
            parse_parallel((&source, &first), (&target, &second))
        };
        Ok(Self {
            train: part("train")?,
            validation: part("val")?,
            test: part("test_2016_flickr")?,
            source: origin,
        })
    }

    /// The real Tatoeba pairs from this store.
    pub fn find_tatoeba(store: &Store) -> Result<Self> {
        let mut source = Source::Cache;
        let bytes = read(store, "tatoeba-cmn-eng", "cmn.txt.gz", &mut source)?;
        let pairs = parse_pairs("tatoeba-cmn-eng/cmn.txt", &bytes)?;
        let [test, validation, train] = split(pairs, HELD_OUT, SPLIT);
        Ok(Self {
            train,
            validation,
            test,
            source,
        })
    }

    /// Your own pairs: the last two parts get about this many each, and no sentence is in two parts.
    pub fn from_pairs(pairs: Vec<SentencePair>, held_out: usize, seed: u64) -> Result<Self> {
        let count = pairs.len();
        let [test, validation, train] = split(pairs, held_out, seed);
        if train.is_empty() {
            return Err(Error::Argument(format!(
                "held_out: expected less than a third of the {count} pairs, found {held_out}, which leaves none to train with"
            )));
        }
        Ok(Self {
            train,
            validation,
            test,
            source: Source::Cache,
        })
    }

    /// English sentences and dates with their Chinese, made by a program from a seed: a small grammar, in which place and
    /// time move to another position. Much easier than real text: about 60 words, no exceptions. No sentence comes twice.
    pub fn builtin(train: usize, validation: usize, test: usize, seed: u64) -> Result<Self> {
        let mut pairs = toy_sentences::pairs(train + validation + test, seed);
        let test = pairs.split_off(train + validation);
        let validation = pairs.split_off(train);
        Ok(Self {
            train: pairs,
            validation,
            test,
            source: Source::Builtin,
        })
    }

    /// The other direction: targets become sources.
    #[must_use]
    pub fn reversed(self) -> Self {
        let turn = |pairs: Vec<SentencePair>| {
            let pairs = pairs.into_iter().map(|pair| SentencePair {
                source: pair.target,
                target: pair.source,
                ..pair
            });
            pairs.collect()
        };
        Self {
            train: turn(self.train),
            validation: turn(self.validation),
            test: turn(self.test),
            source: self.source,
        }
    }
}

/// The decompressed bytes of a file; `origin` becomes the farthest place that was needed.
pub(super) fn read(store: &Store, set: &str, name: &str, origin: &mut Source) -> Result<Vec<u8>> {
    let manifest = Manifest::builtin()?;
    let dataset = manifest.dataset(set)?;
    let found = store.read(dataset, dataset.file(name)?)?;
    for note in &found.notes {
        eprintln!("{note}\nIt was replaced by a good one.");
    }
    *origin = (*origin).max(found.source.into());
    Ok(found.bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn mirror() -> Option<(tempfile::TempDir, Store)> {
        let mirror = kindling_skip::mirror("multi30k/ and tatoeba-cmn-eng/")?;
        let cache = tempfile::tempdir().unwrap();
        let store = Store::at(cache.path())
            .with_mirror(mirror)
            .without_download();
        Some((cache, store))
    }

    /// No sentence of one part, in either language, is in another.
    fn check_apart(pairs: &Translations) {
        let texts = |part: &[SentencePair]| -> HashSet<String> {
            let both = part.iter().flat_map(|pair| [&pair.source, &pair.target]);
            both.cloned().collect()
        };
        let parts = [&pairs.train, &pairs.validation, &pairs.test].map(|part| texts(part));
        assert!(
            parts[0].is_disjoint(&parts[1])
                && parts[1].is_disjoint(&parts[2])
                && parts[0].is_disjoint(&parts[2])
        );
    }

    #[test]
    fn multi30k_has_its_known_counts_and_first_captions() {
        let Some((_cache, store)) = mirror() else {
            return;
        };
        let pairs = Translations::find_multi30k(&store, "en", "de").unwrap();
        assert_eq!(pairs.source, Source::Mirror);
        let counts = [pairs.train.len(), pairs.validation.len(), pairs.test.len()];
        assert_eq!(counts, [29_000, 1_014, 1_000]);
        assert_eq!(
            pairs.train[0].source,
            "Two young, White males are outside near many bushes."
        );
        assert!(pairs.train[0].target.starts_with("Zwei junge"));
        let turned = pairs.clone().reversed();
        assert_eq!(turned.test[9].source, pairs.test[9].target);
        let error = Translations::find_multi30k(&store, "en", "zh")
            .unwrap_err()
            .to_string();
        assert!(error.contains("found \"zh\""), "{error}");
    }

    #[test]
    fn tatoeba_is_split_so_that_no_sentence_is_in_two_parts() {
        let Some((_cache, store)) = mirror() else {
            return;
        };
        let pairs = Translations::find_tatoeba(&store).unwrap();
        let counts = [pairs.train.len(), pairs.validation.len(), pairs.test.len()];
        assert_eq!(counts.iter().sum::<usize>(), 22_075);
        assert!(
            counts[1..]
                .iter()
                .all(|count| (1_000..1_200).contains(count)),
            "{counts:?}"
        );
        check_apart(&pairs);
        let attribution = pairs.train[0].attribution.as_deref().unwrap();
        assert!(
            attribution.starts_with("CC-BY 2.0 (France)"),
            "{attribution}"
        );
    }

    #[test]
    fn your_own_pairs_are_parted_too() {
        let pairs = Translations::builtin(30, 0, 0, 1).unwrap().train;
        let parts = Translations::from_pairs(pairs.clone(), 5, 2).unwrap();
        assert_eq!((parts.train.len(), parts.test.len()), (20, 5));
        check_apart(&parts);
        let error = Translations::from_pairs(pairs, 15, 2)
            .unwrap_err()
            .to_string();
        assert!(error.contains("held_out"), "{error}");
    }

    #[test]
    fn built_in_pairs_are_all_different() {
        let pairs = Translations::builtin(2_000, 200, 200, 3).unwrap();
        assert_eq!((pairs.train.len(), pairs.test.len()), (2_000, 200));
        check_apart(&pairs);
        assert_eq!(
            pairs.train,
            Translations::builtin(2_000, 200, 200, 3).unwrap().train
        );
        assert_ne!(
            pairs.train,
            Translations::builtin(2_000, 200, 200, 4).unwrap().train
        );
    }
}
