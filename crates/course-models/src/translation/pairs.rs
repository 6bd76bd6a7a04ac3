//! Sentence pairs and the tokens that they are made of.

use anyhow::{Result, bail};
use kindling::{
    data::{SentencePair, Source, SpecialTokens, Translations},
    text::Bpe,
};

use super::recipes::MAX_LENGTH;
use crate::{
    licence::{BUILTIN, OWN_SENTENCES},
    options::DataOptions,
    sequences::{Pairs, own_pairs},
};

/// From which language to which.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)]
pub struct Languages {
    /// The language to translate from; en, de and fr are Multi30k, en and zh are Tatoeba
    #[arg(long, value_name = "LANGUAGE", default_value = "en")]
    pub from: String,

    /// The language to translate to
    #[arg(long, value_name = "LANGUAGE", default_value = "de")]
    pub to: String,
}

impl Languages {
    /// Those of public data as [`find`] names it.
    pub fn of_data(name: &str) -> Option<Self> {
        let (_, languages) = name.rsplit_once(", ")?;
        let (from, to) = languages.split_once(" to ")?;
        Some(Self {
            from: from.to_owned(),
            to: to.to_owned(),
        })
    }
}

/// The pairs to measure by that the network can read, and where they are from.
pub fn test(
    tokenizer: &Bpe,
    languages: &Languages,
    args: &DataOptions,
) -> Result<(Vec<SentencePair>, String)> {
    let (translations, name, _) = find(languages, args)?;
    let mut test = translations.test;
    test.truncate(args.most());
    test.retain(|pair| fits(&encode(tokenizer, pair)));
    Ok((test, name))
}

/// The tokens of both sides.
fn encode(tokenizer: &Bpe, pair: &SentencePair) -> (Vec<u32>, Vec<u32>) {
    (
        tokenizer.encode_plain(&pair.source),
        tokenizer.encode_plain(&pair.target),
    )
}

/// Whether the network has room for both, and for a token that begins or ends them.
fn fits((source, target): &(Vec<u32>, Vec<u32>)) -> bool {
    source.len().max(target.len()) < MAX_LENGTH
}

/// Finds the pairs and trains the tokenizer on both languages together; returns the test set as text, too.
///
/// Pairs that are too long for the network are left out. Else the first such test pair would end the measurement after hours of training.
pub fn load(
    vocabulary_size: usize,
    languages: &Languages,
    args: &DataOptions,
) -> Result<(Pairs, Vec<SentencePair>)> {
    args.check()?;
    let (mut translations, name, licence) = find(languages, args)?;
    for part in [
        &mut translations.train,
        &mut translations.validation,
        &mut translations.test,
    ] {
        part.truncate(args.most());
    }
    let texts = translations.train.iter();
    let texts = texts.flat_map(|pair| [&pair.source, &pair.target]);
    let special = SpecialTokens::TEXTS;
    let tokenizer = Bpe::train_with_special(texts, vocabulary_size, &special)?;
    let short = |pairs: &[SentencePair]| -> Vec<_> {
        let pairs = pairs.iter().map(|pair| encode(&tokenizer, pair));
        pairs.filter(fits).collect()
    };
    let (training, validation) = (short(&translations.train), short(&translations.validation));
    let mut test = translations.test;
    test.retain(|pair| fits(&encode(&tokenizer, pair)));
    if training.is_empty() || validation.is_empty() || test.is_empty() {
        bail!(
            "{name}: expected pairs of at most {} tokens a side to learn from and to measure by, found none; give shorter sentences, or more of them",
            MAX_LENGTH - 1
        );
    }
    let pairs = Pairs {
        training,
        validation,
        test: test.len(),
        tokenizer,
        name,
        licence,
    };
    Ok((pairs, test))
}

