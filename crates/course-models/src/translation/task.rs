//! `cargo course train` for the recipes that translate.

use std::process::ExitCode;

use anyhow::Result;
use kindling::{
    data::{SentencePair, SequencePair, SpecialTokens},
    metrics::bleu,
    models::Model,
};

use super::{
    NamedTranslator,
    network::Network,
    pairs,
    recipes::Architecture,
    translate::{BEAM_WIDTH, Translator},
};
use crate::{
    options::Options,
    run::{Run, Score},
    sequences::{self, Pairs, SequenceTask},
};

/// Trains with each seed, and measures BLEU on the test set.
pub fn train(named: &NamedTranslator, options: &Options) -> Result<ExitCode> {
    let run = Run::open(named.name, options)?;
    let size = named.vocabulary_size;
    let (pairs, test) = pairs::load(size, &options.languages, &options.data)?;
    let translation = Translation {
        architecture: named.architecture,
        pairs,
        test,
    };
    sequences::train(&run, named.recipe.with(options), translation)
}

/// Translating sentences.
struct Translation {
    architecture: Architecture,
    pairs: Pairs,
    test: Vec<SentencePair>,
}

impl SequenceTask for Translation {
    type Network = Network;

    const MEASURE: &'static str = "BLEU";

    fn pairs(&self) -> &Pairs {
        &self.pairs
    }

    fn network(&self, seed: u64) -> Result<Network> {
        let vocabulary = self.pairs.tokenizer.len();
        let padding = SpecialTokens::FIRST.padding;
        Network::new(self.architecture, vocabulary, padding, seed)
    }

    fn model<'n>(&self, network: &'n Network) -> &'n dyn Model<SequencePair> {
        network.model()
    }

    fn judge(&self, network: &Network) -> Result<Score> {
        let translator = Translator {
            network: network.clone(),
            tokenizer: self.pairs.tokenizer.clone(),
        };
        judge(&translator, &self.test)
    }
}

/// BLEU of a translator on these pairs.
pub fn judge(translator: &Translator, test: &[SentencePair]) -> Result<Score> {
    let said: Result<Vec<String>> = test
        .iter()
        .map(|pair| translator.translate(&pair.source, BEAM_WIDTH))
        .collect();
    let references = test.iter().map(|pair| [pair.target.as_str()]);
    let bleu = bleu(&said?, &references.collect::<Vec<[&str; 1]>>())?;
    Ok(Score {
        value: bleu.score,
        words: bleu.to_string(),
        how: format!(" on the test set, beam {BEAM_WIDTH}"),
        notes: Vec::new(),
    })
}
