//! Sentence pairs and the tokens that they are made of.

use std::fs;

use anyhow::{Context, Result, bail};
use kindling::{
    data::{SentencePair, SequencePairs, Source, SpecialTokens, Translations, parse_pairs},
    text::Bpe,
};

use super::recipes::{MAX_LENGTH, Recipe};
use crate::data;

/// From which language to which.
#[derive(Debug, Clone, clap::Args)]
pub struct Languages {
    /// For a translator: the language to translate from; en, de and fr are Multi30k, en and zh are Tatoeba
    #[arg(long, value_name = "LANGUAGE", default_value = "en")]
    pub from: String,

    /// For a translator: the language to translate to
    #[arg(long, value_name = "LANGUAGE", default_value = "de")]
    pub to: String,
}

/// Padding, beginning and end, which have the first ids.
pub const SPECIAL: [&str; 3] = ["<pad>", "<s>", "</s>"];

/// Their ids.
pub const TOKENS: SpecialTokens = SpecialTokens {
    padding: 0,
    start: 1,
    end: 2,
};

/// How many of somebody's own pairs are kept aside for each measurement, at most.
const HELD_OUT: usize = 1_000;

/// The fewest pairs of somebody's own: a tenth is kept aside, and there must be one to measure by.
const FEWEST: usize = 10;

/// Pairs, and the tokenizer that was trained on those to learn from.
#[derive(Debug)]
pub struct Pairs {
    pub translations: Translations,
    pub tokenizer: Bpe,
    pub name: String,
    pub licence: &'static str,
}

impl Pairs {
    /// Finds the pairs and trains the tokenizer on both languages together.
    pub fn load(recipe: &Recipe, languages: &Languages, args: &data::Args) -> Result<Self> {
        if args.limit == Some(0) {
            bail!("--limit: expected at least 1, found 0");
        }
        let (mut translations, name, licence) = find(languages, args)?;
        if let Some(limit) = args.limit {
            translations.train.truncate(limit);
            translations.validation.truncate(limit);
            translations.test.truncate(limit);
        }
        let texts = translations.train.iter();
        let texts = texts.flat_map(|pair| [&pair.source, &pair.target]);
        let tokenizer = Bpe::train_with_special(texts, recipe.vocabulary_size, &SPECIAL)?;
        let mut pairs = Self {
            translations,
            tokenizer,
            name,
            licence,
        };
        // Else the first one that is too long would end the measurement after hours of training.
        let test = std::mem::take(&mut pairs.translations.test).into_iter();
        pairs.translations.test = test.filter(|pair| pairs.fits(pair)).collect();
        if pairs.translations.test.is_empty() {
            bail!(none_fits(&pairs.name));
        }
        Ok(pairs)
    }

    /// Mini-batches; pairs that are too long for the network are left out.
    pub fn loader(
        &self,
        pairs: &[SentencePair],
        batch_size: usize,
        seed: u64,
    ) -> Result<SequencePairs> {
        let pairs = pairs.iter().map(|pair| self.encode(pair));
        let pairs: Vec<_> = pairs.filter(short).collect();
        if pairs.is_empty() {
            bail!(none_fits(&self.name));
        }
        Ok(SequencePairs::new(pairs, TOKENS, batch_size, seed)?)
    }

    fn encode(&self, pair: &SentencePair) -> (Vec<u32>, Vec<u32>) {
        let encode = |text: &str| self.tokenizer.encode_plain(text);
        (encode(&pair.source), encode(&pair.target))
    }

    fn fits(&self, pair: &SentencePair) -> bool {
        short(&self.encode(pair))
    }
}

/// Whether the network can read both sides, and a token that begins or ends them.
fn short((source, target): &(Vec<u32>, Vec<u32>)) -> bool {
    source.len().max(target.len()) < MAX_LENGTH
}

fn none_fits(name: &str) -> String {
    format!(
        "{name}: expected pairs of at most {} tokens a side to learn from and to measure by, found none; give shorter sentences, or more of them",
        MAX_LENGTH - 1
    )
}

fn find(languages: &Languages, args: &data::Args) -> Result<(Translations, String, &'static str)> {
    const BUILTIN: &str = "MIT OR Apache-2.0, as the course's code";
    if args.builtin {
        let toy = Translations::builtin(4_000, 200, 200, 0)?;
        return Ok((toy, "built-in sentences".to_owned(), BUILTIN));
    }
    if let Some(file) = &args.data {
        let shown = file.display().to_string();
        let bytes = fs::read(file)
            .with_context(|| format!("--data {shown}: expected a file of sentence pairs"))?;
        let pairs = parse_pairs(&shown, &bytes).context("--data")?;
        if pairs.len() < FEWEST {
            bail!(
                "--data {shown}: expected at least {FEWEST} pairs, so that some can be kept aside to measure by, found {}",
                pairs.len()
            );
        }
        let held_out = HELD_OUT.min(pairs.len() / FEWEST);
        let translations = Translations::from_pairs(pairs, held_out, 0).context("--data")?;
        return Ok((translations, shown, "as your sentences"));
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
    use super::*;
    use crate::translation::{NAMES, recipe};

    fn load(from: &str, to: &str, data: Option<&str>, builtin: bool) -> Result<Pairs> {
        let args = data::Args {
            data: data.map(Into::into),
            builtin,
            limit: Some(40),
        };
        let languages = Languages {
            from: from.to_owned(),
            to: to.to_owned(),
        };
        Pairs::load(&recipe(NAMES[0]).unwrap(), &languages, &args)
    }

    #[test]
    fn built_in_sentences_become_batches_and_sentences_again() {
        let pairs = load("en", "de", None, true).unwrap();
        let sizes = [
            pairs.translations.train.len(),
            pairs.translations.validation.len(),
            pairs.translations.test.len(),
        ];
        assert_eq!(sizes, [40, 40, 40]);
        for (id, special) in (0..).zip(SPECIAL) {
            assert_eq!(pairs.tokenizer.id(special), Some(id));
        }
        let sentence = &pairs.translations.test[0].source;
        let ids = pairs.tokenizer.encode_plain(sentence);
        assert_eq!(&pairs.tokenizer.decode(&ids).unwrap(), sentence);
        let loader = pairs.loader(&pairs.translations.train, 16, 0).unwrap();
        assert_eq!(kindling::data::Loader::examples(&loader), 40);
    }

    #[test]
    fn languages_and_files_that_are_not_there_are_named() {
        let problem = |pairs: Result<Pairs>| format!("{:#}", pairs.unwrap_err());
        for (from, to) in [("en", "xx"), ("de", "de"), ("zh", "de")] {
            let message = problem(load(from, to, None, false));
            let expected = format!("--from {from} --to {to}: expected");
            assert!(message.starts_with(&expected), "{message}");
        }
        let message = problem(load("en", "de", Some("nowhere.tsv"), false));
        assert!(message.contains("nowhere.tsv"), "{message}");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pairs.tsv");
        fs::write(&file, "one\tun\nno tab here\n").unwrap();
        let message = problem(load("en", "de", file.to_str(), false));
        assert!(
            message.contains("expected a tab") && message.contains("pairs.tsv"),
            "{message}"
        );
    }
}
