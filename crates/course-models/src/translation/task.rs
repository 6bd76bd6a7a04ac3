//! `cargo course train` for the recipes that translate.

use std::{
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
};

use anyhow::Result;
use kindling::{
    data::{SentencePair, SpecialTokens},
    metrics::bleu,
    models::Model,
};

use super::{
    network::Network,
    recipes::{Architecture, Recipe},
    translate::{BEAM_WIDTH, Translator},
};
use crate::{
    sequences::{self, Pairs, Score, Task},
    train::Args,
};

/// Trains with each seed, and measures BLEU on the test set.
pub fn train(recipe: Recipe, args: &Args, stop: &Arc<AtomicBool>) -> Result<ExitCode> {
    sequences::train(recipe.training, args, stop, |training| {
        let (pairs, test) = super::pairs::load(training, &args.languages, &args.data)?;
        Ok(Translation {
            architecture: recipe.architecture,
            pairs,
            test,
        })
    })
}

/// Translating sentences.
struct Translation {
    architecture: Architecture,
    pairs: Pairs,
    test: Vec<SentencePair>,
}

impl Task for Translation {
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

    fn model<'a>(&self, network: &'a Network) -> &'a dyn Model {
        network.model()
    }

    fn details(&self, _network: &Network) -> Result<Vec<(&'static str, String)>> {
        Ok(Vec::new()) // the recipe's name says everything
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
        how: format!("on the test set, beam {BEAM_WIDTH}"),
    })
}
