use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::Device;
use serde_json::Value;

use super::{rows::Table, *};
use crate::{
    data::{PlantedText, Random},
    metrics::analogy_accuracy,
};

/// What PyTorch computed: `fixtures/word2vec.py`.
pub(super) struct Fixture {
    pub(super) json: Value,
    pub(super) features: usize,
    pub(super) rate: f32,
}

impl Fixture {
    pub(super) fn read() -> Self {
        let json: Value =
            serde_json::from_str(include_str!("../../../fixtures/word2vec.json")).unwrap();
        Self {
            features: json["features"].as_u64().unwrap() as usize,
            rate: json["rate"].as_f64().unwrap() as f32,
            json,
        }
    }

    /// The two tables before any step.
    pub(super) fn tables(&self) -> [Table; 2] {
        let count = self.json["words"].as_u64().unwrap() as usize;
        ["inputs", "outputs"].map(|name| {
            let mut table = Table::zeros(count, self.features);
            let numbers = self.json[name].as_array().unwrap();
            for (word, row) in numbers.chunks(self.features).enumerate() {
                for (place, number) in row.iter().enumerate() {
                    table.row_mut(word as u32)[place] = number.as_f64().unwrap() as f32;
                }
            }
            table
        })
    }
}

pub(super) fn words(list: &Value) -> impl Iterator<Item = u32> {
    let words = list.as_array().unwrap().iter();
    words.map(|word| word.as_u64().unwrap() as u32)
}

pub(super) fn close(table: &Table, expected: &Value) {
    let found = table.to_tensor().unwrap().flatten_all().unwrap();
    let expected = expected.as_array().unwrap();
    let found = found.to_vec1::<f32>().unwrap();
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let expected = expected.as_f64().unwrap();
        assert!(
            (f64::from(*found) - expected).abs() < 1e-6,
            "{found} {expected}"
        );
    }
}

fn small(algorithm: Algorithm) -> Word2VecConfig {
    Word2VecConfig {
        features: 24,
        epochs: 2,
        algorithm,
        ..Word2VecConfig::default()
    }
}

