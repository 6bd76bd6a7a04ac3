//! `cargo course train summarizer`.

use std::process::ExitCode;

use anyhow::Result;
use kindling::{
    data::{Email, SequencePair, SpecialTokens},
    models::{CopyTransformer, CopyTransformerConfig, Model},
    pipeline::{Abstractive, SUBJECT_LENGTH, Summarizer, rouge_of_subjects},
};

use super::{Subjects, emails};
use crate::{
    options::Options,
    registry::Trainable,
    run::{Run, Score},
    sequences::{self, Pairs, SequenceTask},
};

/// Trains with each seed, and measures ROUGE on the test set.
pub fn train(subjects: &Subjects, options: &Options) -> Result<ExitCode> {
    let run = Run::open(subjects.name(), options)?;
    let config = CopyTransformerConfig::default();
    let sizes = (subjects.vocabulary_size, config.source_length);
    let (pairs, test) = emails::load(sizes, &options.data)?;
    let config = CopyTransformerConfig {
        vocabulary_size: pairs.tokenizer.len(),
        padding: SpecialTokens::FIRST.padding,
        ..config
    };
    let writing = Writing {
        config,
        pairs,
        test,
    };
    sequences::train(&run, subjects.recipe.with(options), writing)
}

/// Writing subject lines.
struct Writing {
    config: CopyTransformerConfig,
    pairs: Pairs,
    test: Vec<Email>,
}

impl SequenceTask for Writing {
    type Network = CopyTransformer;

    const MEASURE: &'static str = "ROUGE-L";

    fn pairs(&self) -> &Pairs {
        &self.pairs
    }

    fn network(&self, seed: u64) -> Result<CopyTransformer> {
        Ok(CopyTransformer::new(&self.config, seed)?)
    }

    fn model<'n>(&self, network: &'n CopyTransformer) -> &'n dyn Model<SequencePair> {
        network
    }

    fn details(&self, network: &CopyTransformer) -> Result<Vec<(&'static str, String)>> {
        Ok(vec![Abstractive::sizes(&network.config)?])
    }

    /// As `cargo course eval summarizer` does it.
    fn judge(&self, network: &CopyTransformer) -> Result<Score> {
        let engine = Abstractive::new(network.clone(), self.pairs.tokenizer.clone())?;
        let engine = Summarizer::new(engine);
        let rouge = rouge_of_subjects(&engine, &self.test, SUBJECT_LENGTH)?;
        let [one, two, longest] =
            [rouge.rouge1, rouge.rouge2, rouge.rouge_l].map(|score| 100.0 * score.f1);
        Ok(Score {
            value: longest,
            words: format!("ROUGE-1 {one:.2}, ROUGE-2 {two:.2}, ROUGE-L {longest:.2}"),
            how: format!(
                " (F1 in %) on the test set, of several subjects the best, {} to {} tokens",
                SUBJECT_LENGTH.start,
                SUBJECT_LENGTH.end - 1
            ),
            notes: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use kindling::{
        pipeline::Summarize,
        train::{places, read_details},
    };

    use super::*;

    #[test]
    fn the_weights_that_ship_are_small_write_a_subject_and_say_where_they_come_from() {
        let file = places::repository().join("data/weights/summarizer.safetensors");
        assert!(fs::metadata(&file).unwrap().len() < 8_000_000);
        let engine = Abstractive::open(&file).unwrap();
        assert_eq!(
            engine.model().config.dropout,
            CopyTransformerConfig::default().dropout
        );
        let text = "Please send me the draft of the master agreement before Friday. Thanks, Ana";
        let subject = engine.summarize(text, SUBJECT_LENGTH).unwrap();
        let said = subject.to_lowercase();
        assert!(
            said.contains("draft") || said.contains("agreement"),
            "{subject}"
        );
        let details = read_details(&file).unwrap();
        assert_eq!(details["command"], "cargo course train summarizer");
    }
}
