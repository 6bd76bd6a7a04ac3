//! `cargo course translate`: a trained translator, one sentence a line.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use course_program::{input, output};
use kindling::{
    data::SpecialTokens,
    text::Bpe,
    train::{load_weights, places},
};

use super::{NamedTranslator, network::Network, recipes::TRANSFORMER};
use crate::{numbers, registry::find_kind, weights::Trained};

/// How many beginnings of a translation are kept, unless the command line says otherwise.
pub const BEAM_WIDTH: usize = 4;

/// Each kept beginning costs as much as a translation of its own; more have long stopped to help.
const WIDEST: usize = 64;

/// Translate a text, one sentence a line.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A text file, or - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The translator's name
    #[arg(long, value_name = "NAME", default_value = TRANSFORMER.name)]
    model: String,

    /// The file of its weights; by default those trained on this machine, else those that ship with the course
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,

    /// How many beginnings of a translation are kept; 1 takes the likeliest token each time
    #[arg(long, value_name = "NUMBER", default_value_t = BEAM_WIDTH)]
    beam: usize,
}

/// Runs `cargo course translate`.
pub fn run(args: Args) -> Result<ExitCode> {
    numbers::in_range(&[("--beam", args.beam, WIDEST)])?;
    let text = input::read(&args.file)?;
    let translator = Translator::open(&args.model, args.weights)?;
    for (number, line) in (1..).zip(text.lines()) {
        let said = translator.translate(line.trim(), args.beam);
        let said = said.with_context(|| format!("{}, line {number}", args.file.display()))?;
        output::print(&said)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A network with the tokenizer that it was trained with.
#[derive(Debug)]
pub struct Translator {
    pub network: Network,
    pub tokenizer: Bpe,
}

impl Translator {
    /// The translator of this name with the given weights, or those that are found.
    pub fn open(name: &str, weights: Option<PathBuf>) -> Result<Self> {
        let named: &NamedTranslator = find_kind(name, |name| format!("translator `{name}`"))?;
        Self::of(named, &Trained::find(named.name, weights)?)
    }

    /// The translator with these weights.
    pub fn of(named: &NamedTranslator, Trained { file, .. }: &Trained) -> Result<Self> {
        let folder = places::tokenizer_beside(file);
        let tokenizer = Bpe::load(&folder).with_context(|| {
            format!(
                "{}: expected the tokenizer that belongs to the weights",
                folder.display()
            )
        })?;
        let padding = SpecialTokens::FIRST.padding;
        let network = Network::new(named.architecture, tokenizer.len(), padding, 0)?;
        load_weights(network.model(), file).with_context(|| {
            format!(
                "with the {} tokens of {}",
                tokenizer.len(),
                folder.display()
            )
        })?;
        Ok(Self { network, tokenizer })
    }

    /// The translation of one sentence; nothing for nothing.
    pub fn translate(&self, sentence: &str, beam: usize) -> Result<String> {
        let source = self.tokenizer.encode_plain(sentence);
        let target = self
            .network
            .translate(&source, SpecialTokens::FIRST, beam)?;
        Ok(self.tokenizer.decode(&target)?)
    }
}

#[cfg(test)]
mod tests {
    use kindling::train::save_weights;

    use super::*;
    use crate::translation::recipes::GRU;

    #[test]
    fn weights_are_found_again_with_their_tokenizer() {
        let folder = tempfile::tempdir().unwrap();
        for NamedTranslator {
            name, architecture, ..
        } in [&TRANSFORMER, &GRU]
        {
            let file = folder.path().join(format!("{name}.safetensors"));
            let tokenizer =
                Bpe::train_with_special(["a small text"], 300, &SpecialTokens::TEXTS).unwrap();
            let network = Network::new(
                *architecture,
                tokenizer.len(),
                SpecialTokens::FIRST.padding,
                7,
            )
            .unwrap();
            save_weights(network.model(), &file, &[("recipe", *name)]).unwrap();
            let missing = Translator::open(name, Some(file.clone())).unwrap_err();
            assert!(format!("{missing:#}").contains("expected the tokenizer"));
            tokenizer.save(places::tokenizer_beside(&file)).unwrap();
            let made = Translator { network, tokenizer };
            let opened = Translator::open(name, Some(file)).unwrap();
            for beam in [1, 3] {
                let said = made.translate("a text", beam).unwrap();
                assert_eq!(opened.translate("a text", beam).unwrap(), said);
            }
            assert_eq!(made.translate("", 2).unwrap(), "");
            let long = made.translate(&"word ".repeat(400), 2).unwrap_err();
            assert!(long.to_string().contains("at most 256 tokens"), "{long}");
        }
        let other = folder.path().join(format!("{}.safetensors", GRU.name));
        let wrong = Translator::open(TRANSFORMER.name, Some(other)).unwrap_err();
        assert!(
            wrong
                .to_string()
                .contains("these are weights of gru-translate")
        );
        let unknown = Translator::open("babel", None).unwrap_err();
        assert!(
            unknown
                .to_string()
                .contains("there are: transformer-translate, gru-translate")
        );
    }
}