fn numbers(model: &Word2Vec) -> Vec<f32> {
    model.embeddings.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn one_seed_gives_the_same_vectors_for_any_number_of_threads() {
    let text = PlantedText::new(3_000, 1);
    for algorithm in [Algorithm::SkipGram, Algorithm::Cbow] {
        let train = |threads, seed| {
            let config = Word2VecConfig {
                features: 100, // columns for four threads, and the last has fewer
                threads,
                seed,
                ..small(algorithm)
            };
            let model = Word2Vec::train(&text.sentences, &config).unwrap();
            (numbers(&model), model.losses)
        };
        let one = train(1, 7);
        for threads in [0, 2, 3, 8] {
            assert_eq!(one, train(threads, 7), "{algorithm:?}, {threads} threads");
        }
        assert_ne!(one.0, train(1, 8).0);
    }
}

/// Of the six words nearest to each word of a pair, the share that belongs to the same relation.
fn same_topic(model: &Word2Vec, text: &PlantedText) -> f64 {
    let (mut same, mut all) = (0, 0);
    for topic in &text.topics {
        for word in &topic.words {
            let found = model.nearest(word, model.words().len()).unwrap();
            let known = |word: &String| text.topics.iter().any(|topic| topic.words.contains(word));
            let nearest = found.iter().filter(|(word, _)| known(word)).take(6);
            same += nearest
                .filter(|(word, _)| topic.words.contains(word))
                .count();
            all += 6;
        }
    }
    f64::from(same as u32) / f64::from(all)
}

#[test]
fn training_finds_what_was_planted() {
    let text = PlantedText::new(20_000, 1);
    for (algorithm, learning_rate) in [(Algorithm::SkipGram, 0.025), (Algorithm::Cbow, 0.075)] {
        let config = Word2VecConfig {
            features: 50,
            epochs: 5,
            learning_rate,
            algorithm,
            ..Word2VecConfig::default()
        };
        let model = Word2Vec::train(&text.sentences, &config).unwrap();
        let scores = analogy_accuracy(&model, &text.analogies).unwrap();
        let (accuracy, topic) = (
            scores.total().accuracy().unwrap(),
            same_topic(&model, &text),
        );
        println!("{algorithm:?}: {topic:.3} {:?}\n{scores}", model.losses());
        assert!(topic > 0.95, "{algorithm:?}: {topic}");
        assert!(accuracy > 0.8, "{algorithm:?}: {accuracy}\n{scores}");
        assert!(model.losses().is_sorted_by(|before, after| before > after));
        // Before the first step every logit is about 0, and each of 1 + 5 answers costs ln 2.
        assert!(model.losses()[0] < 6.0 * std::f64::consts::LN_2);
        let unrelated = Word2Vec::new(
            model.words.clone(),
            Random::new(1)
                .normal(model.embeddings.dims(), 0.0, 1.0)
                .unwrap(),
        );
        let chance = same_topic(&unrelated.unwrap(), &text);
        assert!(chance < 0.4, "random vectors: {chance}");
    }
}

#[test]
fn a_stop_keeps_what_was_learned() {
    let text = PlantedText::new(5_000, 1);
    let asked = AtomicUsize::new(0);
    let stop = || asked.fetch_add(1, Ordering::Relaxed) == 5;
    let config = small(Algorithm::SkipGram);
    let model = Word2Vec::train_until(&text.sentences, &config, &stop).unwrap();
    assert!(model.stopped());
    assert_eq!(model.losses().len(), 1, "one epoch is four rounds here");
    assert_ne!(
        numbers(&model),
        numbers(&Word2Vec::train(&text.sentences, &config).unwrap())
    );
    let at_once = Word2Vec::train_until(&text.sentences, &config, &|| true).unwrap();
    assert!(at_once.stopped() && at_once.losses().is_empty());
    assert!(
        numbers(&at_once)
            .iter()
            .all(|number| number.abs() <= 0.5 / 24.0)
    );
}

#[test]
fn neighbours_and_analogies_are_those_of_the_formula() {
    let words = ["north", "south", "up", "zero"].map(str::to_owned).to_vec();
    let rows = [[2.0_f32, 0.0], [-3.0, 0.0], [3.0, 4.0], [0.0, 0.0]];
    let model = Word2Vec::new(words, Tensor::new(&rows, &Device::Cpu).unwrap()).unwrap();
    assert_eq!(
        model.vector("up").unwrap().to_vec1::<f32>().unwrap(),
        [3.0, 4.0]
    );
    let nearest = model.nearest("north", 9).unwrap();
    let named: Vec<&str> = nearest.iter().map(|(word, _)| word.as_str()).collect();
    assert_eq!(named, ["up", "zero", "south"]);
    for ((_, cosine), expected) in nearest.iter().zip([0.6, 0.0, -1.0]) {
        assert!((cosine - expected).abs() < 1e-6);
    }
    assert!((model.similarity("north", "south").unwrap() + 1.0).abs() < 1e-6);
    let found = model.analogy("north", "up", "south", 5).unwrap();
    assert_eq!(found.len(), 1, "the words of the question are no answer");
    let error = model.nearest("east", 1).unwrap_err().to_string();
    assert!(error.contains("`east` is not among the 4 words"), "{error}");
    let wide = Tensor::zeros(3, candle_core::DType::F32, &Device::Cpu).unwrap();
    let error = model.nearest_to(&wide, &[], 1).unwrap_err().to_string();
    assert_eq!(error, "query: expected shape (2), found [3]");
}

#[test]
fn vectors_come_back_from_both_kinds_of_file() {
    let text = PlantedText::new(1_000, 1);
    let model = Word2Vec::train(&text.sentences, &small(Algorithm::Cbow)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vectors.safetensors");
    model.save(&file).unwrap();
    let loaded = Word2Vec::load(&file).unwrap();
    assert_eq!(
        (numbers(&loaded), &loaded.words),
        (numbers(&model), &model.words)
    );

    let plain = folder.path().join("vectors.txt");
    model.export_text(&plain).unwrap();
    let written = std::fs::read_to_string(&plain).unwrap();
    let mut lines = written.lines();
    assert_eq!(lines.next().unwrap(), format!("{} 24", model.words.len()));
    let mut read = Vec::new();
    for (line, word) in lines.zip(&model.words) {
        let (first, rest) = line.split_once(' ').unwrap();
        assert_eq!(first, word);
        read.extend(rest.split(' ').map(|number| number.parse::<f32>().unwrap()));
    }
    assert_eq!(read, numbers(&model));

    let spaced = Word2Vec::new(
        vec!["New York".to_owned()],
        Tensor::new(&[[1_f32]], &Device::Cpu).unwrap(),
    );
    let error = spaced.unwrap().export_text(&plain).unwrap_err().to_string();
    assert!(error.contains("\"New York\""), "{error}");
    crate::train::save_weights(
        &crate::models::Mlp::new(&crate::models::MlpConfig::default(), 0).unwrap(),
        &file,
        &[],
    )
    .unwrap();
    let error = Word2Vec::load(&file).unwrap_err().to_string();
    assert!(
        error.contains("weights of `mlp`, expected `word2vec`"),
        "{error}"
    );
}

#[test]
fn settings_and_tables_that_make_no_sense_are_named() {
    let text = PlantedText::new(200, 1);
    let problem = |config: Word2VecConfig| {
        Word2Vec::train(&text.sentences, &config)
            .unwrap_err()
            .to_string()
    };
    let usual = Word2VecConfig::default();
    for (config, expected) in [
        (
            Word2VecConfig {
                features: 0,
                ..usual
            },
            "features: expected at least 1, found 0",
        ),
        (
            Word2VecConfig { window: 0, ..usual },
            "window: expected at least 1",
        ),
        (
            Word2VecConfig {
                negatives: 0,
                ..usual
            },
            "negatives: expected at least 1",
        ),
        (
            Word2VecConfig { epochs: 0, ..usual },
            "epochs: expected at least 1",
        ),
        (
            Word2VecConfig {
                learning_rate: f64::NAN,
                ..usual
            },
            "found NaN",
        ),
        (
            Word2VecConfig {
                subsample: -1.0,
                ..usual
            },
            "found -1",
        ),
        (
            Word2VecConfig {
                minimum_count: 9_999,
                ..usual
            },
            "9999 times or more, found 0",
        ),
        (
            Word2VecConfig {
                learning_rate: 1e30,
                ..usual
            },
            "choose a learning rate below",
        ),
    ] {
        let found = problem(config);
        assert!(found.contains(expected), "{found}");
    }
    let none: [Vec<String>; 0] = [];
    assert!(
        Word2Vec::train(&none, &usual)
            .unwrap_err()
            .to_string()
            .contains("more text")
    );
    let rows = Tensor::new(&[[1_f32], [2.0]], &Device::Cpu).unwrap();
    let error = |words: &[&str]| {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        Word2Vec::new(words, rows.clone()).unwrap_err().to_string()
    };
    assert_eq!(
        error(&["a"]),
        "embeddings: expected shape (1, features), a row for each word, found [2, 1]"
    );
    assert_eq!(
        error(&["a", "a"]),
        "words: expected each once, found `a` twice"
    );
}