fn find(languages: &Languages, args: &DataOptions) -> Result<(Translations, String, &'static str)> {
    if args.builtin {
        let toy = Translations::builtin(4_000, 200, 200, 0)?;
        return Ok((toy, "built-in sentences".to_owned(), BUILTIN));
    }
    if let Some(file) = &args.data {
        let (translations, shown) = (own_pairs(file)?, file.display().to_string());
        return Ok((translations, shown, OWN_SENTENCES));
    }
    let Languages { from, to } = languages;
    let (translations, name, licence) = match (from.as_str(), to.as_str()) {
        ("en", "zh") => (
            Translations::tatoeba()?,
            "Tatoeba",
            "CC BY 2.0 FR, as Tatoeba",
        ),
        ("zh", "en") => {
            let turned = Translations::tatoeba()?.reversed();
            (turned, "Tatoeba", "CC BY 2.0 FR, as Tatoeba")
        }
        ("en" | "de" | "fr", "en" | "de" | "fr") if from != to => {
            let multi30k = Translations::multi30k(from, to)?;
            (multi30k, "Multi30k", "CC BY-NC-SA 4.0, as Multi30k")
        }
        _ => bail!(
            "--from {from} --to {to}: expected two of en, de and fr, or en and zh; for others give your own pairs with --data FILE"
        ),
    };
    Ok(match translations.source {
        Source::Builtin => (translations, "built-in sentences".to_owned(), BUILTIN),
        _ => (translations, format!("{name}, {from} to {to}"), licence),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::translation::recipes::TRANSFORMER;

    fn loaded(
        from: &str,
        to: &str,
        data: Option<&str>,
        builtin: bool,
    ) -> Result<(Pairs, Vec<SentencePair>)> {
        let args = DataOptions {
            data: data.map(Into::into),
            builtin,
            limit: Some(40),
        };
        let languages = Languages {
            from: from.to_owned(),
            to: to.to_owned(),
        };
        load(TRANSFORMER.vocabulary_size, &languages, &args)
    }

    #[test]
    fn built_in_sentences_become_batches_and_sentences_again() {
        let (pairs, test) = loaded("en", "de", None, true).unwrap();
        let sizes = [pairs.training.len(), pairs.validation.len(), pairs.test];
        assert_eq!((sizes, test.len()), ([40, 40, 40], 40));
        for (id, special) in (0..).zip(SpecialTokens::TEXTS) {
            assert_eq!(pairs.tokenizer.id(special), Some(id));
        }
        let sentence = &test[0].source;
        let ids = pairs.tokenizer.encode_plain(sentence);
        assert_eq!(&pairs.tokenizer.decode(&ids).unwrap(), sentence);
        let (training, _) = pairs.loaders(16, 0).unwrap();
        assert_eq!(kindling::data::Loader::examples(&training), 40);
    }

    #[test]
    fn data_says_its_languages() {
        let found = Languages::of_data("Multi30k, fr to en").unwrap();
        assert_eq!((found.from.as_str(), found.to.as_str()), ("fr", "en"));
        for name in ["built-in sentences", "a, b/own.tsv", ""] {
            assert!(Languages::of_data(name).is_none(), "{name}");
        }
    }

    #[test]
    fn languages_and_files_that_are_not_there_are_named() {
        let problem =
            |pairs: Result<(Pairs, Vec<SentencePair>)>| format!("{:#}", pairs.unwrap_err());
        for (from, to) in [("en", "xx"), ("de", "de"), ("zh", "de")] {
            let message = problem(loaded(from, to, None, false));
            let expected = format!("--from {from} --to {to}: expected");
            assert!(message.starts_with(&expected), "{message}");
        }
        let message = problem(loaded("en", "de", Some("nowhere.tsv"), false));
        assert!(message.contains("nowhere.tsv"), "{message}");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pairs.tsv");
        fs::write(&file, "one\tun\nno tab here\n").unwrap();
        let message = problem(loaded("en", "de", file.to_str(), false));
        assert!(
            message.contains("expected a tab") && message.contains("pairs.tsv"),
            "{message}"
        );
    }
}
