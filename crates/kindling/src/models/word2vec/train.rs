//! Epochs, each of many rounds, and each round a few thousand words of the text.

use kindling_progress::{Progress, stop_requested};

use super::{
    Algorithm, Word2Vec, Word2VecConfig,
    cbow::Cbow,
    rows::Table,
    sampler::Sampler,
    skip_gram::SkipGram,
    vocabulary::{Text, Vocabulary},
};
use crate::{Error, Result, data::Random};

/// About how many words of the text make a chunk, whose samples one thread draws.
const CHUNK: usize = 1_000;

/// How many chunks make a round.
const ROUND: usize = 16;

/// Asked again and again: is it time to stop?
type Stop<'a> = &'a (dyn Fn() -> bool + Sync);

impl Word2Vec {
    /// Learns vectors from sentences, each a list of words.
    ///
    /// A stop request of the learner ends it early: the vectors are what was learned until then. Fails when a setting makes
    /// no sense, the text has less than two words that are frequent enough, or the learning rate is so large that the
    /// numbers grow without limit.
    pub fn train(sentences: &[Vec<String>], config: &Word2VecConfig) -> Result<Self> {
        Self::train_until(sentences, config, &|| false)
    }

    /// The same, and it also ends early when `stop` says so, which is asked every few thousand words.
    pub fn train_until(
        sentences: &[Vec<String>],
        config: &Word2VecConfig,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Self> {
        config.check()?;
        let learn = || learn(sentences, config, stop);
        match (config.threads, rayon::current_num_threads()) {
            (0, 1) => learn(),
            // A pool of its own: the threads of CBOW wait for each other, so no other work may keep one of them busy.
            (0, threads) | (threads, _) => {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
                let failed = |error| Error::Argument(format!("threads {threads}: {error}"));
                pool.build().map_err(failed)?.install(learn)
            }
        }
    }
}

/// Counts the words, and trains on the threads of the current pool.
fn learn(sentences: &[Vec<String>], config: &Word2VecConfig, stop: Stop) -> Result<Word2Vec> {
    let vocabulary = Vocabulary::count(sentences, config.minimum_count)?;
    let text = Text::new(sentences, &vocabulary, CHUNK);
    let sampler = Sampler::new(text, &vocabulary, *config);
    let (inputs, losses, stopped) = run(&sampler, vocabulary.words.len(), stop);
    let embeddings = inputs.to_tensor()?; // (vocabulary, features)
    if !embeddings.sum_all()?.to_scalar::<f32>()?.is_finite() {
        return Err(Error::Training(format!(
            "word vectors grew without limit; choose a learning rate below {:?}",
            config.learning_rate
        )));
    }
    Ok(Word2Vec {
        losses,
        stopped,
        ..Word2Vec::new(vocabulary.words, embeddings)?
    })
}

/// What takes the steps.
enum Model {
    SkipGram(SkipGram),
    Cbow(Cbow),
}

/// Trains both tables; returns that of the inputs, the mean loss of each whole epoch, and whether it was stopped.
fn run(sampler: &Sampler, words: usize, stop: Stop) -> (Table, Vec<f64>, bool) {
    let (text, config) = (&sampler.text, &sampler.config);
    let inputs = Table::random(words, config.features, &mut Random::new(config.seed));
    let mut tables = [inputs, Table::zeros(words, config.features)];
    let mut model = match config.algorithm {
        Algorithm::SkipGram => Model::SkipGram(SkipGram::default()),
        Algorithm::Cbow => Model::Cbow(Cbow::new(&tables, config)),
    };
    let (mut losses, mut stopped) = (Vec::new(), false);
    let all = text.len() * config.epochs;
    let progress = Progress::new(all as u64, "word vectors", "words");
    'epochs: for epoch in 1..=config.epochs {
        let (mut pairs, mut loss) = (0, 0.0);
        for first in (0..text.chunks()).step_by(ROUND) {
            stopped = stop_requested() || stop();
            if stopped {
                break 'epochs;
            }
            let chunks = first..text.chunks().min(first + ROUND);
            let behind = (epoch - 1) * text.len() + text.words_before(chunks.end);
            let (more, lost) = match &mut model {
                Model::SkipGram(model) => model.round(sampler, epoch, chunks, &mut tables),
                Model::Cbow(model) => model.round(sampler, epoch, chunks),
            };
            (pairs, loss) = (pairs + more, loss + lost);
            progress.set(behind as u64);
        }
        losses.push(loss / pairs.max(1) as f64);
    }
    if let Model::Cbow(model) = model {
        model.write(&mut tables);
    }
    let epoch = losses.len() + 1;
    let words = stopped.then(|| format!("stopped in epoch {epoch}"));
    progress.finish(&words.unwrap_or_default());
    let [inputs, _] = tables;
    (inputs, losses, stopped)
}

impl Word2VecConfig {
    fn check(&self) -> Result<()> {
        for (name, number) in [
            ("features", self.features),
            ("window", self.window),
            ("negatives", self.negatives),
            ("epochs", self.epochs),
        ] {
            if number == 0 {
                return Err(Error::Argument(format!(
                    "word2vec: {name}: expected at least 1, found 0"
                )));
            }
        }
        let (rate, subsample) = (self.learning_rate, self.subsample);
        if !(rate.is_finite() && rate > 0.0) {
            return Err(Error::Argument(format!(
                "word2vec: learning_rate: expected a positive number, found {rate}"
            )));
        }
        if !(subsample.is_finite() && subsample >= 0.0) {
            return Err(Error::Argument(format!(
                "word2vec: subsample: expected a frequency such as 0.001, or 0, found {subsample}"
            )));
        }
        Ok(())
    }
}
